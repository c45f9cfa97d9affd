//! Names of phases that kubeadm has, or had in some release, and this program has not: other words for the same phase,
//! and phases with nothing left to do. All of them can be run and skipped, so that automation goes on working.

/// What a name stands for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The phase or group of this path.
    Is(&'static str),
    /// Nothing is to be done, and why.
    Nothing(&'static str),
}

/// A name that kubeadm knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherName {
    /// The workflow.
    pub workflow: &'static str,
    /// The path as kubeadm has it.
    pub path: &'static str,
    /// What it stands for.
    pub fate: Fate,
}

const fn name(workflow: &'static str, path: &'static str, fate: Fate) -> OtherName {
    OtherName { workflow, path, fate }
}

const NO_STATUS: Fate = Fate::Nothing("Kubernetes 1.22 and later keep no list of API servers in kubeadm-config");

/// All of them.
pub static OTHER_NAMES: [OtherName; 6] = [
    name("init", "bootstraptoken", Fate::Is("bootstrap-token")),
    name("init", "uploadconfig", Fate::Is("upload-config")),
    name("join", "control-plane-join/etcd", Fate::Is("etcd-join")),
    name("reset", "cleanupnode", Fate::Is("cleanup-node")),
    name("reset", "pre-flight", Fate::Is("preflight")),
    name("reset", "update-cluster-status", NO_STATUS),
];

/// What a path of kubeadm's stands for in a workflow; a part of a renamed group is found too.
pub(super) fn fate(workflow: &str, path: &str) -> Option<(Fate, String)> {
    OTHER_NAMES.iter().filter(|other| other.workflow == workflow).find_map(|other| {
        let rest = path.strip_prefix(other.path).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        match other.fate {
            Fate::Is(today) => Some((other.fate, format!("{today}{rest}"))),
            Fate::Nothing(_) => rest.is_empty().then(|| (other.fate, path.to_owned())),
        }
    })
}
