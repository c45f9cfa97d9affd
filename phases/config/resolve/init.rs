//! The job of `init`: flags over the file, defaults of the host, and all checks that need no network.

use serde_json::{Map, Value, json};

use super::cluster::{build, check_component};
use super::{INVALID, certificate_key, checks, defaults, node, read_file, tokens};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{ApiEndpoint, ClusterConfig, Init, InitFlags, Layout, NodeConfig, component};
use crate::patches;
use crate::problem::Problem;
use crate::rootless;
use crate::world::{Clock, Entropy, Host};

/// The job of `init`. Reads the file and the host, draws tokens and the certificate key; changes nothing.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake, or why the host could not be read.
pub fn resolve_init(flags: &InitFlags, host: &dyn Host, now: Clock, entropy: &dyn Entropy) -> Result<Init, Problem> {
    let findings = &mut Findings::default();
    // Flags may say all the rest, so a file with component configuration alone will do.
    let wanted = ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"];
    let documents = read_file(flags.config.as_deref(), &wanted, host, findings)?;
    let mut draft = documents.draft;
    lay_flags_over(&mut draft, flags, findings);

    let facts = host.facts()?;
    let release = defaults::release(&draft, host, findings);
    let port = port(&draft, Setting::BindPort, findings);
    let address = defaults::advertise_address(&draft, Setting::AdvertiseAddress, &facts, findings);
    let before = findings.count();
    let mut cluster = build(&draft, release, Some(port), findings);
    disable_skipped_addons(&mut cluster, &draft, flags.phase.as_deref());
    if findings.count() == before {
        checks::networks(&cluster, &draft, findings);
    }
    checks::feature_gates(&cluster, &draft, findings);
    let node = node::node(&draft, &flags.ignore_preflight_errors, &cluster.release, (host, &facts), findings)?;

    let file = flags.config.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    check_component("KubeletConfiguration", &file, documents.kubelet.as_ref(), findings);
    check_component("KubeProxyConfiguration", &file, documents.kube_proxy.as_ref(), findings);
    cluster.kubelet = component::kubelet(&cluster, documents.kubelet.as_ref());
    if !cluster.release.finds_resolv_conf_on_node()
        && !cluster.kubelet.contains_key("resolvConf")
        && let Some(path) = component::resolv_conf(host)?
    {
        cluster.kubelet.insert("resolvConf".to_owned(), json!(path));
    }
    cluster.kubelet_from_user = documents.kubelet.is_some();
    if let Some(address) = address {
        cluster.kube_proxy = component::kube_proxy(&cluster, address, documents.kube_proxy.as_ref());
    }
    cluster.kube_proxy_from_user = documents.kube_proxy.is_some();

    let tokens = tokens::tokens(&draft, flags, (now, entropy), findings);
    let given_key = certificate_key::given(&draft, Setting::CertificateKey, findings);
    let certificate_key = match flags.upload_certs {
        true => {
            certificate_key::check_authorities(&cluster, host, findings)?;
            Some(given_key.unwrap_or_else(|| certificate_key::random(entropy)))
        }
        false => None,
    };
    let node = node.map(|node| NodeConfig { patches: node.patches.of_release(&cluster.release), ..node });
    let accounts = rootless::accounts(&cluster, host)?;
    let node = node.map(|mut node| {
        node.accounts = accounts;
        if let Some(folder) = &flags.kubeconfig_dir {
            node.layout = node.layout.with_kubeconfigs(folder);
        }
        node
    });
    let init = node.zip(address).map(|(node, address)| Init {
        kubeconfig: flags.kubeconfig.clone().unwrap_or_else(|| Layout::default().kubeconfig("admin.conf")),
        cluster,
        node,
        endpoint: ApiEndpoint { address, port },
        tokens,
        certificate_key,
        skip_token_print: flags.skip_token_print,
        skip_certificate_key_print: flags.skip_certificate_key_print,
    });
    if let Some(init) = &init
        && findings.is_empty()
        && !init.node.patches.is_empty()
    {
        patches::check_control_plane(init, findings);
        patches::check_kubelet(&init.cluster, &init.node, findings);
        patches::check_addons(&init.cluster, &init.node.patches, findings);
    }
    std::mem::take(findings).finish(init, INVALID.0, INVALID.1)
}

