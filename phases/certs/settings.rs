//! What the commands about certificates have to know of the cluster: from a file, from the cluster, or kubeadm's defaults.
//!
//! Certificates are looked at and renewed exactly when a cluster may be down, so that one that does not answer is told and
//! ends nothing.

use crate::config::{CertsFlags, ClusterConfig, Layout, cluster_from_config_maps, cluster_from_file};
use crate::problem::Problem;
use crate::world::{Cluster, Host, Identity, ObjectRef};

/// The cluster and the paths of its certificates.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster.
    pub cluster: ClusterConfig,
    /// Where its certificates lie.
    pub layout: Layout,
    /// Why kubeadm's defaults stand in for the cluster's own configuration, where they do and that may matter.
    pub warning: Option<Problem>,
}

/// Finds out. With `--config` nobody is asked.
///
/// # Errors
/// When the file cannot be used.
pub fn settings(flags: &CertsFlags, host: &dyn Host, servers: &dyn Cluster) -> Result<Settings, Problem> {
    let (stored, warning) = match &flags.config {
        Some(_) => (None, None),
        None => match stored(flags, host, servers)? {
            Ok(stored) => (stored, None),
            Err(why) => (None, Some(defaults_stand_in(why))),
        },
    };
    let cluster = match stored {
        Some(cluster) => cluster,
        None => cluster_from_file(flags.config.as_deref(), host)?,
    };
    let folder = flags.cert_dir.clone().unwrap_or_else(|| cluster.certificates_dir.clone());
    Ok(Settings { cluster, layout: Layout::new(folder), warning })
}

/// The configuration that the cluster has stored, `None` without credentials to ask for it, or why it cannot be had.
fn stored(
    flags: &CertsFlags,
    host: &dyn Host,
    servers: &dyn Cluster,
) -> Result<Result<Option<ClusterConfig>, String>, Problem> {
    let path = flags.kubeconfig.clone().unwrap_or_else(|| Layout::default().kubeconfig("admin.conf"));
    if host.stat(&path)?.is_none() {
        let missing = format!("there is no kubeconfig {}", path.display());
        return Ok(if flags.kubeconfig.is_some() { Err(missing) } else { Ok(None) });
    }
    let config_map = ObjectRef::new("v1", "ConfigMap", "kube-system", "kubeadm-config");
    let found = match servers.get(&Identity::Kubeconfig(path), &config_map) {
        Ok(found) => found.and_then(|map| map["data"]["ClusterConfiguration"].as_str().map(str::to_owned)),
        Err(error) => return Ok(Err(format!("{error}: {}", error.reason()))),
    };
    let Some(text) = found else { return Ok(Err(format!("the cluster has no {config_map}"))) };
    Ok(cluster_from_config_maps(&text, "{}", None).map(Some).map_err(|problem| problem.to_string()))
}

fn defaults_stand_in(why: String) -> Problem {
    Problem::new("cluster-config-unread", "kubeadm's defaults stand in for the cluster's configuration")
        .why(why)
        .fix("where the cluster differs from them, tell it: --config FILE")
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
