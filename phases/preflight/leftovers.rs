//! Checks for what another cluster left on this machine. What kubestrap made itself is continued, not refused.

use std::path::Path;

use super::finding::{Finding, Findings, one};
use super::scene::{Role, Scene};
use crate::plan::damage;
use crate::problem::Problem;
use crate::world::FileKind;

/// Manifests of control planes, and kubeconfigs without their CA.
pub(super) fn control_plane_files(scene: &Scene<'_>) -> Findings {
    let layout = &scene.node.layout;
    let mut findings = Vec::new();
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
        findings.push(file(scene, &layout.manifest(component))?);
    }
    // Without its CA beside it, a kubeconfig belongs to another cluster than the one to be made.
    if scene.subject.role == Role::Init && scene.world.host().stat(&layout.certificate("ca.crt"))?.is_none() {
        for file_name in ["admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"]
        {
            findings.push(file(scene, &layout.kubeconfig(file_name))?);
        }
    }
    Ok(findings)
}

pub(super) fn joining_files(scene: &Scene<'_>) -> Findings {
    let layout = &scene.node.layout;
    ["kubelet.conf", "bootstrap-kubelet.conf"].into_iter().map(|name| file(scene, &layout.kubeconfig(name))).collect()
}

pub(super) fn ca_certificate(scene: &Scene<'_>) -> Findings {
    let usual = scene.node.layout.certificate("ca.crt");
    one(file(scene, scene.subject.server.map_or(usual.as_path(), |server| &server.ca_cert_path))?)
}

/// Folders that must be empty: manifests up to 1.20 on a worker, etcd's data on a control-plane node.
pub(super) fn folders(scene: &Scene<'_>) -> Findings {
    let mut findings = Vec::new();
    if scene.subject.role != Role::Init && scene.release.refuses_foreign_manifests() {
        findings.push(manifests(scene)?);
    }
    if let Some(etcd) = scene.local_etcd() {
        findings.push(etcd_data(scene, &etcd.data_dir)?);
    }
    Ok(findings)
}

/// Files in the folder with patches that are no patches.
pub(super) fn ignored_patches(scene: &Scene<'_>) -> Findings {
    let ignored = scene.node.patches.ignored().map(|line| {
        Finding::warning("a file in the folder with patches changes nothing")
            .why(line)
            .fix("rename it, or take it out of the folder")
    });
    let ignored: Vec<Finding> = ignored.collect();
    Ok(if ignored.is_empty() { vec![Finding::fine("every file with patches is one")] } else { ignored })
}

/// Files of ours that lost their content, or that somebody has changed. None of them keeps a run from going on.
pub(super) fn damaged_files(scene: &Scene<'_>) -> Findings {
    let Some(inventory) = &scene.inventory else {
        return one(Finding::needs_root("whether files of kubestrap's are damaged"));
    };
    let damages = damage::look(inventory, scene.world.host())?;
    one(match damage::warning(&damages) {
        Some(problem) => Finding::warning(problem.what).why(problem.why).fix(
            "what has lost its content is written again; look at what was changed, and keep it as a patch (--patches)",
        ),
        None => Finding::fine("files of kubestrap's are as it wrote them"),
    })
}

fn file(scene: &Scene<'_>, path: &Path) -> Result<Finding, Problem> {
    let finding = if scene.world.host().stat(path)?.is_none() {
        Finding::fine(format!("there is no {}", path.display()))
    } else {
        match scene.is_ours(path) {
            None => Finding::needs_root(format!("whether {} is kubestrap's", path.display())),
            Some(true) => Finding::fine(format!("{} was made by kubestrap", path.display())),
            Some(false) => Finding::error(format!("{} is there already", path.display()))
                .why("this machine is, or was, a node of a cluster that kubestrap did not make")
                .fix("take the machine out of its cluster: kubestrap reset"),
        }
    };
    Ok(finding.named(format!("FileAvailable-{}", dashed(path))))
}

fn manifests(scene: &Scene<'_>) -> Result<Finding, Problem> {
    let folder = scene.node.layout.manifests();
    let entries = scene.world.host().list(&folder)?;
    let is_foreign = |path: &Path| scene.inventory.as_ref().is_none_or(|inventory| !inventory.owns(path));
    let finding = if entries.iter().any(|entry| entry.kind == FileKind::File && is_foreign(&entry.path)) {
        Finding::error(format!("{} is not empty", folder.display()))
            .why("the kubelet would start the Pods that lie there")
            .fix("kubestrap reset")
    } else {
        Finding::fine(format!("{} holds no foreign Pods", folder.display()))
    };
    Ok(finding.named(format!("DirAvailable-{}", dashed(&folder))))
}

fn etcd_data(scene: &Scene<'_>, folder: &Path) -> Result<Finding, Problem> {
    let finding = if scene.world.host().list(folder)?.is_empty() {
        Finding::fine(format!("{} is empty", folder.display()))
    } else {
        match scene.inventory.as_ref().map(|inventory| inventory.owns(&scene.node.layout.manifest("etcd"))) {
            None => Finding::needs_root(format!("whether {} is kubestrap's", folder.display())),
            Some(true) => Finding::fine(format!("{} is of our own etcd", folder.display())),
            Some(false) => Finding::error(format!("{} is not empty", folder.display()))
                .why("etcd would go on with the data of another cluster")
                .fix("if nobody needs that data: kubestrap reset")
                .fix(format!("or keep it: mv {0} {0}.old", folder.display())),
        }
    };
    Ok(finding.named(format!("DirAvailable-{}", dashed(folder))))
}

impl Scene<'_> {
    /// The kubelet writes kubelet.conf itself when a join of ours gets that far. `None` where only root can tell.
    fn is_ours(&self, path: &Path) -> Option<bool> {
        let (layout, inventory) = (&self.node.layout, self.inventory.as_ref()?);
        let is_of_kubelet = path == layout.kubeconfig("kubelet.conf") && inventory.owns(&layout.kubelet_config());
        Some(inventory.owns(path) || is_of_kubelet)
    }
}

/// A path as kubeadm's names of checks have it.
pub(super) fn dashed(path: &Path) -> String {
    path.display().to_string().replace('/', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubeadm() {
        assert_eq!(dashed(Path::new("/var/lib/etcd")), "-var-lib-etcd");
        assert_eq!(dashed(Path::new("/etc/kubernetes/manifests/etcd.yaml")), "-etc-kubernetes-manifests-etcd.yaml");
    }
}
