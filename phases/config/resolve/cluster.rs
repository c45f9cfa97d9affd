//! The cluster out of a draft, be it from file and flags or from the cluster's own ConfigMap: every value is parsed, and
//! what cannot be becomes a finding. Whether values fit together is asked in `checks`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{checks, wire};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::config::{
    Cidr, ClusterConfig, Component, Dns, DnsServer, Etcd, ExternalEtcd, HostPathMount, HostPort, Layout, LocalEtcd,
    Networking, Release, component, is_dns_subdomain,
};
use crate::problem::Problem;
use crate::world::KeyAlgorithm;

/// The cluster that a draft describes, without component configurations. Every value that cannot be used becomes a
/// finding, and its default stands in for it. `bind_port` completes a control-plane endpoint without port.
pub(super) fn build(draft: &Draft, release: Release, bind_port: Option<u16>, findings: &mut Findings) -> ClusterConfig {
    let text = |key, default: &str| draft.text(key).map_or_else(|| default.to_owned(), |(text, _)| text.to_owned());
    let own = |key| draft.text(key).map(|(text, _)| text.to_owned());
    let image_repository = text(Setting::ImageRepository, release.image_repository());
    for key in [Setting::ImageRepository, Setting::EtcdImageRepository, Setting::DnsImageRepository] {
        if let Some((text, origin)) = draft.text(key)
            && !checks::is_image_repository(text)
        {
            let why = format!("{text:?} cannot be followed by /name:tag to name an image");
            findings.wrong(
                "config-bad-image-repository",
                "the image repository cannot be used",
                origin,
                why,
                release.image_repository(),
            );
        }
    }
    let feature_gates = draft.get(Setting::FeatureGates).and_then(|said| said.value.as_object()).into_iter().flatten();
    let feature_gates = feature_gates.filter_map(|(name, on)| Some((name.clone(), on.as_bool()?))).collect();
    let mut cluster = ClusterConfig {
        name: text(Setting::ClusterName, "kubernetes"),
        control_plane_endpoint: control_plane_endpoint(draft, bind_port.unwrap_or(6443), findings),
        certificates_dir: absolute(draft, Setting::CertificatesDir, Layout::CERTIFICATES, findings),
        image_repository,
        use_hyperkube: use_hyperkube(draft, &release, findings),
        networking: networking(draft, findings),
        etcd: etcd(draft, findings),
        api_server: component(
            draft,
            [Setting::ApiServerArgs, Setting::ApiServerVolumes, Setting::ApiServerEnvs],
            findings,
        ),
        api_server_cert_sans: sans(draft, Setting::ApiServerSans, findings),
        controller_manager: component(
            draft,
            [Setting::ControllerManagerArgs, Setting::ControllerManagerVolumes, Setting::ControllerManagerEnvs],
            findings,
        ),
        scheduler: component(
            draft,
            [Setting::SchedulerArgs, Setting::SchedulerVolumes, Setting::SchedulerEnvs],
            findings,
        ),
        dns: Dns {
            server: dns_server(draft, &release, findings),
            image_repository: own(Setting::DnsImageRepository),
            image_tag: own(Setting::DnsImageTag),
            disabled: draft.is_true(Setting::DnsDisabled),
        },
        proxy_disabled: draft.is_true(Setting::ProxyDisabled),
        feature_gates,
        key_algorithm: key_algorithm(draft, findings),
        certificate_validity: duration(draft, Setting::CertificateValidity, hours(8760), findings),
        ca_validity: duration(draft, Setting::CaValidity, hours(87600), findings),
        control_plane_timeout: duration(draft, Setting::ControlPlaneTimeout, Duration::from_secs(240), findings),
        kubelet: Map::new(),
        kubelet_from_user: true,
        kube_proxy: Map::new(),
        kube_proxy_from_user: true,
        release,
    };
    match cluster.feature_gates.get("PublicKeysECDSA") {
        Some(true) => cluster.key_algorithm = KeyAlgorithm::EcdsaP256,
        Some(false) => cluster.key_algorithm = KeyAlgorithm::Rsa2048,
        None => {}
    }
    cluster
}

fn use_hyperkube(draft: &Draft, release: &Release, findings: &mut Findings) -> bool {
    let is_wanted = draft.is_true(Setting::UseHyperKubeImage);
    if is_wanted && !release.has_hyperkube() {
        let origin = draft.origin(Setting::UseHyperKubeImage);
        let why = format!("kubeadm has dropped it in v1.22, and this is {release}");
        findings.wrong("config-bad-hyperkube", "the image hyperkube cannot be used", &origin, why, "false");
    }
    is_wanted
}

