//! What the command line can say about configuration, one struct per command.
//!
//! The values are as typed; `Draft` keeps them with the name of their flag, over what the file says.

use std::path::PathBuf;

/// Flags of `init`.
#[derive(Debug, Clone, Default)]
pub struct InitFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--apiserver-advertise-address`.
    pub apiserver_advertise_address: Option<String>,
    /// `--apiserver-bind-port`.
    pub apiserver_bind_port: Option<u16>,
    /// `--apiserver-cert-extra-sans`.
    pub apiserver_cert_extra_sans: Vec<String>,
    /// `--cert-dir`.
    pub cert_dir: Option<String>,
    /// `--certificate-key`.
    pub certificate_key: Option<String>,
    /// `--control-plane-endpoint`.
    pub control_plane_endpoint: Option<String>,
    /// `--cri-socket`.
    pub cri_socket: Option<String>,
    /// `--feature-gates`, as `Name=true,Other=false`.
    pub feature_gates: Option<String>,
    /// `--ignore-preflight-errors`.
    pub ignore_preflight_errors: Vec<String>,
    /// `--image-repository`.
    pub image_repository: Option<String>,
    /// `--kubernetes-version`.
    pub kubernetes_version: Option<String>,
    /// `--node-name`.
    pub node_name: Option<String>,
    /// `--patches`.
    pub patches: Option<String>,
    /// `--pod-network-cidr`.
    pub pod_network_cidr: Option<String>,
    /// `--service-cidr`.
    pub service_cidr: Option<String>,
    /// `--service-dns-domain`.
    pub service_dns_domain: Option<String>,
    /// The phase or group that runs alone.
    pub phase: Option<String>,
    /// `--skip-phases`; empty where a phase runs alone.
    pub skip_phases: Vec<String>,
    /// `--token`.
    pub token: Option<String>,
    /// `--token-ttl`.
    pub token_ttl: Option<String>,
    /// `--upload-certs`.
    pub upload_certs: bool,
    /// `--skip-certificate-key-print`.
    pub skip_certificate_key_print: bool,
    /// `--skip-token-print`.
    pub skip_token_print: bool,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--kubeconfig-dir`, of the phases that make kubeconfigs.
    pub kubeconfig_dir: Option<PathBuf>,
    /// `--apiserver-extra-args`, `--controller-manager-extra-args` and `--scheduler-extra-args`, each as `name=value`.
    pub extra_args: ExtraArgs,
}

/// Flags of the components, on the phases that write their manifests; each in place of what the file says.
#[derive(Debug, Clone, Default)]
pub struct ExtraArgs {
    /// Of kube-apiserver.
    pub api_server: Vec<String>,
    /// Of kube-controller-manager.
    pub controller_manager: Vec<String>,
    /// Of kube-scheduler.
    pub scheduler: Vec<String>,
}

/// Flags of `join`.
#[derive(Debug, Clone, Default)]
pub struct JoinFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The argument: `host:port` of the API server.
    pub endpoint: Option<String>,
    /// `--token`: for discovery and TLS bootstrap, where these have none of their own.
    pub token: Option<String>,
    /// `--discovery-file`: a path or an https URL.
    pub discovery_file: Option<String>,
    /// `--discovery-token`.
    pub discovery_token: Option<String>,
    /// `--tls-bootstrap-token`.
    pub tls_bootstrap_token: Option<String>,
    /// `--discovery-token-ca-cert-hash`.
    pub discovery_token_ca_cert_hash: Vec<String>,
    /// `--discovery-token-unsafe-skip-ca-verification`.
    pub discovery_token_unsafe_skip_ca_verification: bool,
    /// `--control-plane`.
    pub control_plane: bool,
    /// `--certificate-key`.
    pub certificate_key: Option<String>,
    /// `--apiserver-advertise-address`.
    pub apiserver_advertise_address: Option<String>,
    /// `--apiserver-bind-port`.
    pub apiserver_bind_port: Option<u16>,
    /// `--cri-socket`.
    pub cri_socket: Option<String>,
    /// `--patches`.
    pub patches: Option<String>,
    /// `--node-name`.
    pub node_name: Option<String>,
    /// `--ignore-preflight-errors`.
    pub ignore_preflight_errors: Vec<String>,
}

/// Flags of `reset`.
#[derive(Debug, Clone, Default)]
pub struct ResetFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--cert-dir`.
    pub cert_dir: Option<String>,
    /// `--cri-socket`.
    pub cri_socket: Option<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--ignore-preflight-errors`.
    pub ignore_preflight_errors: Vec<String>,
    /// `--force`: do not ask before anything is removed.
    pub force: bool,
    /// `--force=PATH`: things of others to remove too.
    pub named: Vec<String>,
    /// `--cleanup-tmp-dir`.
    pub cleanup_tmp_dir: bool,
    /// `--skip-drain`.
    pub skip_drain: bool,
    /// `--drain-timeout`, as Go writes durations.
    pub drain_timeout: Option<String>,
}

/// Flags of `remove`.
#[derive(Debug, Clone, Default)]
pub struct RemoveFlags {
    /// The argument: name of the Node.
    pub target: String,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--drain-timeout`.
    pub drain_timeout: Option<String>,
}

/// Flags of `certs check-expiration` and `certs renew`.
#[derive(Debug, Clone, Default)]
pub struct CertsFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--cert-dir`.
    pub cert_dir: Option<PathBuf>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
}

/// Flags of `token create`.
#[derive(Debug, Clone, Default)]
pub struct TokenFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The argument: the token to make.
    pub token: Option<String>,
    /// `--ttl`.
    pub ttl: Option<String>,
    /// `--description`.
    pub description: Option<String>,
    /// `--usages`.
    pub usages: Vec<String>,
    /// `--groups`.
    pub groups: Vec<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--print-join-command`.
    pub print_join_command: bool,
    /// `--certificate-key`.
    pub certificate_key: Option<String>,
}

/// Flags of `token delete`.
#[derive(Debug, Clone, Default)]
pub struct TokenDeleteFlags {
    /// The arguments: IDs or whole tokens.
    pub tokens: Vec<String>,
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
}

/// Flags of `kubeconfig user`.
#[derive(Debug, Clone, Default)]
pub struct UserKubeconfigFlags {
    /// `--client-name`.
    pub client_name: String,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--org`.
    pub organizations: Vec<String>,
    /// `--token`.
    pub token: Option<String>,
    /// `--validity-period`.
    pub validity_period: Option<String>,
}

/// Flags of `config images list` and `config images pull`.
#[derive(Debug, Clone, Default)]
pub struct ImagesFlags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--cri-socket`, of `pull` alone.
    pub cri_socket: Option<String>,
    /// `--feature-gates`.
    pub feature_gates: Option<String>,
    /// `--image-repository`.
    pub image_repository: Option<String>,
    /// `--kubernetes-version`.
    pub kubernetes_version: Option<String>,
    /// Whether the runtime is to pull them.
    pub pull: bool,
}
