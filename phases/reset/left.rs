//! The end of reset: what stays on this machine, each thing with the reason, and what was removed although somebody had
//! changed it.
//!
//! One warning whose findings are the list; nothing to say is said by nothing. Looks only.

use std::path::{Path, PathBuf};

use super::mounts::Mounts;
use crate::config::Reset;
use crate::counted;
use crate::problem::Problem;
use crate::world::{Event, FileInfo, FileKind, Host, World};

/// Links that Pod networks make, by name or by the beginning of the name.
const LINKS: [&str; 4] = ["cni0", "kube-bridge", "weave", "vxlan.calico"];
const LINK_PREFIXES: [&str; 3] = ["flannel.", "cilium_", "cali"];

/// Folders of Pod networks, which kubestrap makes none of.
const OF_POD_NETWORKS: [&str; 2] = ["/etc/cni/net.d", "/var/lib/cni"];

/// Tells what stays, and which of the removed files had been changed since they were written.
pub(super) fn tell(job: &Reset, edited: &[PathBuf], world: &World<'_>) -> Result<(), Problem> {
    let host = world.host();
    let mut findings = files(job, host)?;
    findings.extend(mounts(job, host)?);
    findings.extend(of_pod_networks(host)?);
    findings.extend(sandboxes(job, host));
    findings.extend(credentials(host)?);
    if !findings.is_empty() {
        let what = format!("not ours, and left in place: {}", counted(findings.len(), "thing"));
        world.tell(Event::Warning(&Problem::new("left-in-place", what).with_findings(findings)));
    }
    if !edited.is_empty() {
        let why = "kubestrap wrote it, and somebody has changed it since";
        let findings = edited.iter().map(|path| a_finding("edited", path.display().to_string(), why));
        let what = format!("removed although it had been changed: {}", counted(edited.len(), "file"));
        world.tell(Event::Warning(&Problem::new("edited-and-removed", what).with_findings(findings.collect())));
    }
    Ok(())
}

fn a_finding(kind: &str, what: String, why: &str) -> Problem {
    Problem::new(kind, what).why(why)
}

/// What lies in the folders that reset works in.
fn files(job: &Reset, host: &dyn Host) -> Result<Vec<Problem>, Problem> {
    let layout = &job.node.layout;
    let folders = [
        layout.etc().to_owned(),
        layout.manifests(),
        job.certificates_dir.clone(),
        layout.kubelet().to_owned(),
        job.etcd_data_dir.clone(),
    ];
    let leads_on = |entry: &FileInfo| folders.iter().any(|folder| folder.starts_with(&entry.path));
    let mut findings = Vec::new();
    for folder in &folders {
        for entry in host.list(folder)? {
            // Mounts have a list of their own; a folder that is looked into is named by what is in it.
            if !entry.is_mount_point && (entry.kind != FileKind::Folder || !leads_on(&entry)) {
                let kind = if entry.kind == FileKind::Folder { "folder" } else { "file" };
                findings.push(a_finding(kind, entry.path.display().to_string(), reason(job, folder)));
            }
        }
    }
    Ok(findings)
}

fn reason(job: &Reset, folder: &Path) -> &'static str {
    if folder == job.node.layout.kubelet() {
        "neither kubestrap nor the kubelet makes it; it may be data of a user"
    } else if folder == job.etcd_data_dir {
        "it is no data of the etcd that ran here; it may be a backup"
    } else {
        "kubestrap did not make it"
    }
}

fn mounts(job: &Reset, host: &dyn Host) -> Result<Vec<Problem>, Problem> {
    let found = Mounts::look(job, host)?;
    let mut findings = Vec::new();
    for folder in [job.node.layout.etc(), job.node.layout.kubelet(), &job.etcd_data_dir] {
        let resolved = host.resolve(folder)?;
        for mount in found.others.iter().filter(|mount| mount.point.starts_with(&resolved) && mount.point != resolved) {
            let what = format!("{} ({}, {})", mount.point.display(), mount.fs_type, mount.source);
            let why = "a mount that is no volume of a Pod; reset looks into none";
            findings.push(a_finding("mount", what, why));
        }
    }
    Ok(findings)
}

fn of_pod_networks(host: &dyn Host) -> Result<Vec<Problem>, Problem> {
    let mut findings = Vec::new();
    for folder in OF_POD_NETWORKS {
        for entry in host.list(Path::new(folder))? {
            let why = "a Pod network, or another program that uses CNI, made it; kubestrap makes none";
            findings.push(a_finding("cni", entry.path.display().to_string(), why));
        }
    }
    for interface in host.facts()?.interfaces {
        let name = interface.name;
        if LINKS.contains(&name.as_str()) || LINK_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            let why = "the Pod network made it, and kubestrap installs none";
            findings.push(a_finding("link", name.clone(), why).fix(format!("ip link delete {name}")));
        }
    }
    Ok(findings)
}

/// Where the runtime does not answer, that was told before.
fn sandboxes(job: &Reset, host: &dyn Host) -> Vec<Problem> {
    let found = host.runtime(&job.node.cri_socket).map(|status| status.sandboxes).unwrap_or_default();
    let foreign = found.into_iter().filter(|sandbox| !sandbox.is_of_kubelet);
    let name = |namespace: String, name: String| format!("{namespace}/{name}");
    foreign
        .map(|sandbox| {
            a_finding("sandbox", name(sandbox.namespace, sandbox.name), "no kubelet made it; somebody runs it over CRI")
        })
        .collect()
}

fn credentials(host: &dyn Host) -> Result<Vec<Problem>, Problem> {
    const PATH: &str = "/root/.kube/config";
    let is_there = host.stat(Path::new(PATH))?.is_some();
    let why = "a user's own copy of credentials; it may be for another cluster";
    Ok(is_there.then(|| a_finding("kubeconfig", PATH.to_owned(), why)).into_iter().collect())
}
