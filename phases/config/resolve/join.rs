//! What `join` has to know before it has spoken to anybody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cluster::duration;
use super::init::port;
use super::{INVALID, certificate_key, defaults, discovery_file, node, read_file};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{ApiEndpoint, Bootstrap, BootstrapToken, CaPin, HostPort, JoinFlags, NodeConfig};
use crate::problem::Problem;
use crate::world::{Facts, Host, Secret};

/// What `join` knows before it has spoken to anybody.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinRequest {
    /// How the cluster is found and its CA believed.
    pub discovery: DiscoverBy,
    /// How long to look for the cluster-info.
    pub discovery_timeout: Duration,
    /// How long to wait for the kubelet's certificate.
    pub tls_bootstrap_timeout: Duration,
    /// Where the CA certificate goes.
    pub ca_cert_path: PathBuf,
    /// This machine.
    pub node: NodeConfig,
    /// What makes it a control-plane node; `None` for a worker.
    pub control_plane: Option<ControlPlaneRequest>,
}

/// How a cluster is found and its CA believed.
#[derive(Debug, Clone, PartialEq)]
pub enum DiscoverBy {
    /// By a token that has signed the cluster-info, and pins.
    Token(TokenDiscovery),
    /// By a kubeconfig.
    File {
        /// What it says.
        cluster: TrustedCluster,
        /// Token for the TLS bootstrap; counts more than the file's credentials.
        token: Option<BootstrapToken>,
    },
    /// By a kubeconfig that is still to be fetched.
    Url {
        /// `https://…`.
        url: String,
        /// Token for the TLS bootstrap.
        token: Option<BootstrapToken>,
    },
}

/// What discovery by token starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenDiscovery {
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
}

/// What a machine that joins the control plane knows of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlPlaneRequest {
    /// Where its API server will listen.
    pub endpoint: ApiEndpoint,
    /// Key that opens uploaded certificates; `None` where they are copied by hand.
    pub certificate_key: Option<Secret<String>>,
    /// How long to wait for its components, where that was said.
    pub timeout: Option<Duration>,
}

/// What a discovery file says, with everything that it names embedded.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustedCluster {
    /// `https://host:port`.
    pub server: String,
    /// CA certificates in PEM.
    pub ca_pem: String,
    /// Its credentials, where it has any.
    pub credentials: Option<Bootstrap>,
    /// The file or URL, for messages.
    pub place: String,
}

/// The command that prints everything a join needs.
const PRINT_JOIN: &str = "on a control-plane node: kubestrap token create --print-join-command";
const CA_PATH: &str = "/etc/kubernetes/pki/ca.crt";
const FOUR_MINUTES: Duration = Duration::from_secs(240);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// What `join` has to ask for. Reads the file and the host; does not speak to the network.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_join(flags: &JoinFlags, host: &dyn Host) -> Result<JoinRequest, Problem> {
    let findings = &mut Findings::default();
    let mut draft = read_file(flags.config.as_deref(), &["JoinConfiguration"], host, findings)?.draft;
    // What a file that cannot be read would have said is not missing.
    let is_read = findings.is_empty();
    lay_flags_over(&mut draft, flags);
    let facts = host.facts()?;
    let release = defaults::installed_release(host);
    let discovery = match discovery_file::said(&draft, findings) {
        Some((file, origin)) => discovery_file::discovery(file, &origin, &draft, host, findings)?,
        None => by_token(&draft, is_read, findings),
    };
    let discovery_timeout = duration(&draft, Setting::DiscoveryTimeout, FIVE_MINUTES, findings);
    let tls_bootstrap_timeout = duration(&draft, Setting::TlsBootstrapTimeout, FIVE_MINUTES, findings);
    let ca_cert_path = ca_cert_path(&draft, findings);
    let control_plane = control_plane(&draft, &facts, findings);
    let node = node::node(&draft, &flags.ignore_preflight_errors, &release, (host, &facts), findings)?;
    let request = (|| {
        Some(JoinRequest {
            discovery: discovery?,
            discovery_timeout,
            tls_bootstrap_timeout,
            ca_cert_path,
            node: node?,
            control_plane,
        })
    })();
    std::mem::take(findings).finish(request, INVALID.0, INVALID.1)
}

