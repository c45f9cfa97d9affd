//! The command `preflight`: from flags and file to what is to be checked, then every check. Changes nothing, needs no root.
//!
//! A join without a token is looked at from outside: the machine, and whether the API server is there and keeps the time.
//! What depends on the cluster's own settings is skipped then.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::scene::{Role, Server, Subject, Trust};
use super::{Outcome, inspect};
use crate::config::{
    ApiEndpoint, ClusterConfig, DiscoverBy, HostPort, Init, InitFlags, JoinFlags, JoinWorker, NodeConfig, resolve_init,
    resolve_join,
};
use crate::problem::{Exit, Problem};
use crate::world::{Identity, World};
use crate::{discovery, join};

/// How long the API server is looked for; `join` itself has more patience.
const DISCOVERY_LIMIT: Duration = Duration::from_secs(5);

/// What the command `preflight` is asked.
#[derive(Debug, Clone, Default)]
pub struct LookFlags {
    /// What `init` would be told, `--config` among it.
    pub init: InitFlags,
    /// What `join` would be told, without `--config`; with an endpoint it is a join that is looked at.
    pub join: JoinFlags,
    /// Whether the node that joins shall be a control-plane node.
    pub control_plane: bool,
    /// Credentials of an administrator of the cluster to join.
    pub administrator: Option<PathBuf>,
}

/// Checks what the flags ask for.
///
/// # Errors
/// When flags or file are invalid, or the machine cannot be looked at.
pub fn look(flags: &LookFlags, world: &World<'_>) -> Result<Vec<Outcome>, Problem> {
    let is_join = flags.join.endpoint.is_some() || names_join(flags, world)?;
    if !is_join {
        let job = own(&flags.init, world)?;
        return inspect(&Subject { is_look: true, ..Subject::of_init(&job) }, world);
    }
    let found = if flags.join.token.is_some() || flags.join.discovery_token.is_some() || flags.init.config.is_some() {
        with_token(flags, world)?
    } else {
        from_outside(flags, endpoint(flags)?, Trust::NotAsked, world)?
    };
    let own_endpoint = flags.control_plane.then(|| own_endpoint(flags, world)).transpose()?;
    let subject = Subject {
        role: if flags.control_plane { Role::ControlPlane } else { Role::Worker },
        node: &found.node,
        cluster: &found.cluster,
        endpoint: own_endpoint.as_ref(),
        server: Some(&found.server),
        is_look: true,
    };
    inspect(&subject, world)
}

/// A join as far as it is known.
struct Joining {
    node: NodeConfig,
    cluster: ClusterConfig,
    server: Server,
}

/// Whether the file is for a join, and for nothing else.
fn names_join(flags: &LookFlags, world: &World<'_>) -> Result<bool, Problem> {
    let Some(path) = &flags.init.config else { return Ok(false) };
    let bytes = world.host().read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let has = |kind: &str| text.lines().any(|line| line.strip_prefix("kind:").is_some_and(|rest| rest.trim() == kind));
    Ok(has("JoinConfiguration") && !has("InitConfiguration") && !has("ClusterConfiguration"))
}

/// What `init` would make here.
fn own(flags: &InitFlags, world: &World<'_>) -> Result<Init, Problem> {
    resolve_init(flags, world.host(), world.time().now(), world.entropy())
}

fn endpoint(flags: &LookFlags) -> Result<HostPort, Problem> {
    let text = flags.join.endpoint.as_deref().unwrap_or_default();
    HostPort::parse(text, Some(6443)).map_err(|error| {
        Problem::new("config-bad-endpoint", "the API server's endpoint cannot be used")
            .why(error.to_string())
            .fix("kubestrap preflight --join 10.0.0.1:6443")
            .exit(Exit::Invalid)
    })
}

/// As `join` does it, with what goes wrong on the way as a finding among the others.
fn with_token(flags: &LookFlags, world: &World<'_>) -> Result<Joining, Problem> {
    let mut request =
        resolve_join(&JoinFlags { config: flags.init.config.clone(), ..flags.join.clone() }, world.host())?;
    request.discovery_timeout = request.discovery_timeout.min(DISCOVERY_LIMIT);
    let job = discovery::find(&request, world.cluster(), world.time())
        .and_then(|found| join::read_cluster(&request, found, world.cluster(), world.host()));
    match job {
        Ok(JoinWorker { cluster, node, discovery }) => {
            let job = JoinWorker { cluster, node, discovery };
            let administrator = flags.administrator.clone().map(Identity::Kubeconfig);
            let server = Server { administrator, ..Server::of_join(&job) };
            Ok(Joining { node: job.node, cluster: job.cluster, server })
        }
        Err(problem) => {
            let address = match &request.discovery {
                DiscoverBy::Token(by) => by.endpoint.clone(),
                DiscoverBy::File { cluster, .. } => Server::address_in(&cluster.server),
                // Without the file nobody knows which server is meant.
                DiscoverBy::Url { .. } => return Err(problem),
            };
            let outside = from_outside(flags, address, Trust::Failed(problem), world)?;
            Ok(Joining { node: request.node, ..outside })
        }
    }
}

/// The machine, and an API server that nothing is known of.
fn from_outside(flags: &LookFlags, address: HostPort, trust: Trust, world: &World<'_>) -> Result<Joining, Problem> {
    let Init { node, mut cluster, .. } = own(&without_file(flags), world)?;
    // Whatever these are there, they are not what a new cluster would have.
    cluster.networking.service_subnets.clear();
    cluster.networking.pod_subnets.clear();
    let ca_cert_path = node.layout.certificate("ca.crt");
    let identity = Identity::Anonymous { server: format!("https://{address}"), ca_pem: None };
    let administrator = flags.administrator.clone().map(Identity::Kubeconfig);
    Ok(Joining { node, cluster, server: Server { address, identity, administrator, ca_cert_path, trust } })
}

/// Flags of `init` that mean the same for a node that joins. Its address is not looked for.
fn without_file(flags: &LookFlags) -> InitFlags {
    InitFlags { config: None, ..flags.init.clone() }
}

fn own_endpoint(flags: &LookFlags, world: &World<'_>) -> Result<ApiEndpoint, Problem> {
    let facts = world.host().facts()?;
    let said: Option<IpAddr> = flags.init.apiserver_advertise_address.as_deref().and_then(|text| text.parse().ok());
    match said.or_else(|| facts.default_addresses.first().copied()) {
        Some(address) => Ok(ApiEndpoint { address, port: flags.init.apiserver_bind_port.unwrap_or(6443) }),
        None => Ok(own(&without_file(flags), world)?.endpoint),
    }
}
