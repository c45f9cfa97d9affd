//! Names of phases that kubeadm has, or had in some release, and this program has not: other words for the same phase. All
//! of them can be run and skipped, so that automation goes on working.

/// A name that kubeadm knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherName {
    /// The workflow.
    pub workflow: &'static str,
    /// The path as kubeadm has it.
    pub path: &'static str,
    /// The path of the phase or group here.
    pub today: &'static str,
}

const fn name(workflow: &'static str, path: &'static str, today: &'static str) -> OtherName {
    OtherName { workflow, path, today }
}

/// All of them.
pub static OTHER_NAMES: [OtherName; 5] = [
    name("init", "bootstraptoken", "bootstrap-token"),
    name("init", "uploadconfig", "upload-config"),
    name("join", "control-plane-join/etcd", "etcd-join"),
    name("reset", "cleanupnode", "cleanup-node"),
    name("reset", "pre-flight", "preflight"),
];

/// The path here of one of kubeadm's in a workflow; a part of a renamed group is found too.
pub(super) fn today(workflow: &str, path: &str) -> Option<String> {
    OTHER_NAMES.iter().filter(|other| other.workflow == workflow).find_map(|other| {
        let rest = path.strip_prefix(other.path).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some(format!("{}{rest}", other.today))
    })
}
