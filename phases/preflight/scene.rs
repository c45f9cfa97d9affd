//! What checks look at: who asks for what, and one look at the machine that all checks share.

use std::cell::OnceCell;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{
    ApiEndpoint, ClusterConfig, Etcd, HostPort, Init, JoinControlPlane, JoinWorker, LocalEtcd, NodeConfig, Release,
};
use crate::plan::Inventory;
use crate::problem::Problem;
use crate::releases::Image;
use crate::world::{Command, Facts, HostError, Identity, Output, Probed, Probes, RuntimeStatus, World};

/// What the machine is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The first control-plane node of a new cluster.
    Init,
    /// A further control-plane node.
    ControlPlane,
    /// A worker.
    Worker,
}

/// An API server to join, and who may ask it.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where it is.
    pub address: HostPort,
    /// The one who joins; nobody in particular while there is no token.
    pub identity: Identity,
    /// An administrator of that cluster, where there is one at hand.
    pub administrator: Option<Identity>,
    /// Where the CA certificate goes.
    pub ca_cert_path: PathBuf,
    /// Whether it is the cluster that was meant.
    pub trust: Trust,
}

/// How far a cluster to join is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Trust {
    /// Its CA is verified and its configuration read.
    Verified,
    /// Nobody gave a token to verify it with.
    NotAsked,
    /// Why it could not be verified or read.
    Failed(Problem),
}

/// What is to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What the machine is to become.
    pub role: Role,
    /// This machine.
    pub node: &'a NodeConfig,
    /// The cluster it shall belong to.
    pub cluster: &'a ClusterConfig,
    /// Where its own API server shall listen, on a control-plane node.
    pub endpoint: Option<&'a ApiEndpoint>,
    /// The API server to join, when it joins.
    pub server: Option<&'a Server>,
    /// Whether somebody only looks, and nothing will be changed afterwards.
    pub is_look: bool,
}

impl<'a> Subject<'a> {
    /// A first control-plane node.
    pub fn of_init(job: &'a Init) -> Self {
        Self {
            role: Role::Init,
            node: &job.node,
            cluster: &job.cluster,
            endpoint: Some(&job.endpoint),
            server: None,
            is_look: false,
        }
    }

    /// A worker that knows its cluster.
    pub fn of_worker(job: &'a JoinWorker, server: &'a Server) -> Self {
        let (node, cluster) = (&job.node, &job.cluster);
        Self { role: Role::Worker, node, cluster, endpoint: None, server: Some(server), is_look: false }
    }

    /// A further control-plane node that knows its cluster.
    pub fn of_control_plane(job: &'a JoinControlPlane, server: &'a Server) -> Self {
        Self { role: Role::ControlPlane, endpoint: Some(&job.endpoint), ..Self::of_worker(&job.worker, server) }
    }

    /// The images that this node needs before it starts.
    pub fn images(&self) -> Vec<String> {
        match self.role {
            Role::Init | Role::ControlPlane => Image::of_control_plane(self.cluster),
            Role::Worker => Vec::new(),
        }
    }
}

impl Server {
    /// The server that a join has found.
    pub fn of_join(job: &JoinWorker) -> Self {
        let found = &job.discovery;
        Self {
            address: Self::address_in(&found.server),
            identity: found.identity(),
            administrator: None,
            ca_cert_path: found.ca_cert_path.clone(),
            trust: Trust::Verified,
        }
    }

    /// Host and port of `https://host:port`.
    pub(super) fn address_in(url: &str) -> HostPort {
        let host_port = url.strip_prefix("https://").unwrap_or(url);
        HostPort::parse(host_port, Some(443)).unwrap_or_else(|_| HostPort::new(host_port.to_owned(), 443))
    }
}

/// One look, shared by all checks.
pub(super) struct Scene<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) node: &'a NodeConfig,
    pub(super) cluster: &'a ClusterConfig,
    pub(super) release: &'a Release,
    pub(super) facts: Facts,
    pub(super) runtime: Result<RuntimeStatus, HostError>,
    pub(super) kubelet: Kubelet,
    /// What kubestrap has made here; `None` where only root can tell.
    pub(super) inventory: Option<Inventory>,
    pub(super) probed: Probed,
    pub(super) world: &'a World<'a>,
    /// The Nodes of the cluster to join, or why they cannot be listed; asked for once.
    pub(super) nodes: OnceCell<Result<Vec<Value>, String>>,
}