fn lay_flags_over(draft: &mut Draft, flags: &JoinFlags) {
    for (key, flag, value) in [
        (Setting::DiscoveryEndpoint, "HOST:PORT", &flags.endpoint),
        (Setting::DiscoveryToken, "--token", &flags.token),
        (Setting::DiscoveryToken, "--discovery-token", &flags.discovery_token),
        (Setting::TlsBootstrapToken, "--token", &flags.token),
        (Setting::TlsBootstrapToken, "--tls-bootstrap-token", &flags.tls_bootstrap_token),
        (Setting::DiscoveryKubeconfig, "--discovery-file", &flags.discovery_file),
        (Setting::CriSocket, "--cri-socket", &flags.cri_socket),
        (Setting::NodeName, "--node-name", &flags.node_name),
        (Setting::PatchesDirectory, "--patches", &flags.patches),
    ] {
        draft.say_flag(key, flag, value.clone());
    }
    for (key, flag, value) in [
        (Setting::JoinCertificateKey, "--certificate-key", &flags.certificate_key),
        (Setting::JoinAdvertiseAddress, "--apiserver-advertise-address", &flags.apiserver_advertise_address),
    ] {
        draft.say_flag(key, flag, value.clone());
    }
    draft.say_flag(Setting::JoinBindPort, "--apiserver-bind-port", flags.apiserver_bind_port);
    if flags.control_plane {
        draft.say(Setting::ControlPlane, true, Origin::Flag("--control-plane"));
    }
    if !flags.discovery_token_ca_cert_hash.is_empty() {
        let pins = flags.discovery_token_ca_cert_hash.clone();
        draft.say(Setting::CaPins, pins, Origin::Flag("--discovery-token-ca-cert-hash"));
    }
    if flags.discovery_token_unsafe_skip_ca_verification {
        draft.say(
            Setting::UnsafeSkipCaVerification,
            true,
            Origin::Flag("--discovery-token-unsafe-skip-ca-verification"),
        );
    }
}

fn by_token(draft: &Draft, is_read: bool, findings: &mut Findings) -> Option<DiscoverBy> {
    let endpoint = endpoint(draft, findings);
    let (discovery_token, tls_bootstrap_token) = tokens(draft, findings);
    let unsafe_skip_ca_verification = draft.is_true(Setting::UnsafeSkipCaVerification);
    let pins = pins(draft, findings);
    if is_read {
        find_missing(draft, findings);
    }
    Some(DiscoverBy::Token(TokenDiscovery {
        endpoint: endpoint?,
        discovery_token: discovery_token?,
        tls_bootstrap_token: tls_bootstrap_token?,
        pins,
        unsafe_skip_ca_verification,
    }))
}

/// Without endpoint, token, and something that tells the right CA, there is nothing to join.
fn find_missing(draft: &Draft, findings: &mut Findings) {
    if draft.text(Setting::DiscoveryEndpoint).is_none() {
        findings.add(
            Problem::new("config-missing-endpoint", "the API server to join is not named")
                .why("neither the argument HOST:PORT nor discovery.bootstrapToken.apiServerEndpoint is given")
                .fix(PRINT_JOIN)
                .fix("kubestrap join HOST:6443 --token … --discovery-token-ca-cert-hash …"),
        );
    }
    if draft.text(Setting::DiscoveryToken).is_none() {
        findings.add(
            Problem::new("config-missing-token", "there is no token to join with")
                .why("neither --token nor discovery.bootstrapToken.token is given")
                .fix(PRINT_JOIN),
        );
    }
    if draft.texts(Setting::CaPins).0.is_empty() && !draft.is_true(Setting::UnsafeSkipCaVerification) {
        findings.add(
            Problem::new("config-missing-ca-pin", "nothing tells which cluster CA to trust")
                .why("without the hash of the CA's public key anybody who answers could pose as the cluster")
                .fix(PRINT_JOIN)
                .fix(
                    "on a control-plane node: openssl x509 -pubkey -in /etc/kubernetes/pki/ca.crt | openssl pkey \
                     -pubin -outform der | sha256sum",
                )
                .fix("--discovery-token-unsafe-skip-ca-verification, where the network can be trusted"),
        );
    }
}

