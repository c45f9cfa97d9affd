//! Checks for what another cluster left on this machine. What kubestrap made itself is continued, not refused.

use std::path::Path;

use super::{Finding, Scene};
use crate::config::Etcd;
use crate::problem::Problem;
use crate::world::FileKind;

pub(super) fn control_plane(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let layout = &scene.node.layout;
    let mut findings = Vec::new();
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
        findings.extend(foreign_file(scene, &layout.manifest(component))?);
    }
    // Without its CA beside it, a kubeconfig belongs to another cluster than the one to be made.
    if scene.world.host().stat(&layout.certificate("ca.crt"))?.is_none() {
        for file in ["admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"] {
            findings.extend(foreign_file(scene, &layout.kubeconfig(file))?);
        }
    }
    if let Etcd::Local(local) = &scene.cluster.etcd {
        findings.extend(etcd_data(scene, &local.data_dir)?);
    }
    Ok(findings)
}

pub(super) fn kubelet(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    for file in ["kubelet.conf", "bootstrap-kubelet.conf"] {
        findings.extend(foreign_file(scene, &scene.node.layout.kubeconfig(file))?);
    }
    Ok(findings)
}

pub(super) fn worker(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let layout = &scene.node.layout;
    let mut findings = kubelet(scene)?;
    findings.extend(foreign_file(scene, &layout.certificate("ca.crt"))?);
    let manifests = layout.manifests();
    let others = scene.world.host().list(&manifests)?;
    if scene.cluster.release.minor() <= 20 && others.iter().any(|entry| entry.kind == FileKind::File) {
        findings.push(
            Finding::error(available("Dir", &manifests), format!("{} is not empty", manifests.display()))
                .why("the kubelet would start the Pods that lie there")
                .fix("kubestrap reset"),
        );
    }
    Ok(findings)
}

fn foreign_file(scene: &Scene<'_>, path: &Path) -> Result<Option<Finding>, Problem> {
    if scene.world.host().stat(path)?.is_none() || scene.is_ours(path) {
        return Ok(None);
    }
    Ok(Some(
        Finding::error(available("File", path), format!("{} is there already", path.display()))
            .why("this machine is, or was, a node of a cluster that kubestrap did not make")
            .fix("take the machine out of its cluster: kubestrap reset"),
    ))
}

fn etcd_data(scene: &Scene<'_>, folder: &Path) -> Result<Option<Finding>, Problem> {
    let is_ours = scene.inventory.owns(&scene.node.layout.manifest("etcd"));
    if is_ours || scene.world.host().list(folder)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        Finding::error(available("Dir", folder), format!("{} is not empty", folder.display()))
            .why("etcd would go on with the data of another cluster")
            .fix("if nobody needs that data: kubestrap reset")
            .fix(format!("or keep it: mv {0} {0}.old", folder.display())),
    ))
}

impl Scene<'_> {
    /// The kubelet writes kubelet.conf itself when a join of ours gets that far.
    fn is_ours(&self, path: &Path) -> bool {
        let layout = &self.node.layout;
        self.inventory.owns(path)
            || (path == layout.kubeconfig("kubelet.conf") && self.inventory.owns(&layout.kubelet_config()))
    }
}

/// kubeadm's name of the check for a path.
fn available(kind: &str, path: &Path) -> String {
    format!("{kind}Available-{}", path.display().to_string().replace('/', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubeadm() {
        assert_eq!(available("Dir", Path::new("/var/lib/etcd")), "DirAvailable--var-lib-etcd");
        assert_eq!(
            available("File", Path::new("/etc/kubernetes/manifests/etcd.yaml")),
            "FileAvailable--etc-kubernetes-manifests-etcd.yaml"
        );
    }
}
