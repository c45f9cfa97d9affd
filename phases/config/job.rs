//! Jobs: one command's complete order, one type per command, and what jobs have in common.
//!
//! A job is complete and never changes. What a phase may know stands in its bound: `OnNode`, `InCluster`,
//! `OnControlPlane`, or one job type.

use std::path::PathBuf;
use std::time::Duration;

use super::{ApiEndpoint, BootstrapToken, ClusterConfig, NodeConfig};
use crate::world::{Identity, Secret};

/// What `init` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// The cluster to be.
    pub cluster: ClusterConfig,
    /// This machine.
    pub node: NodeConfig,
    /// Where its API server listens.
    pub endpoint: ApiEndpoint,
    /// Bootstrap tokens to make.
    pub tokens: Vec<TokenSpec>,
    /// Key that seals uploaded certificates; `None` when they are not uploaded.
    pub certificate_key: Option<Secret<String>>,
    /// Kubeconfig for the phases that talk to the cluster.
    pub kubeconfig: PathBuf,
    /// Whether the join command is printed without the token.
    pub skip_token_print: bool,
    /// Whether the join command is printed without the certificate key.
    pub skip_certificate_key_print: bool,
}

/// A bootstrap token with what it may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpec {
    /// ID and secret.
    pub token: BootstrapToken,
    /// For people.
    pub description: String,
    /// Until when; `None` for ever. Seconds since 1970.
    pub expires: Option<i64>,
    /// `signing`, `authentication`.
    pub usages: Vec<String>,
    /// `system:bootstrappers:…`.
    pub groups: Vec<String>,
}

/// What a worker's `join` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinWorker {
    /// The cluster, as its ConfigMaps say.
    pub cluster: ClusterConfig,
    /// This machine.
    pub node: NodeConfig,
    /// What discovery has found and verified.
    pub discovery: Discovered,
}

/// A trusted cluster: its address, its CA, and who may ask for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// `https://host:port` from the signed cluster-info.
    pub server: String,
    /// CA certificates in PEM.
    pub ca_pem: String,
    /// Token for the TLS bootstrap.
    pub bootstrap: BootstrapToken,
    /// Where the CA certificate goes.
    pub ca_cert_path: PathBuf,
    /// How long to wait for the TLS bootstrap.
    pub tls_bootstrap_timeout: Duration,
}

impl Discovered {
    /// Who joins: the holder of the bootstrap token.
    pub fn identity(&self) -> Identity {
        Identity::token(self.server.clone(), self.ca_pem.clone(), self.bootstrap.reveal())
    }
}

/// What `join --control-plane` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinControlPlane {
    /// The part it shares with a worker.
    pub worker: JoinWorker,
    /// Where its API server listens.
    pub endpoint: ApiEndpoint,
    /// Key that opens uploaded certificates.
    pub certificate_key: Option<Secret<String>>,
}

/// What `reset` has to do; works when the cluster is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Reset {
    /// This machine.
    pub node: NodeConfig,
    /// Certificate folder.
    pub certificates_dir: PathBuf,
    /// etcd's data folder.
    pub etcd_data_dir: PathBuf,
    /// Credentials to try for drain and for deleting the Node, best first.
    pub credentials: Vec<PathBuf>,
    /// How long to wait for Pods to go.
    pub drain_timeout: Duration,
    /// Whether Pods are left where they are.
    pub skip_drain: bool,
}

/// What `remove NODE` has to do, from any machine with an administrator's kubeconfig, for a node that may be gone.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveNode {
    /// The Node to remove.
    pub target: super::NodeName,
    /// Credentials.
    pub kubeconfig: PathBuf,
    /// How long to wait for Pods to go.
    pub drain_timeout: Duration,
}

/// What `token create` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateToken {
    /// The token to make.
    pub token: TokenSpec,
    /// Credentials, and where the cluster is.
    pub kubeconfig: PathBuf,
    /// Whether the whole join command is shown rather than the token alone.
    pub print_join_command: bool,
}

/// Any job on a node.
pub trait OnNode: 'static {
    /// This machine.
    fn node(&self) -> &NodeConfig;
}

/// A job that knows its cluster.
pub trait InCluster: OnNode {
    /// The cluster.
    fn cluster(&self) -> &ClusterConfig;
}

/// A job on a control-plane node.
pub trait OnControlPlane: InCluster {
    /// Where this node's API server listens.
    fn endpoint(&self) -> &ApiEndpoint;
}

macro_rules! on_node {
    ($($job:ty: $($path:ident).+;)*) => { $(impl OnNode for $job { fn node(&self) -> &NodeConfig { &self.$($path).+ } })* };
}

on_node! {
    Init: node;
    JoinWorker: node;
    JoinControlPlane: worker.node;
    Reset: node;
}

impl InCluster for Init {
    fn cluster(&self) -> &ClusterConfig {
        &self.cluster
    }
}

impl InCluster for JoinWorker {
    fn cluster(&self) -> &ClusterConfig {
        &self.cluster
    }
}

impl InCluster for JoinControlPlane {
    fn cluster(&self) -> &ClusterConfig {
        &self.worker.cluster
    }
}

impl OnControlPlane for Init {
    fn endpoint(&self) -> &ApiEndpoint {
        &self.endpoint
    }
}

impl OnControlPlane for JoinControlPlane {
    fn endpoint(&self) -> &ApiEndpoint {
        &self.endpoint
    }
}

/// A job that makes this machine a further node of a cluster.
pub trait Joining: InCluster {
    /// What discovery has found and verified.
    fn discovery(&self) -> &Discovered;
    /// `https://host:port` of the API server that the kubelet talks to.
    fn kubelet_server(&self) -> String;
    /// Whether the kubelet registers its Node with the taints of the configuration.
    fn registers_with_taints(&self) -> bool;
}

impl Joining for JoinWorker {
    fn discovery(&self) -> &Discovered {
        &self.discovery
    }

    fn kubelet_server(&self) -> String {
        self.discovery.server.clone()
    }

    fn registers_with_taints(&self) -> bool {
        true
    }
}

impl Joining for JoinControlPlane {
    fn discovery(&self) -> &Discovered {
        &self.worker.discovery
    }

    fn kubelet_server(&self) -> String {
        if self.worker.cluster.release.kubelet_uses_local_api() {
            self.endpoint.url()
        } else {
            self.worker.discovery.server.clone()
        }
    }

    /// They come with the mark of the control plane.
    fn registers_with_taints(&self) -> bool {
        false
    }
}
