//! Configuration: what a cluster and a node are, parsed; and where it comes from.
//!
//! Split by who owns the truth: `ClusterConfig` belongs to the cluster, `NodeConfig` to this machine, the rest of a job
//! to one run. Files, flags and ConfigMaps become a `Draft`; `resolve` turns it into a job, or all problems at once.

mod asked;
mod component;
pub mod draft;
mod duration;
pub(crate) mod findings;
mod flags;
mod job;
mod layout;
mod print;
mod resolve;
mod types;
mod validate;
pub mod wire;

pub use asked::{Asked, DIGEST};
pub(crate) use component::clashes;
pub use duration::{format_duration, parse_duration};
pub use flags::{
    CertsFlags, ExtraArgs, ImagesFlags, InitFlags, JoinFlags, RemoveFlags, ResetFlags, TokenDeleteFlags, TokenFlags,
    UserKubeconfigFlags,
};
pub use job::{
    Bootstrap, CreateToken, DeleteTokens, Discovered, InCluster, Init, JoinControlPlane, JoinWorker, Joining,
    NeededImages, OnControlPlane, OnNode, RemoveNode, RenewCerts, Reset, TokenSpec, UserKubeconfig,
};
pub use layout::Layout;
pub use print::{ComponentConfig, DefaultsOf, default_documents};
pub use resolve::{
    ControlPlaneRequest, DiscoverBy, JoinRequest, TokenDiscovery, Told, TrustedCluster, asks_for_dry_run,
    cluster_from_config_maps, cluster_from_file, installed_release, read_config_file, resolve_images, resolve_init,
    resolve_join, resolve_remove, resolve_reset, resolve_token, resolve_token_delete, resolve_user_kubeconfig,
};
pub use types::{BootstrapToken, CaPin, Cidr, HostPort, NodeName, ParseError, Release, TokenId, is_dns_subdomain};
pub use validate::{Allowed, Validated, validate};
pub use wire::{MigrateOrder, Migrated, documents_text, encode_cluster_config, encode_cluster_status, migrate, schema};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::patches::Patches;
use crate::rootless::Accounts;
use crate::world::{API_CALL_LIMIT, KeyAlgorithm};

/// What the cluster as a whole is; kept in the ConfigMap `kubeadm-config`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterConfig {
    /// Kubernetes release of the control plane.
    pub release: Release,
    /// Cluster name, `kubernetes` by default.
    pub name: String,
    /// Stable address of all API servers, where there is one.
    pub control_plane_endpoint: Option<HostPort>,
    /// Certificate folder.
    pub certificates_dir: PathBuf,
    /// Registry and path of the images.
    pub image_repository: String,
    /// Whether the image `hyperkube` stands for those of the control plane and of kube-proxy; up to 1.21.
    pub use_hyperkube: bool,
    /// Service and Pod networks, DNS domain.
    pub networking: Networking,
    /// Local or external etcd.
    pub etcd: Etcd,
    /// kube-apiserver.
    pub api_server: Component,
    /// Additional SANs of the API server's certificate.
    pub api_server_cert_sans: Vec<String>,
    /// kube-controller-manager.
    pub controller_manager: Component,
    /// kube-scheduler.
    pub scheduler: Component,
    /// The cluster's DNS.
    pub dns: Dns,
    /// Whether kube-proxy is left out.
    pub proxy_disabled: bool,
    /// kubeadm's feature gates.
    pub feature_gates: BTreeMap<String, bool>,
    /// Kind of the key pairs.
    pub key_algorithm: KeyAlgorithm,
    /// Validity of leaf certificates.
    pub certificate_validity: Duration,
    /// Validity of CA certificates.
    pub ca_validity: Duration,
    /// How long to wait for the control plane.
    pub control_plane_timeout: Duration,
    /// KubeletConfiguration with defaults filled in.
    pub kubelet: Map<String, Value>,
    /// Whether a part of it came from the user (then no hash is stored).
    pub kubelet_from_user: bool,
    /// KubeProxyConfiguration with defaults filled in.
    pub kube_proxy: Map<String, Value>,
    /// Whether a part of it came from the user.
    pub kube_proxy_from_user: bool,
}

/// Networks and names in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networking {
    /// One, or two of different families.
    pub service_subnets: Vec<Cidr>,
    /// None, one, or two of different families.
    pub pod_subnets: Vec<Cidr>,
    /// `cluster.local` by default.
    pub dns_domain: String,
}

impl Networking {
    /// Service subnets as flags and files write them.
    pub fn service_text(&self) -> String {
        join_cidrs(&self.service_subnets)
    }

    /// Pod subnets as flags and files write them; empty when there are none.
    pub fn pod_text(&self) -> String {
        join_cidrs(&self.pod_subnets)
    }

    /// Address of the Service `kubernetes`: index 1 of the first Service subnet.
    pub fn api_service_address(&self) -> IpAddr {
        self.service_subnets[0].address(1)
    }

    /// Address of the cluster's DNS: index 10 of the first Service subnet.
    pub fn dns_address(&self) -> IpAddr {
        self.service_subnets[0].address(10)
    }
}