/// What makes the machine a control-plane node. Whoever says something about one without asking for one has most likely
/// forgotten the flag, and would find a worker.
fn control_plane(draft: &Draft, facts: &Facts, findings: &mut Findings) -> Option<ControlPlaneRequest> {
    if !draft.is_true(Setting::ControlPlane) {
        for key in [Setting::JoinCertificateKey, Setting::JoinAdvertiseAddress, Setting::JoinBindPort] {
            if let Origin::Flag(flag) = draft.origin(key) {
                findings.add(
                    Problem::new("config-needs-control-plane", format!("{flag} is for control-plane nodes only"))
                        .at(flag)
                        .why("without --control-plane this machine becomes a worker")
                        .fix("--control-plane")
                        .fix(format!("or leave {flag} out, for a worker")),
                );
            }
        }
        return None;
    }
    let certificate_key = certificate_key::given(draft, Setting::JoinCertificateKey, findings);
    let port = port(draft, Setting::JoinBindPort, findings);
    let timeout = draft.text(Setting::ControlPlaneTimeout).is_some();
    let timeout = timeout.then(|| duration(draft, Setting::ControlPlaneTimeout, FOUR_MINUTES, findings));
    let address = defaults::advertise_address(draft, Setting::JoinAdvertiseAddress, facts, findings)?;
    Some(ControlPlaneRequest { endpoint: ApiEndpoint { address, port }, certificate_key, timeout })
}

fn endpoint(draft: &Draft, findings: &mut Findings) -> Option<HostPort> {
    let (text, origin) = draft.text(Setting::DiscoveryEndpoint)?;
    let example = match HostPort::parse(text, Some(6443)) {
        Ok(with_port) => with_port.to_string(),
        Err(_) => "10.0.0.1:6443".to_owned(),
    };
    let what = ("config-bad-endpoint", "the API server's endpoint cannot be used");
    let parsed = HostPort::parse(text, None).map_err(|_| format!("{text:?} is not of the form host:port"));
    findings.keep(parsed, what, origin, &example)
}

/// A token; `Some(None)` beside a finding when it is none.
pub(super) fn token(draft: &Draft, key: Setting, findings: &mut Findings) -> Option<Option<BootstrapToken>> {
    let (text, origin) = draft.text(key)?;
    let parsed = BootstrapToken::parse(text);
    if parsed.is_err() {
        let mut finding = Problem::new("config-bad-token", "a bootstrap token cannot be used")
            .why("it must have 6 characters, a dot and 16 characters, all of a-z and 0-9")
            .fix(PRINT_JOIN);
        finding.place = origin.place();
        findings.add(finding);
    }
    Some(parsed.ok())
}

/// Tokens for discovery and for the TLS bootstrap; the second is the first where it was not given.
fn tokens(draft: &Draft, findings: &mut Findings) -> (Option<BootstrapToken>, Option<BootstrapToken>) {
    let mut parse = |key| token(draft, key, findings);
    let (discovery, bootstrap) = (parse(Setting::DiscoveryToken), parse(Setting::TlsBootstrapToken));
    let discovery = discovery.flatten();
    let bootstrap = bootstrap.unwrap_or_else(|| discovery.clone());
    (discovery, bootstrap)
}

fn pins(draft: &Draft, findings: &mut Findings) -> Vec<CaPin> {
    let (texts, origin) = draft.texts(Setting::CaPins);
    let mut pins = Vec::new();
    for text in texts {
        match CaPin::parse(text) {
            Ok(pin) => pins.push(pin),
            Err(error) => {
                let mut finding = Problem::new("config-bad-ca-pin", "the hash of the CA's public key cannot be used")
                    .why(error.to_string())
                    .fix(PRINT_JOIN);
                finding.place = origin.place();
                findings.add(finding);
            }
        }
    }
    pins
}

fn ca_cert_path(draft: &Draft, findings: &mut Findings) -> PathBuf {
    let Some((text, origin)) = draft.text(Setting::CaCertPath) else { return PathBuf::from(CA_PATH) };
    let path = Path::new(text);
    if !path.is_absolute() || path.extension().is_none_or(|end| end != "crt") {
        let why = format!("{text:?} is not an absolute path that ends in .crt");
        findings.wrong("config-bad-path", "the path of the CA certificate cannot be used", origin, why, CA_PATH);
    }
    path.to_owned()
}
