//! Phase `clean-files`: removes what the inventory lists (and puts back what was there before), what the kubelet and our static Pods made at run time, and on
//! nodes made by kubeadm what kubeadm is known to make. Everything else stays and is named in the end.
//!
//! Users and groups that we added go last. A folder goes only when nothing is left in it. Mount points are never crossed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::accounts;
use crate::config::Reset;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, Content, Event, FileKind, World};

/// The phase.
pub struct CleanFiles;

/// What kubeadm, and this program, write below `/etc/kubernetes`.
const KUBECONFIGS: [&str; 6] = [
    "admin.conf",
    "super-admin.conf",
    "kubelet.conf",
    "bootstrap-kubelet.conf",
    "controller-manager.conf",
    "scheduler.conf",
];
const MANIFESTS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
const CERTIFICATES: [&str; 10] = [
    "ca",
    "apiserver",
    "apiserver-kubelet-client",
    "apiserver-etcd-client",
    "front-proxy-ca",
    "front-proxy-client",
    "etcd/ca",
    "etcd/server",
    "etcd/peer",
    "etcd/healthcheck-client",
];

/// What the kubelet makes in its folder. The folder's other content is the user's.
const KUBELET_FILES: [&str; 6] = [
    "config.yaml",
    "kubeadm-flags.env",
    "instance-config.yaml",
    "cpu_manager_state",
    "memory_manager_state",
    ".kubelet-keepalive",
];
const KUBELET_TREES: [&str; 9] = [
    "pods",
    "plugins",
    "plugins_registry",
    "plugin-containers",
    "pod-resources",
    "device-plugins",
    "pki",
    "checkpoints",
    "usernsfs",
];

/// Folders of whose content all is made by the kubelet or older releases of it.
const RUNTIME_FOLDERS: [&str; 4] =
    ["/var/lib/dockershim", "/var/run/kubernetes", "/var/log/pods", "/var/log/containers"];

impl Phase<Reset> for CleanFiles {
    fn name(&self) -> &'static str {
        "clean-files"
    }

    fn about(&self) -> &'static str {
        "removes the files that made this machine a node"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let inventory = world.journal().inventory()?;
        let layout = &job.node.layout;
        let kubelet = layout.kubelet();
        let mut files: BTreeSet<PathBuf> = inventory.files().map(|(path, _)| path.to_owned()).collect();
        // Where the journal knows what is ours, a CA or key that the user has put there is not.
        if inventory.is_empty() {
            files.extend(made_by_kubeadm(job));
        }
        files.extend(KUBELET_FILES.map(|name| kubelet.join(name)));
        let before: BTreeMap<&Path, &(PathBuf, u32)> =
            inventory.files().filter_map(|(path, owned)| Some((path, owned.before.as_ref()?))).collect();
        for path in &files {
            match before.get(path.as_path()) {
                Some((kept, mode)) => put_back(path, kept, *mode, world)?,
                None => remove_file(path, world)?,
            }
        }
        let folders: BTreeSet<&Path> = files.iter().filter_map(|path| path.parent()).collect();
        for folder in folders {
            remove_half_written(folder, world)?;
        }
        let mut trees: Vec<PathBuf> = KUBELET_TREES.iter().map(|name| kubelet.join(name)).collect();
        for folder in RUNTIME_FOLDERS {
            trees.extend(world.host().list(Path::new(folder))?.into_iter().map(|entry| entry.path));
        }
        trees.push(job.etcd_data_dir.join("member"));
        if job.cleanup_tmp_dir {
            trees.push(layout.tmp());
        }
        for path in &trees {
            if world.host().stat(path)?.is_some() {
                world.change(&Change::RemoveTree { path: path.clone() })?;
            }
        }
        let ours: Vec<PathBuf> = inventory.folders().map(Path::to_owned).collect();
        let known = [job.certificates_dir.join("etcd"), job.certificates_dir.clone(), layout.manifests()];
        for folder in ours.iter().chain(&known) {
            remove_if_empty(folder, world)?;
        }
        accounts::remove(&inventory, world)?;
        tell_what_is_left(job, world)
    }
}