fn dns_server(draft: &Draft, release: &Release, findings: &mut Findings) -> DnsServer {
    let Some((name, origin)) = draft.text(Setting::DnsType) else { return DnsServer::default() };
    let known = [DnsServer::CoreDns, DnsServer::KubeDns];
    let server = known.into_iter().find(|server| server.name() == name);
    let why = match server {
        None => format!("{name:?} is none of {}", known.map(DnsServer::name).join(", ")),
        Some(DnsServer::KubeDns) if !release.has_kube_dns() => {
            format!("kubeadm has dropped kube-dns in v1.21, and this is {release}")
        }
        Some(server) => return server,
    };
    findings.wrong("config-bad-dns-type", "the DNS server cannot be used", origin, why, DnsServer::CoreDns.name());
    DnsServer::default()
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn control_plane_endpoint(draft: &Draft, port: u16, findings: &mut Findings) -> Option<HostPort> {
    let (text, origin) = draft.text(Setting::ControlPlaneEndpoint)?;
    let what = ("config-bad-endpoint", "the control-plane endpoint cannot be used");
    findings.keep(HostPort::parse(text, Some(port)), what, origin, "k8s.example.com:6443")
}

fn networking(draft: &Draft, findings: &mut Findings) -> Networking {
    let mut subnets = |key, what: &str, example| {
        let (text, origin) = draft.text(key)?;
        findings.keep(Cidr::parse_list(text), ("config-bad-cidr", what), origin, example)
    };
    let pod_subnets = subnets(Setting::PodSubnet, "the Pod subnet is no network", "10.244.0.0/16").unwrap_or_default();
    let service_subnets = subnets(Setting::ServiceSubnet, "the Service subnet is no network", "10.96.0.0/12")
        .filter(|subnets| !subnets.is_empty())
        .unwrap_or_else(|| vec![Cidr::parse("10.96.0.0/12").expect("the default is a network")]);
    let dns_domain = match draft.text(Setting::DnsDomain) {
        None => "cluster.local".to_owned(),
        Some((domain, origin)) => {
            if !is_dns_subdomain(domain) {
                let why = format!("{domain:?} is not made of lower-case letters, digits, '-' and '.'");
                findings.wrong("config-bad-dns-domain", "the DNS domain cannot be used", origin, why, "cluster.local");
            }
            domain.to_owned()
        }
    };
    Networking { service_subnets, pod_subnets, dns_domain }
}

fn etcd(draft: &Draft, findings: &mut Findings) -> Etcd {
    if !draft.is_true(Setting::EtcdExternal) {
        let own = |key| draft.text(key).map(|(text, _)| text.to_owned());
        return Etcd::Local(LocalEtcd {
            image_repository: own(Setting::EtcdImageRepository),
            image_tag: own(Setting::EtcdImageTag),
            data_dir: absolute(draft, Setting::EtcdDataDir, "/var/lib/etcd", findings),
            component: Component {
                extra_args: args(draft, Setting::EtcdArgs, findings),
                extra_volumes: Vec::new(),
                extra_envs: envs(draft, Setting::EtcdEnvs, findings),
            },
            server_cert_sans: sans(draft, Setting::EtcdServerSans, findings),
            peer_cert_sans: sans(draft, Setting::EtcdPeerSans, findings),
        });
    }
    if draft.is_true(Setting::EtcdLocal) {
        let mut finding = Problem::new("config-two-etcds", "etcd is both local and external")
            .why("exactly one of etcd.local and etcd.external can be")
            .fix("remove etcd.local or etcd.external");
        finding.place = draft.origin(Setting::EtcdExternal).place();
        findings.add(finding);
    }
    let urls = |key| draft.texts(key).0.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let endpoints = urls(Setting::EtcdEndpoints);
    let http_endpoints = Some(urls(Setting::EtcdHttpEndpoints)).filter(|urls| !urls.is_empty());
    let external = ExternalEtcd {
        http_endpoints: http_endpoints.unwrap_or_else(|| endpoints.clone()),
        endpoints,
        ca_file: absolute(draft, Setting::EtcdCaFile, "", findings),
        cert_file: absolute(draft, Setting::EtcdCertFile, "", findings),
        key_file: absolute(draft, Setting::EtcdKeyFile, "", findings),
    };
    checks::external_etcd(&external, draft, findings);
    Etcd::External(external)
}

fn component(draft: &Draft, [args_key, volumes, envs_key]: [Setting; 3], findings: &mut Findings) -> Component {
    let origin = draft.origin(volumes);
    let volume = |item: &Value| {
        let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
        let volume = HostPathMount {
            name: text("name"),
            host_path: text("hostPath"),
            mount_path: text("mountPath"),
            read_only: item["readOnly"] == true,
            path_type: text("pathType"),
        };
        if volume.name.is_empty() || volume.host_path.is_empty() || volume.mount_path.is_empty() {
            let why = "name, hostPath and mountPath are needed for each";
            findings.wrong(
                "config-bad-volume",
                "an additional volume cannot be used",
                &origin,
                why,
                "[{name: a, hostPath: /a, mountPath: /a}]",
            );
        }
        volume
    };
    let extra_volumes = items(draft, volumes).map(volume).collect();
    Component {
        extra_args: args(draft, args_key, findings),
        extra_volumes,
        extra_envs: envs(draft, envs_key, findings),
    }
}

/// The objects of a list; empty when nothing was said.
pub(super) fn items(draft: &Draft, key: Setting) -> impl Iterator<Item = &Value> {
    draft.get(key).and_then(|said| said.value.as_array()).into_iter().flatten()
}

/// Flags of a component as pairs.
pub(super) fn args(draft: &Draft, key: Setting, findings: &mut Findings) -> Vec<(String, String)> {
    let origin = draft.origin(key);
    let text = |arg: &Value, field: &str| arg[field].as_str().unwrap_or_default().to_owned();
    let args: Vec<_> = items(draft, key).map(|arg| (text(arg, "name"), text(arg, "value"))).collect();
    for (name, _) in &args {
        let plain = name.trim_start_matches('-');
        if plain.is_empty() || plain != name || name.contains(['=', ' ']) {
            let why = format!("{name:?} is no name of a flag; it is written without dashes, and its value apart");
            findings.wrong(
                "config-bad-argument",
                "an additional flag cannot be used",
                &origin,
                why,
                "a list of flags such as v: \"4\"",
            );
        }
    }
    args
}

fn envs(draft: &Draft, key: Setting, findings: &mut Findings) -> Vec<Value> {
    let envs: Vec<Value> = items(draft, key).cloned().collect();
    if envs.iter().any(|env| env["name"].as_str().unwrap_or_default().is_empty()) {
        let why = "a variable has no name";
        findings.wrong(
            "config-bad-env",
            "the environment cannot be used",
            &draft.origin(key),
            why,
            "[{name: A, value: b}]",
        );
    }
    envs
}

fn sans(draft: &Draft, key: Setting, findings: &mut Findings) -> Vec<String> {
    let (names, origin) = draft.texts(key);
    let names: Vec<String> = names.into_iter().map(|name| name.trim().to_lowercase()).collect();
    for name in &names {
        if !checks::is_san(name) {
            let why = format!("{name:?} is neither an IP address nor a DNS name");
            findings.wrong(
                "config-bad-san",
                "a name for the certificate cannot be used",
                &origin,
                why,
                "api.example.com",
            );
        }
    }
    names
}

fn key_algorithm(draft: &Draft, findings: &mut Findings) -> KeyAlgorithm {
    let Some((name, origin)) = draft.text(Setting::EncryptionAlgorithm) else { return KeyAlgorithm::default() };
    match wire::ALGORITHMS.iter().find(|(known, _)| *known == name) {
        Some((_, algorithm)) => *algorithm,
        None => {
            let known = wire::ALGORITHMS.map(|(name, _)| name);
            let why = format!("{name:?} is none of {}", known.join(", "));
            let example = crate::nearest(name, known).unwrap_or("RSA-2048");
            findings.wrong("config-bad-algorithm", "the encryption algorithm is not known", origin, why, example);
            KeyAlgorithm::default()
        }
    }
}

/// A duration longer than nothing.
pub(super) fn duration(draft: &Draft, key: Setting, default: Duration, findings: &mut Findings) -> Duration {
    let Some((text, origin)) = draft.text(key) else { return default };
    let what = ("config-bad-duration", "a duration cannot be used");
    let example = crate::config::duration::format_duration(default);
    let positive = parse_duration(text).map_err(|error| error.to_string()).and_then(|duration| {
        if duration.is_zero() { Err(format!("{text:?} is no time at all")) } else { Ok(duration) }
    });
    findings.keep(positive, what, origin, &example).unwrap_or(default)
}

/// An absolute path, or the default (which may be empty).
pub(super) fn absolute(draft: &Draft, key: Setting, default: &str, findings: &mut Findings) -> PathBuf {
    let Some((text, origin)) = draft.text(key) else { return PathBuf::from(default) };
    let path = PathBuf::from(text);
    if !path.is_absolute() {
        let example = if default.is_empty() { format!("/etc/kubernetes/pki/{text}") } else { default.to_owned() };
        findings.wrong(
            "config-bad-path",
            "a path is not absolute",
            origin,
            format!("{text:?} does not begin with /"),
            &example,
        );
    }
    path
}

/// Documents of the components whose shape cannot be theirs.
pub(super) fn check_component(kind: &str, file: &str, user: Option<&Map<String, Value>>, findings: &mut Findings) {
    for path in user.into_iter().flat_map(|user| component::clashes(kind, user)) {
        let origin = Origin::Field { path: path.clone(), file: file.to_owned(), line: None };
        let mut finding = Problem::new("config-wrong-type", format!("{path} has the wrong type"))
            .why(format!("{kind} wants another shape there"))
            .fix(format!("correct {path} in {file}"));
        finding.place = origin.place();
        findings.add(finding);
    }
}
