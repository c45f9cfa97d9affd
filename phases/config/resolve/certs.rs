//! The cluster for commands about certificates, where the cluster itself does not tell: from a file, or kubeadm's defaults.

use std::path::Path;

use super::cluster::build;
use super::{INVALID, defaults, read_file};
use crate::config::ClusterConfig;
use crate::config::findings::Findings;
use crate::problem::Problem;
use crate::world::Host;

/// The cluster as a configuration file describes it; without a file, kubeadm's defaults for the installed release.
/// Looks at nothing else of the host, so that a node in any state will do.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake.
pub fn cluster_from_file(config: Option<&Path>, host: &dyn Host) -> Result<ClusterConfig, Problem> {
    let findings = &mut Findings::default();
    let documents = read_file(config, &["ClusterConfiguration", "InitConfiguration"], host, findings)?;
    let release = defaults::release(&documents.draft, host, findings);
    let cluster = build(&documents.draft, release, None, findings);
    std::mem::take(findings).finish(Some(cluster), INVALID.0, INVALID.1)
}