fn made_by_kubeadm(job: &Reset) -> Vec<PathBuf> {
    let layout = &job.node.layout;
    let mut files: Vec<PathBuf> = KUBECONFIGS.map(|name| layout.kubeconfig(name)).to_vec();
    files.extend(MANIFESTS.map(|name| layout.manifest(name)));
    for name in CERTIFICATES {
        files.extend([format!("{name}.crt"), format!("{name}.key")].map(|file| job.certificates_dir.join(file)));
    }
    files.extend(["sa.key", "sa.pub"].map(|file| job.certificates_dir.join(file)));
    files
}

/// Replaces our file by what was there before it, so that there is no moment, and no later run, without either.
fn put_back(path: &Path, kept: &Path, mode: u32, world: &World<'_>) -> Result<(), Problem> {
    match world.host().read(kept)? {
        Some(bytes) => world.put_file(path, Content::new(bytes), mode).map(|_| ()),
        None => remove_file(path, world),
    }
}

fn remove_file(path: &Path, world: &World<'_>) -> Result<(), Problem> {
    match world.host().stat(path)? {
        Some(found) if matches!(found.kind, FileKind::File | FileKind::Link) && !found.is_mount_point => {
            world.change(&Change::Remove { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// What a run that was killed left of a file it was writing: `.name.kubestrap-<pid>`. It may hold a key.
fn remove_half_written(folder: &Path, world: &World<'_>) -> Result<(), Problem> {
    for entry in world.host().list(folder)? {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pid = name.strip_prefix('.').and_then(|name| name.rsplit_once(".kubestrap-")).map(|(_, pid)| pid);
        if pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
            world.change(&Change::Remove { path: entry.path })?;
        }
    }
    Ok(())
}

fn remove_if_empty(folder: &Path, world: &World<'_>) -> Result<(), Problem> {
    match world.host().stat(folder)? {
        Some(found)
            if found.kind == FileKind::Folder && !found.is_mount_point && world.host().list(folder)?.is_empty() =>
        {
            world.change(&Change::Remove { path: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

/// What stays in the folders we worked in, so that nobody has to look.
fn tell_what_is_left(job: &Reset, world: &World<'_>) -> Result<(), Problem> {
    let layout = &job.node.layout;
    let mut left = Vec::new();
    for folder in [
        layout.etc().to_owned(),
        layout.manifests(),
        job.certificates_dir.clone(),
        layout.kubelet().to_owned(),
        job.etcd_data_dir.clone(),
    ] {
        for entry in world.host().list(&folder)? {
            let is_looked_at = entry.kind == FileKind::Folder
                && !entry.is_mount_point
                && (entry.path == layout.manifests() || job.certificates_dir.starts_with(&entry.path));
            if !is_looked_at {
                left.push(format!("{}{}", entry.path.display(), if entry.is_mount_point { " (a mount)" } else { "" }));
            }
        }
    }
    if !left.is_empty() {
        let what = format!("not ours, and left in place: {}", left.join(" · "));
        world.tell(Event::Warning(&Problem::new("left-in-place", what)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ResetFlags, resolve_reset};
    use crate::support::Bench;
    use crate::world::Overlay;

    #[test]
    fn backups_of_kubeadm_go_only_where_that_is_wanted() {
        let backup = "/etc/kubernetes/tmp/kubeadm-backup-manifests/etcd.yaml";
        for (is_wanted, stays) in [(false, true), (true, false)] {
            let mut overlay = Overlay::default().with_file(backup, "", 0o600);
            overlay.facts.host_name = "n1".to_owned();
            let bench = Bench::over(overlay);
            let flags = ResetFlags { cleanup_tmp_dir: is_wanted, ..ResetFlags::default() };
            let job = resolve_reset(&flags, &bench.overlay).expect("a job");
            bench.within(|world| CleanFiles.run(&job, world)).expect("cleaned");
            assert_eq!(crate::world::Host::stat(&bench.overlay, Path::new(backup)).expect("looked").is_some(), stays);
        }
    }
}
