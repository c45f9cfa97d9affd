//! What is known by name: what kubeadm makes on a node, and what the kubelet makes in its folder.
//!
//! Where the journal tells what is ours, kubeadm's names count for nothing: a CA or key of such a name is then its user's.
//! Without a journal, and without anything that only a node of kubeadm's has, they count for nothing either: that machine
//! is no node, or was reset before.

use std::path::PathBuf;

use crate::config::Reset;
use crate::plan::Inventory;
use crate::problem::Problem;
use crate::world::Host;

const KUBECONFIGS: [&str; 6] = [
    "admin.conf",
    "super-admin.conf",
    "controller-manager.conf",
    "scheduler.conf",
    "bootstrap-kubelet.conf",
    "kubelet.conf",
];
const MANIFESTS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];
const AUTHORITIES: [&str; 3] = ["ca", "front-proxy-ca", "etcd/ca"];
const LEAVES: [&str; 7] = [
    "apiserver",
    "apiserver-kubelet-client",
    "apiserver-etcd-client",
    "front-proxy-client",
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

/// What is removed although no journal lists it.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Files, in the order in which they go: what tells of a node goes last, so that a run that stops is gone on with.
    pub(super) files: Vec<PathBuf>,
    /// Folders with all that is in them.
    pub(super) trees: Vec<PathBuf>,
}

impl Known {
    pub(super) fn of(job: &Reset, inventory: &Inventory, host: &dyn Host) -> Result<Self, Problem> {
        let layout = &job.node.layout;
        let of_kubelet = KUBELET_FILES.map(|name| layout.kubelet().join(name));
        let mut known = Self::default();
        if !is_a_node(job, inventory, host)? {
            return Ok(known);
        }
        if is_kubeadms(job, inventory, host)? {
            let pair = |name: &&str| [format!("{name}.key"), format!("{name}.crt")];
            let shared = AUTHORITIES.iter().flat_map(pair).chain(["sa.key".to_owned(), "sa.pub".to_owned()]);
            known.files.extend(shared.map(|file| job.certificates_dir.join(file)));
            known.files.extend(of_kubelet);
            known.files.extend(signs(job));
        } else {
            known.files.extend(of_kubelet);
        }
        known.trees.extend(KUBELET_TREES.map(|name| layout.kubelet().join(name)));
        for folder in RUNTIME_FOLDERS {
            known.trees.extend(host.list(folder.as_ref())?.into_iter().map(|entry| entry.path));
        }
        known.trees.push(job.etcd_data_dir.join("member"));
        Ok(known)
    }
}

/// Files that only a machine has that is, or was about to be, a node.
fn signs(job: &Reset) -> Vec<PathBuf> {
    let layout = &job.node.layout;
    let pair = |name: &&str| [format!("{name}.key"), format!("{name}.crt")];
    let leaves = LEAVES.iter().flat_map(pair).map(|file| job.certificates_dir.join(file));
    let manifests = MANIFESTS.iter().map(|name| layout.manifest(name));
    leaves.chain(manifests).chain(KUBECONFIGS.map(|name| layout.kubeconfig(name))).collect()
}

fn is_a_node(job: &Reset, inventory: &Inventory, host: &dyn Host) -> Result<bool, Problem> {
    let mut is_node = !inventory.is_empty();
    for sign in signs(job) {
        is_node = is_node || host.stat(&sign)?.is_some();
    }
    Ok(is_node)
}

/// Whether kubeadm made this node, also where kubestrap has made a file or two on it since.
fn is_kubeadms(job: &Reset, inventory: &Inventory, host: &dyn Host) -> Result<bool, Problem> {
    let layout = &job.node.layout;
    let kubeconfig = layout.kubeconfig("kubelet.conf");
    let is_ours = inventory.owns(&kubeconfig) || inventory.owns(&layout.kubelet_config());
    Ok(inventory.is_empty() || !is_ours && host.stat(&kubeconfig)?.is_some())
}
