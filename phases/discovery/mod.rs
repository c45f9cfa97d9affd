//! Discovery: from an endpoint and a token, or from a kubeconfig, to a trusted CA and the cluster's configuration.
//!
//! Resolving `join` calls `find`, which only reads. The phase `discovery` writes what was found.

pub(crate) mod file;
#[cfg(test)]
mod file_tests;
pub mod jws;
mod phase;
#[cfg(test)]
mod tests;
mod token;

pub use phase::Discovery;

use crate::config::{Bootstrap, DiscoverBy, Discovered, JoinRequest};
use crate::problem::Problem;
use crate::world::{Cluster, Time};

/// What either way of discovery finds.
struct Found {
    server: String,
    ca_pem: String,
    bootstrap: Bootstrap,
}

/// Finds the cluster to join.
///
/// # Errors
/// One problem for each way to fail; see `token` and `file`.
pub fn find(request: &JoinRequest, cluster: &dyn Cluster, time: &dyn Time) -> Result<Discovered, Problem> {
    let (within, ports) = (request.discovery_timeout, (cluster, time));
    let found = match &request.discovery {
        DiscoverBy::Token(by_token) => token::find(by_token, within, ports)?,
        DiscoverBy::File { cluster, token } => file::find(cluster, token.as_ref(), within, ports)?,
        DiscoverBy::Url { url, token } => file::find(&file::fetch(url, cluster)?, token.as_ref(), within, ports)?,
    };
    Ok(Discovered {
        server: found.server,
        ca_pem: found.ca_pem,
        bootstrap: found.bootstrap,
        ca_cert_path: request.ca_cert_path.clone(),
        tls_bootstrap_timeout: request.tls_bootstrap_timeout,
    })
}