/// The kubelet that is installed.
pub(super) enum Kubelet {
    Installed(Release),
    /// Why it does not tell its release.
    Unknown(String),
}

impl<'a> Scene<'a> {
    pub(super) fn look(subject: &'a Subject<'a>, world: &'a World<'a>) -> Result<Self, Problem> {
        let facts = world.host().facts()?;
        let inventory = match world.journal().inventory() {
            Ok(inventory) => Some(inventory),
            Err(_) if facts.uid != 0 => None,
            Err(problem) => return Err(problem),
        };
        let runtime = world.host().runtime(&subject.node.cri_socket);
        let probed = world.host().probe(&questions(subject, runtime.as_ref().ok()));
        Ok(Self {
            subject,
            node: subject.node,
            cluster: subject.cluster,
            release: &subject.cluster.release,
            kubelet: kubelet(world)?,
            facts,
            runtime,
            inventory,
            probed,
            world,
            nodes: OnceCell::new(),
        })
    }

    /// Whether the settings of the cluster are its own, and not guessed.
    pub(super) fn knows_cluster(&self) -> bool {
        self.subject.server.is_none_or(|server| server.trust == Trust::Verified)
    }

    /// etcd on this node, where there will be one.
    pub(super) fn local_etcd(&self) -> Option<&'a LocalEtcd> {
        match &self.cluster.etcd {
            Etcd::Local(local) if self.subject.role != Role::Worker => Some(local),
            _ => None,
        }
    }

    /// The host that this node will be reached at, or will reach: its own address, or the API server's.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match (self.subject.server, self.subject.endpoint) {
            (Some(server), _) => server.address.host().parse().ok(),
            (None, Some(endpoint)) => Some(endpoint.address),
            (None, None) => None,
        }
    }

    /// Whether kubestrap has begun to make a node of this machine; also when only root could tell.
    pub(super) fn may_be_a_node(&self) -> bool {
        self.inventory.as_ref().is_none_or(|inventory| inventory.owns(&self.node.layout.kubelet_config()))
    }

    /// A setting of the kubelet's configuration.
    pub(super) fn kubelet_setting(&self, name: &str) -> Option<&Value> {
        self.cluster.kubelet.get(name)
    }

    /// The text of a file, where there is one that can be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = self.world.host().read(Path::new(path)).ok().flatten()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A kernel parameter by its path below `/proc/sys`.
    pub(super) fn sysctl(&self, name: &str) -> Option<&str> {
        self.facts.sysctls.get(name).map(String::as_str)
    }
}

/// Everything that takes time, asked at once.
fn questions(subject: &Subject<'_>, runtime: Option<&RuntimeStatus>) -> Probes {
    let mut probes = Probes { clock: true, ..Probes::default() };
    probes.names.insert(subject.node.name.as_str().to_owned());
    let stable = subject.cluster.control_plane_endpoint.as_ref();
    for host in stable.into_iter().chain(subject.server.map(|server| &server.address)).map(HostPort::host) {
        if host.parse::<IpAddr>().is_err() {
            probes.names.insert(host.to_owned());
        }
    }
    if let Some(server) = subject.server {
        probes.peers.insert((server.address.host().to_owned(), server.address.port()));
    }
    probes.folders.insert(subject.node.layout.kubelet().to_owned());
    probes.folders.insert(super::storage::runtime_root(runtime));
    if let (Etcd::Local(local), true) = (&subject.cluster.etcd, subject.role != Role::Worker) {
        probes.folders.insert(local.data_dir.clone());
        probes.disk = Some(local.data_dir.clone());
    }
    probes
}

/// `Kubernetes v1.20.2`
fn kubelet(world: &World<'_>) -> Result<Kubelet, Problem> {
    let answer = match world.host().ask(&Command::new(&["kubelet", "--version"])) {
        Ok(answer) => answer,
        Err(HostError::Command { source, .. }) => Output { code: 127, stderr: source.to_string(), ..Output::default() },
        Err(error) => return Err(error.into()),
    };
    let release = answer.stdout.trim().strip_prefix("Kubernetes ").and_then(|text| text.parse().ok());
    Ok(match release {
        Some(release) => Kubelet::Installed(release),
        None => Kubelet::Unknown(format!("`kubelet --version` ended with {}: {}", answer.code, answer.stderr.trim())),
    })
}
