//! Resolve: from flags, file and host to a job, or all problems at once.

use std::path::PathBuf;
use std::time::Duration;

use super::{BootstrapToken, CaPin, ClusterConfig, HostPort, Init, InitFlags, JoinFlags, NodeConfig, Reset, ResetFlags};
use crate::problem::Problem;
use crate::world::{Clock, Entropy, Host};

/// What `join` knows before it has spoken to anybody.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinRequest {
    /// Where to ask first.
    pub endpoint: HostPort,
    /// Token that signs the cluster-info.
    pub discovery_token: BootstrapToken,
    /// Token for the TLS bootstrap.
    pub tls_bootstrap_token: BootstrapToken,
    /// Public keys one of which the cluster's CA must have.
    pub pins: Vec<CaPin>,
    /// Whether any CA is believed.
    pub unsafe_skip_ca_verification: bool,
    /// How long to look for the cluster-info.
    pub discovery_timeout: Duration,
    /// How long to wait for the kubelet's certificate.
    pub tls_bootstrap_timeout: Duration,
    /// Where the CA certificate goes.
    pub ca_cert_path: PathBuf,
    /// This machine.
    pub node: NodeConfig,
}

/// The job of `init`. Reads the file and the host, draws tokens and the certificate key; changes nothing.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_init(
    _flags: &InitFlags,
    _host: &dyn Host,
    _now: Clock,
    _entropy: &dyn Entropy,
) -> Result<Init, Problem> {
    Err(Problem::new("config-invalid", "not built"))
}

/// What `join` has to ask for. Reads the file and the host; does not speak to the network.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_join(_flags: &JoinFlags, _host: &dyn Host) -> Result<JoinRequest, Problem> {
    Err(Problem::new("config-invalid", "not built"))
}

/// The cluster's own configuration, from the texts of its ConfigMaps: `kubeadm-config` key `ClusterConfiguration`, the
/// kubelet's key `kubelet`, `kube-proxy` key `config.conf` where there is one.
///
/// # Errors
/// One problem with a finding per text that cannot be used.
pub fn cluster_from_config_maps(
    _kubeadm_config: &str,
    _kubelet: &str,
    _kube_proxy: Option<&str>,
) -> Result<ClusterConfig, Problem> {
    Err(Problem::new("config-invalid", "not built"))
}

/// The job of `reset`. Works when the cluster is gone.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_reset(_flags: &ResetFlags, _host: &dyn Host) -> Result<Reset, Problem> {
    Err(Problem::new("config-invalid", "not built"))
}
