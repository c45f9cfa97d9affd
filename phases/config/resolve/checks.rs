//! What can be wrong with values that can each be parsed: sizes and overlaps of networks, names, paths, URLs.

use std::net::IpAddr;

use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{Cidr, ClusterConfig, Component, is_dns_subdomain};
use crate::nearest;
use crate::problem::Problem;
use crate::releases::GATES;

/// Service and Pod networks: how many, how large, and apart from each other.
pub(super) fn networks(cluster: &ClusterConfig, draft: &Draft, findings: &mut Findings) {
    let service_origin = draft.origin(Setting::ServiceSubnet);
    let pod_origin = draft.origin(Setting::PodSubnet);
    let (services, pods) = (&cluster.networking.service_subnets, &cluster.networking.pod_subnets);
    for (subnets, what, origin, example) in [
        (services, "the Service subnet", &service_origin, "10.96.0.0/12"),
        (pods, "the Pod subnet", &pod_origin, "10.244.0.0/16"),
    ] {
        let same_family = matches!(subnets.as_slice(), [a, b] if a.is_v4() == b.is_v4());
        if subnets.len() > 2 || same_family {
            let why = format!("{} networks are given; two must be one of IPv4 and one of IPv6", subnets.len());
            findings.wrong("config-bad-cidr", &format!("{what} cannot be used"), origin, why, example);
        }
        let gate = cluster
            .feature_gates
            .get("IPv6DualStack")
            .copied()
            .unwrap_or_else(|| cluster.release.serves_two_families());
        if subnets.len() == 2 && !gate {
            let why = "v1.20 serves two networks only with the feature gate IPv6DualStack";
            findings.wrong("config-bad-cidr", &format!("{what} cannot be used"), origin, why, example);
        }
    }
    for subnet in services {
        let (what, id) = ("the Service subnet cannot be used", "config-bad-cidr");
        if subnet.host_bits() < 4 {
            findings.wrong(id, what, &service_origin, format!("{subnet} has less than 10 addresses"), "10.96.0.0/12");
        } else if subnet.host_bits() > 20 {
            let (longest, example) = if subnet.is_v4() { (12, "10.96.0.0/12") } else { (108, "fd00:96::/108") };
            let why = format!("{subnet} is too large: the prefix must be at least /{longest}");
            findings.wrong(id, what, &service_origin, why, example);
        }
    }
    for subnet in pods {
        pod_subnet(subnet, cluster, &pod_origin, findings);
    }
    for (service, pod) in services.iter().flat_map(|service| pods.iter().map(move |pod| (service, pod))) {
        if service.overlaps(pod) {
            let origin = if pod_origin == Origin::Default { &service_origin } else { &pod_origin };
            let why = format!("Services have {service} ({service_origin}), Pods have {pod} ({pod_origin})");
            let free = ["10.244.0.0/16", "172.24.0.0/16", "fd00:244::/56"];
            let free = free
                .iter()
                .find(|text| Cidr::parse(text).is_ok_and(|net| net.is_v4() == pod.is_v4() && !net.overlaps(service)));
            let example = free.map_or("10.244.0.0/16", |text| text);
            findings.wrong("config-subnets-overlap", "Pod and Service subnets overlap", origin, why, example);
        }
    }
}

fn pod_subnet(subnet: &Cidr, cluster: &ClusterConfig, origin: &Origin, findings: &mut Findings) {
    let (id, what) = ("config-bad-cidr", "the Pod subnet cannot be used");
    let example = if subnet.is_v4() { "10.244.0.0/16" } else { "fd00:244::/56" };
    if subnet.host_bits() < 4 {
        findings.wrong(id, what, origin, format!("{subnet} has less than 14 addresses"), example);
        return;
    }
    let arg = |name: &str| last_value(&cluster.controller_manager, name);
    if arg("allocate-node-cidrs") == Some("false") {
        return;
    }
    let (flag, default) =
        if subnet.is_v4() { ("node-cidr-mask-size-ipv4", 24) } else { ("node-cidr-mask-size-ipv6", 64) };
    let is_single = cluster.networking.pod_subnets.len() == 1;
    let mask = arg(flag).or_else(|| arg("node-cidr-mask-size").filter(|_| is_single));
    let node = match mask.map(str::parse::<u8>) {
        None => default,
        Some(Ok(mask)) if mask <= subnet.prefix() + subnet.host_bits() => mask,
        Some(_) => {
            let why = format!("{flag} or node-cidr-mask-size in controllerManager.extraArgs is no prefix length");
            findings.wrong(id, what, origin, why, example);
            return;
        }
    };
    if subnet.prefix() > node {
        let why = format!("{subnet} is smaller than the /{node} that each node gets of it");
        findings.wrong(id, what, origin, why, example);
    } else if node - subnet.prefix() > 16 {
        let why = format!("{subnet} would be cut into more than 65536 nodes' networks of /{node}");
        findings.wrong(id, what, origin, why, example);
    }
}