fn join_cidrs(cidrs: &[Cidr]) -> String {
    cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Where the cluster's data lies.
#[derive(Debug, Clone, PartialEq)]
pub enum Etcd {
    /// A member on each control-plane node.
    Local(LocalEtcd),
    /// Somebody else's.
    External(ExternalEtcd),
}

/// The stacked member.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalEtcd {
    /// Its own image repository, where it differs.
    pub image_repository: Option<String>,
    /// Its own image tag, where it differs.
    pub image_tag: Option<String>,
    /// `/var/lib/etcd` by default.
    pub data_dir: PathBuf,
    /// Flags and environment.
    pub component: Component,
    /// Additional SANs of the server certificate.
    pub server_cert_sans: Vec<String>,
    /// Additional SANs of the peer certificate.
    pub peer_cert_sans: Vec<String>,
}

/// etcd run by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalEtcd {
    /// URLs.
    pub endpoints: Vec<String>,
    /// URLs that answer HTTP beside gRPC, for `/version`; kubeadm knows them from 1.35 on. The endpoints by default.
    pub http_endpoints: Vec<String>,
    /// CA certificate; empty when there is none.
    pub ca_file: PathBuf,
    /// Client certificate; empty when there is none.
    pub cert_file: PathBuf,
    /// Its key; empty when there is none.
    pub key_file: PathBuf,
}

/// What can be set for one static Pod.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Component {
    /// Flags without dashes, in given order; a name may come more than once.
    pub extra_args: Vec<(String, String)>,
    /// Host paths to mount.
    pub extra_volumes: Vec<HostPathMount>,
    /// Environment (core EnvVar objects).
    pub extra_envs: Vec<Value>,
}

/// A host path mounted into a static Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPathMount {
    /// Volume name.
    pub name: String,
    /// Path on the host.
    pub host_path: String,
    /// Path in the container.
    pub mount_path: String,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// HostPath type; empty for none.
    pub path_type: String,
}

/// The cluster's DNS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// What answers.
    pub server: DnsServer,
    /// Its own image repository, where it differs.
    pub image_repository: Option<String>,
    /// Its own image tag, where it differs.
    pub image_tag: Option<String>,
    /// Whether it is left out.
    pub disabled: bool,
}

/// A DNS server that can be the cluster's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsServer {
    /// CoreDNS.
    #[default]
    CoreDns,
    /// kube-dns, in 1.20 only.
    KubeDns,
}

impl DnsServer {
    /// As `dns.type` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoreDns => "CoreDNS",
            Self::KubeDns => "kube-dns",
        }
    }
}

/// What this machine is in the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// Node name.
    pub name: NodeName,
    /// The host's own name, lower case; differs from the node name where the kubelet has to be told.
    pub host_name: String,
    /// CRI socket as given, with or without `unix://`.
    pub cri_socket: String,
    /// Taints as core Taint objects; `None` for the default of the node's role.
    pub taints: Option<Vec<Value>>,
    /// kubelet flags without dashes.
    pub kubelet_extra_args: Vec<(String, String)>,
    /// Preflight errors to take for warnings, lower case; `all` for all of them.
    pub ignore_preflight_errors: Vec<String>,
    /// Whether images are pulled, and when.
    pub image_pull_policy: String,
    /// Whether images are pulled one after the other; kubeadm's default, and here only where a file asks for it.
    pub image_pull_serial: bool,
    /// Phases that the file leaves out, where no flag does.
    pub skip_phases: Vec<String>,
    /// Whether the file asks for a dry run.
    pub is_dry_run: bool,
    /// How long waits may take that are no single phase's own.
    pub timeouts: Timeouts,
    /// Folders with the host's CA certificates that static Pods mount besides /etc/ssl/certs.
    pub ca_folders: Vec<PathBuf>,
    /// What the user changes in manifests and the like.
    pub patches: Patches,
    /// Proxy variables handed on to static Pods.
    pub proxies: Vec<(String, String)>,
    /// Users as whom the control plane runs; `None` for root.
    pub accounts: Option<Accounts>,
    /// Every path on the node.
    pub layout: Layout,
}

/// How long waits may take, as `timeouts` of v1beta4 has it; other waits stand where they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the kubelet to be there (`kubeletHealthCheck`).
    pub kubelet: Duration,
    /// For the API server to take a write or to answer (`kubernetesAPICall`).
    pub api_call: Duration,
    /// For etcd to answer (`etcdAPICall`).
    pub etcd_call: Duration,
}

impl Default for Timeouts {
    /// kubeadm's.
    fn default() -> Self {
        Self { kubelet: Duration::from_secs(240), api_call: API_CALL_LIMIT, etcd_call: Duration::from_secs(120) }
    }
}

/// Address on which this node's API server listens and which it tells others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiEndpoint {
    /// Advertise address.
    pub address: IpAddr,
    /// Bind port.
    pub port: u16,
}

impl ApiEndpoint {
    /// `https://address:port`, an IPv6 address in brackets.
    pub fn url(&self) -> String {
        format!("https://{}", HostPort::new(self.address.to_string(), self.port))
    }
}

impl ClusterConfig {
    /// The URL by which other nodes find the API server: the control-plane endpoint, else this node's own.
    pub fn server_url(&self, endpoint: &ApiEndpoint) -> String {
        match &self.control_plane_endpoint {
            Some(stable) => format!("https://{stable}"),
            None => endpoint.url(),
        }
    }
}