fn lay_flags_over(draft: &mut Draft, flags: &InitFlags, findings: &mut Findings) {
    for (key, flag, value) in [
        (Setting::AdvertiseAddress, "--apiserver-advertise-address", &flags.apiserver_advertise_address),
        (Setting::CertificatesDir, "--cert-dir", &flags.cert_dir),
        (Setting::CertificateKey, "--certificate-key", &flags.certificate_key),
        (Setting::ControlPlaneEndpoint, "--control-plane-endpoint", &flags.control_plane_endpoint),
        (Setting::CriSocket, "--cri-socket", &flags.cri_socket),
        (Setting::ImageRepository, "--image-repository", &flags.image_repository),
        (Setting::KubernetesVersion, "--kubernetes-version", &flags.kubernetes_version),
        (Setting::NodeName, "--node-name", &flags.node_name),
        (Setting::PatchesDirectory, "--patches", &flags.patches),
        (Setting::PodSubnet, "--pod-network-cidr", &flags.pod_network_cidr),
        (Setting::ServiceSubnet, "--service-cidr", &flags.service_cidr),
        (Setting::DnsDomain, "--service-dns-domain", &flags.service_dns_domain),
    ] {
        draft.say_flag(key, flag, value.clone());
    }
    if !flags.skip_phases.is_empty() {
        draft.say_flag(Setting::SkipPhases, "--skip-phases", Some(flags.skip_phases.clone()));
    }
    draft.say_flag(Setting::BindPort, "--apiserver-bind-port", flags.apiserver_bind_port);
    if !flags.apiserver_cert_extra_sans.is_empty() {
        draft.say_flag(
            Setting::ApiServerSans,
            "--apiserver-cert-extra-sans",
            Some(flags.apiserver_cert_extra_sans.clone()),
        );
    }
    for (key, flag, args) in [
        (Setting::ApiServerArgs, "--apiserver-extra-args", &flags.extra_args.api_server),
        (Setting::ControllerManagerArgs, "--controller-manager-extra-args", &flags.extra_args.controller_manager),
        (Setting::SchedulerArgs, "--scheduler-extra-args", &flags.extra_args.scheduler),
    ] {
        if !args.is_empty() {
            draft.say_flag(key, flag, Some(extra_args(args, flag, findings)));
        }
    }
    say_gates(draft, flags.feature_gates.as_deref(), findings);
}

/// An addon whose phase is left out stays out of the cluster: its configuration says so, and upgrades obey. Also where another
/// phase runs alone, so that phases one by one store the same configuration. Who asks for the addons themselves gets them.
fn disable_skipped_addons(cluster: &mut ClusterConfig, draft: &Draft, phase: Option<&str>) {
    let is_asked_for = phase.and_then(|phase| phase.split('/').next()) == Some("addon");
    if is_asked_for || !cluster.release.can_disable_addons() {
        return;
    }
    let (skipped, _) = draft.texts(Setting::SkipPhases);
    let is_skipped = |addon| skipped.iter().any(|&path| path == "addon" || path == addon);
    cluster.dns.disabled |= is_skipped("addon/coredns");
    cluster.proxy_disabled |= is_skipped("addon/kube-proxy");
}

/// Lays the gates of `--feature-gates` over.
pub(super) fn say_gates(draft: &mut Draft, flag: Option<&str>, findings: &mut Findings) {
    let Some(text) = flag else { return };
    let mut gates = Map::new();
    for gate in text.split(',').map(str::trim).filter(|gate| !gate.is_empty()) {
        match gate.split_once('=').map(|(name, on)| (name.trim(), on.trim().parse::<bool>())) {
            Some((name, Ok(on))) if !name.is_empty() => drop(gates.insert(name.to_owned(), json!(on))),
            _ => findings.wrong(
                "config-bad-gate",
                "a feature gate cannot be read",
                &Origin::Flag("--feature-gates"),
                format!("{gate:?} is not of the form Name=true"),
                "PublicKeysECDSA=true",
            ),
        }
    }
    draft.say_flag(Setting::FeatureGates, "--feature-gates", Some(Value::Object(gates)));
}

/// `name=value` each, in the shape that files have.
fn extra_args(args: &[String], flag: &'static str, findings: &mut Findings) -> Vec<Value> {
    let mut read = Vec::new();
    for arg in args {
        match arg.split_once('=') {
            Some((name, value)) => read.push(json!({"name": name.trim(), "value": value})),
            None => findings.wrong(
                "config-bad-argument",
                "an additional flag cannot be used",
                &Origin::Flag(flag),
                format!("{arg:?} is not of the form name=value"),
                "v=4,profiling=false",
            ),
        }
    }
    read
}

/// A TCP port.
pub(super) fn port(draft: &Draft, key: Setting, findings: &mut Findings) -> u16 {
    const DEFAULT: u16 = 6443;
    let Some(said) = draft.get(key) else { return DEFAULT };
    // A zero counts as not said in Kubernetes' own types; as a flag it is a mistake.
    if said.value == 0 && !matches!(said.origin, Origin::Flag(_)) {
        return DEFAULT;
    }
    let port = said.value.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0);
    let port = port.ok_or_else(|| format!("{} is not between 1 and 65535", said.value));
    findings.keep(port, ("config-bad-port", "the bind port cannot be used"), &said.origin, "6443").unwrap_or(DEFAULT)
}