fn last_value<'a>(component: &'a Component, name: &str) -> Option<&'a str> {
    component.extra_args.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Feature gates are known in the target release.
pub(super) fn feature_gates(cluster: &ClusterConfig, draft: &Draft, findings: &mut Findings) {
    let minor = cluster.release.minor();
    let known: Vec<&str> = GATES.iter().filter(|gate| gate.is_in(minor)).map(|gate| gate.name).collect();
    let origin = draft.origin(Setting::FeatureGates);
    for name in cluster.feature_gates.keys() {
        if known.contains(&name.as_str()) {
            continue;
        }
        let of_other_release = GATES.iter().find(|gate| gate.name == name);
        let why = match of_other_release {
            Some(gate) if gate.since > minor => format!("it comes with v1.{}, and this is v1.{minor}", gate.since),
            Some(gate) if gate.is_on => {
                format!("v1.{} was the last to have it; what it did is always done since", gate.until)
            }
            Some(gate) => format!("v1.{} was the last to have it", gate.until),
            None => format!("v1.{minor} knows {}", known.join(", ")),
        };
        let fix = match nearest(name, known.iter().copied()).filter(|_| of_other_release.is_none()) {
            Some(known) => format!("write {known} instead of {name}"),
            None => format!("remove {name}"),
        };
        let mut finding = Problem::new("config-unknown-gate", format!("unknown feature gate {name}")).why(why).fix(fix);
        finding.place = origin.place();
        findings.add(finding);
    }
}

/// An additional name of a certificate: address, DNS name, or DNS name with a leading wildcard.
pub(super) fn is_san(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_dns_subdomain(text.strip_prefix("*.").unwrap_or(text))
}

/// Whether a tag can be put behind it to name an image.
pub(super) fn is_image_repository(text: &str) -> bool {
    let mut parts = text.split('/').enumerate();
    parts.all(|(index, part)| {
        let (name, port) = match (index, part.split_once(':')) {
            (0, Some((name, port))) if text.contains('/') => (name, Some(port)),
            _ => (part, None),
        };
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let is_host = |byte: u8| is_plain(byte) || byte.is_ascii_uppercase();
        let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        is_edge(name.as_bytes().first())
            && is_edge(name.as_bytes().last())
            && name.bytes().all(|byte| if index == 0 && text.contains('/') { is_host(byte) } else { is_plain(byte) })
            && port.is_none_or(|port| port.parse::<u16>().is_ok())
    })
}

/// External etcd: endpoints, and files that belong together.
pub(super) fn external_etcd(etcd: &crate::config::ExternalEtcd, draft: &Draft, findings: &mut Findings) {
    let (id, what) = ("config-bad-etcd", "the external etcd cannot be used");
    let origin = draft.origin(Setting::EtcdExternal);
    let endpoints_origin = draft.texts(Setting::EtcdEndpoints).1;
    if etcd.endpoints.is_empty() {
        let mut finding = Problem::new(id, what)
            .why("it has no endpoints")
            .fix("set etcd.external.endpoints, such as: [https://10.0.0.5:2379]");
        finding.place = origin.place();
        findings.add(finding);
    }
    let [ca, cert, key] = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file].map(|file| !file.as_os_str().is_empty());
    for endpoint in &etcd.endpoints {
        let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        let is_reachable =
            rest.is_some_and(|rest| crate::config::HostPort::parse(rest.trim_end_matches('/'), Some(2379)).is_ok());
        let example = "[https://10.0.0.5:2379]";
        if !is_reachable {
            let why = format!("{endpoint:?} is not a URL such as https://10.0.0.5:2379");
            findings.wrong(id, what, &endpoints_origin, why, example);
        } else if (ca || cert || key) && !endpoint.starts_with("https://") {
            let why = format!("{endpoint:?} is not https, though certificates are given");
            findings.wrong(id, what, &endpoints_origin, why, example);
        }
    }
    let http_origin = draft.texts(Setting::EtcdHttpEndpoints).1;
    for endpoint in etcd.http_endpoints.iter().filter(|_| http_origin != Origin::Default) {
        let host = endpoint.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        if host.is_none_or(|host| crate::config::HostPort::parse(host, Some(2379)).is_err()) {
            let why = format!("{endpoint:?} is not a URL such as http://10.0.0.5:2381");
            findings.wrong(id, what, &http_origin, why, "[http://10.0.0.5:2381]");
        }
    }
    if cert != key || (cert && !ca) {
        let mut finding = Problem::new(id, what)
            .why("caFile, certFile and keyFile belong together; only caFile may stand alone")
            .fix("set etcd.external.caFile, certFile and keyFile");
        finding.place = origin.place();
        findings.add(finding);
    }
}
