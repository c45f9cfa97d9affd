//! The cluster that a kubeconfig on this node names: its address and CA, for whoever has to be told of it.

use std::path::Path;

use super::text::{Source, parse};
use crate::problem::Problem;
use crate::world::Host;

/// Where a cluster is, and by which CA it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCluster {
    /// `https://host:port`.
    pub server: String,
    /// CA certificates in PEM.
    pub ca_pem: String,
}

/// Reads the current context's cluster of a kubeconfig file.
///
/// # Errors
/// When the file is not there, is no kubeconfig, or names no CA.
pub fn cluster_of(host: &dyn Host, path: &Path) -> Result<KnownCluster, Problem> {
    let unusable = |why: &str| {
        Problem::new("kubeconfig-unusable", "cannot tell where the cluster is")
            .at(path.display().to_string())
            .why(why)
            .fix("kubestrap init phase kubeconfig admin")
    };
    let bytes = host.read(path)?.ok_or_else(|| unusable("there is no such kubeconfig"))?;
    let found = parse(&String::from_utf8_lossy(&bytes)).map_err(|problem| problem.at(path.display().to_string()))?;
    let ca_pem = match found.ca {
        Some(Source::Text(pem)) => pem.reveal().clone(),
        Some(Source::File(file)) => {
            let file = path.parent().unwrap_or(path).join(file);
            let bytes = host.read(&file)?.ok_or_else(|| unusable("the CA certificate that it names is not there"))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        None => return Err(unusable("its cluster has no CA certificate")),
    };
    Ok(KnownCluster { server: found.server, ca_pem })
}
