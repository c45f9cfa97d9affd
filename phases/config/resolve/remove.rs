//! The jobs that only need a name and an administrator's kubeconfig: `remove`, and how long a drain may take.

use std::path::PathBuf;
use std::time::Duration;

use super::INVALID;
use crate::config::draft::Origin;
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::config::{Layout, NodeName, RemoveFlags, RemoveNode};
use crate::problem::Problem;

/// Long enough for Pods with the usual 30 seconds of grace, several times over.
const DRAIN: Duration = Duration::from_secs(120);

/// The job of `remove`.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake.
pub fn resolve_remove(flags: &RemoveFlags) -> Result<RemoveNode, Problem> {
    let findings = &mut Findings::default();
    let what = ("config-bad-node-name", "the node name cannot be used");
    let target = findings.keep(NodeName::parse(&flags.target), what, &Origin::Flag("NODE"), "node-1");
    let drain_timeout = drain_timeout(flags.drain_timeout.as_deref(), findings);
    let kubeconfig = administrator(flags.kubeconfig.as_ref());
    let job = target.zip(drain_timeout).map(|(target, drain_timeout)| RemoveNode { target, kubeconfig, drain_timeout });
    std::mem::take(findings).finish(job, INVALID.0, INVALID.1)
}

/// How long a drain may take.
pub(super) fn drain_timeout(flag: Option<&str>, findings: &mut Findings) -> Option<Duration> {
    let Some(text) = flag else { return Some(DRAIN) };
    let what = ("config-bad-duration", "the drain timeout cannot be used");
    findings.keep(parse_duration(text), what, &Origin::Flag("--drain-timeout"), "2m0s")
}

/// The kubeconfig that was named, else the administrator's on this node.
pub(super) fn administrator(flag: Option<&PathBuf>) -> PathBuf {
    flag.cloned().unwrap_or_else(|| Layout::default().kubeconfig("admin.conf"))
}
