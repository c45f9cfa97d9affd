//! Phase `kubelet-start`: the kubelet with the files of this node.
//!
//! Writes `kubeadm-flags.env`, from 1.34 on `instance-config.yaml`, and `config.yaml` below /var/lib/kubelet. A running
//! kubelet is stopped before one of them changes: so a run that is killed in between leaves a stopped kubelet, which the
//! next run starts, and never one that runs with files it has not read.

use super::config::{KubeletFile, files};
use crate::config::{ClusterConfig, Init, NodeConfig};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Change, Content, UnitAction, UnitState, World};

const UNIT: &str = "kubelet.service";
const RESOLVED: &str = "systemd-resolved.service";
/// What systemd-resolved offers to programs that cannot use its own stub: its stub would loop through CoreDNS.
const RESOLVED_CONF: &str = "/run/systemd/resolve/resolv.conf";

/// Phase `kubelet-start` of `init`.
pub struct KubeletStart;

impl Phase<Init> for KubeletStart {
    fn name(&self) -> &'static str {
        "kubelet-start"
    }

    fn about(&self) -> &'static str {
        "configure and start the kubelet"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        vec![Artifact::file("the kubeconfig of the kubelet", job.node.layout.kubeconfig("kubelet.conf"))]
    }

    fn makes(&self, job: &Init) -> Vec<Artifact> {
        let layout = &job.node.layout;
        vec![
            Artifact::file("the kubelet's flags", layout.kubelet_flags()),
            Artifact::file("the kubelet's configuration", layout.kubelet_config()),
        ]
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        // A kubelet watches the folder only if it is there when it starts.
        world.put_folder(&job.node.layout.manifests(), 0o700)?;
        // A control-plane node gets its taints through the API, in mark-control-plane.
        let changed = write_kubelet_files(&job.cluster, &job.node, false, world)?;
        run_kubelet(changed, world)
    }
}

/// Writes the kubelet's files where they differ, after stopping a kubelet that runs. Says whether anything was changed.
///
/// # Errors
/// `kubelet-unit-missing`; when the machine cannot be looked at or changed.
pub fn write_kubelet_files(
    cluster: &ClusterConfig,
    node: &NodeConfig,
    taints_as_flags: bool,
    world: &World<'_>,
) -> Result<bool, Problem> {
    let unit = kubelet_unit(world)?;
    let resolv_conf = is_running(&world.host().unit(RESOLVED)?).then_some(RESOLVED_CONF);
    let mut differing = Vec::new();
    for file in files(cluster, node, taints_as_flags, resolv_conf)? {
        if !is_there(&file, world)? {
            differing.push(file);
        }
    }
    if differing.is_empty() {
        return Ok(false);
    }
    if is_running(&unit) {
        world.change(&Change::Unit { name: UNIT.to_owned(), action: UnitAction::Stop })?;
    }
    let mut changes = Vec::new();
    world.add_missing_folders(node.layout.kubelet(), 0o700, &mut changes)?;
    for folder in node.layout.kubelet_folders_elsewhere() {
        world.add_missing_folders(folder, 0o755, &mut changes)?;
    }
    for KubeletFile { path, text } in differing {
        changes.push(Change::File { path, content: Content::new(text), mode: 0o644, like: None });
    }
    world.change_all(&changes)?;
    Ok(true)
}

/// Starts the kubelet, with its unit read again, unless it runs already with these files.
///
/// # Errors
/// `kubelet-unit-missing`; when the unit cannot be started, or no system runs below `--rootfs`.
pub fn run_kubelet(files_changed: bool, world: &World<'_>) -> Result<(), Problem> {
    world.needs_running_system("start kubelet.service")?;
    let unit = kubelet_unit(world)?;
    // One that has just failed would be tried again in ten seconds only.
    if files_changed || unit.active != "active" {
        world.change(&Change::Unit { name: UNIT.to_owned(), action: UnitAction::Restart })?;
        world.note("kubelet.service started");
    }
    Ok(())
}

fn is_there(file: &KubeletFile, world: &World<'_>) -> Result<bool, Problem> {
    let same_mode = world.host().stat(&file.path)?.is_some_and(|found| found.mode & 0o7777 == 0o644);
    Ok(same_mode && world.host().read(&file.path)?.as_deref() == Some(file.text.as_bytes()))
}

fn kubelet_unit(world: &World<'_>) -> Result<UnitState, Problem> {
    let unit = world.host().unit(UNIT)?;
    // Of a system that does not run, only the files can be made ready.
    if unit.exists || world.host().rootfs().is_some() {
        return Ok(unit);
    }
    world.refuse(
        Problem::new("kubelet-unit-missing", "there is no kubelet to start")
            .at(UNIT)
            .why("the init system knows no unit of this name: the kubelet is not installed, or only its binary is")
            .fix("install the package: apt-get install kubelet, or dnf install kubelet")
            .fix("or, where it is installed: systemctl daemon-reload && systemctl cat kubelet"),
    )?;
    Ok(unit)
}

/// A kubelet without configuration fails and is started again and again: it is between two starts then.
fn is_running(unit: &UnitState) -> bool {
    unit.active == "active" || unit.active == "activating"
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
