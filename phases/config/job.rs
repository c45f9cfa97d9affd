//! Jobs: one command's complete order, one type per command, and what jobs have in common.
//!
//! A job is complete and never changes. What a phase may know stands in its bound: `OnNode`, `InCluster`,
//! `OnControlPlane`, or one job type.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{ApiEndpoint, BootstrapToken, ClusterConfig, Layout, NodeConfig, TokenId};
use crate::world::{HiddenToken, Identity, Secret, UnmountFlag};

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
    /// Who may ask for a certificate.
    pub bootstrap: Bootstrap,
    /// Where the CA certificate goes.
    pub ca_cert_path: PathBuf,
    /// How long to wait for the TLS bootstrap.
    pub tls_bootstrap_timeout: Duration,
}

impl Discovered {
    /// Who joins: the holder of the bootstrap token, or of the credentials in the discovery file.
    pub fn identity(&self) -> Identity {
        self.bootstrap.at(&self.server, &self.ca_pem)
    }
}

/// With what a machine that joins proves that it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bootstrap {
    /// A bootstrap token.
    Token(BootstrapToken),
    /// The token of a discovery file.
    Bearer(Secret<String>),
    /// The client certificate of a discovery file.
    Certificate {
        /// The certificate in PEM.
        certificate: String,
        /// Its key in PEM.
        key: Secret<String>,
    },
}

impl Bootstrap {
    /// The holder, at this server.
    pub fn at(&self, server: &str, ca_pem: &str) -> Identity {
        match self {
            Self::Token(token) => Identity::token(server, ca_pem, token.reveal()),
            Self::Bearer(token) => Identity::token(server, ca_pem, token.reveal().as_str()),
            Self::Certificate { certificate, key } => Identity::Certificate {
                server: server.to_owned(),
                ca_pem: ca_pem.to_owned(),
                certificate: certificate.clone(),
                key: HiddenToken(key.clone()),
            },
        }
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "the token {}", token.id()),
            Self::Bearer(_) => f.write_str("the token of the discovery file"),
            Self::Certificate { .. } => f.write_str("the certificate of the discovery file"),
        }
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
    /// Whether kubeadm's backups in `/etc/kubernetes/tmp` go too.
    pub cleanup_tmp_dir: bool,
    /// How volumes are unmounted.
    pub unmount_flags: Vec<UnmountFlag>,
    /// Whether nobody is asked beforehand.
    pub force: bool,
    /// Things of others, below the folders of kubelet, etcd and kubestrap, that the user wants removed too.
    pub named: Vec<PathBuf>,
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
    /// The tokens to make, at least one.
    pub tokens: Vec<TokenSpec>,
    /// Credentials, and where the cluster is.
    pub kubeconfig: PathBuf,
    /// Whether the whole join command is shown rather than the token alone.
    pub print_join_command: bool,
    /// Key that opens uploaded certificates: the join command is then one for a control-plane node.
    pub certificate_key: Option<Secret<String>>,
}

/// What `token delete` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteTokens {
    /// Which tokens, each once.
    pub ids: Vec<TokenId>,
    /// Credentials.
    pub kubeconfig: PathBuf,
}

/// What `kubeconfig user` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct UserKubeconfig {
    /// The cluster, with the validity that the certificate shall have.
    pub cluster: ClusterConfig,
    /// Where the CA lies.
    pub layout: Layout,
    /// `https://host:port` that the kubeconfig names.
    pub server: String,
    /// Who it is for.
    pub client_name: String,
    /// The user's groups.
    pub organizations: Vec<String>,
    /// A bearer token in place of a certificate.
    pub token: Option<Secret<String>>,
}

/// What `config images` is about.
#[derive(Debug, Clone, PartialEq)]
pub struct NeededImages {
    /// Release of the control plane.
    pub release: super::Release,
    /// References, in kubeadm's order.
    pub references: Vec<String>,
    /// CRI socket of the runtime that is to have them.
    pub cri_socket: String,
    /// Whether one is pulled after the other.
    pub is_serial: bool,
}

/// What `certs renew` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewCerts {
    /// The cluster: its release, its etcd, and which keys and validity it wants.
    pub cluster: ClusterConfig,
    /// Where certificates and kubeconfigs lie.
    pub layout: Layout,
    /// Folder for requests to be signed elsewhere; `None` to sign here.
    pub requests: Option<PathBuf>,
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
    /// Whether it makes the first control-plane node, whose kubelet cannot get its certificate by TLS bootstrap.
    fn is_first(&self) -> bool {
        false
    }
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

    fn is_first(&self) -> bool {
        true
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
