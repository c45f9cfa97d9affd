//! Checks of proxy variables: what must be reached directly would go through a proxy.
//!
//! The rules of NO_PROXY are those of Go's net/http, which every component of Kubernetes follows.

use std::net::IpAddr;

use super::finding::{Finding, Findings, one, or};
use super::scene::Scene;
use crate::config::{Cidr, HostPort};

/// The address that is advertised, or the API server to join.
pub(super) fn endpoint(scene: &Scene<'_>) -> Findings {
    let Some(proxies) = Proxies::of(&scene.facts.proxies) else {
        return one(Finding::fine("no proxy is set"));
    };
    let targets = match (scene.subject.server, scene.subject.endpoint) {
        (Some(server), _) => vec![server.address.clone()],
        (None, Some(own)) => vec![HostPort::new(own.address.to_string(), own.port)],
        (None, None) => Vec::new(),
    };
    let stable = scene.cluster.control_plane_endpoint.clone();
    let mut through: Vec<Finding> = Vec::new();
    for target in targets.into_iter().chain(stable) {
        let what = format!("connections to {target} would go through the proxy {}", proxies.proxy);
        if proxies.is_used_for(target.host(), target.port()) && through.iter().all(|found| found.problem.what != what) {
            through.push(
                Finding::warning(what)
                    .why("kubelets and the control plane must reach the API server directly")
                    .fix(proxies.without(target.host())),
            );
        }
    }
    or(through, Finding::passed("the proxy leaves the endpoint alone"))
}

/// The first address of each network that Services and Pods get theirs from.
pub(super) fn networks(scene: &Scene<'_>) -> Findings {
    let Some(proxies) = Proxies::of(&scene.facts.proxies) else {
        return one(Finding::fine("no proxy is set"));
    };
    if !scene.knows_cluster() {
        return one(super::runtime::unknown_cluster());
    }
    let networking = &scene.cluster.networking;
    let networks = networking.service_subnets.iter().chain(&networking.pod_subnets);
    let through = networks.filter(|cidr| proxies.is_used_for(&cidr.address(1).to_string(), 443)).map(|cidr| {
        Finding::warning(format!("connections to {cidr} would go through the proxy {}", proxies.proxy))
            .why("Services and Pods live there, and no proxy knows them")
            .fix(proxies.without(&cidr.to_string()))
    });
    or(through.collect(), Finding::passed("the proxy leaves Pods and Services alone"))
}

/// The proxy for https, and what goes past it.
struct Proxies {
    /// Without user and password.
    proxy: String,
    exceptions: String,
}

impl Proxies {
    fn of(variables: &[(String, String)]) -> Option<Self> {
        let value = |names: [&str; 2]| {
            let found = |wanted: &str| variables.iter().find(|(name, _)| name == wanted);
            names.into_iter().find_map(found).map(|(_, value)| value.clone())
        };
        let proxy = value(["HTTPS_PROXY", "https_proxy"])?;
        let exceptions = value(["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let proxy = match proxy.rsplit_once('@') {
            Some((_, host)) => host.to_owned(),
            None => proxy,
        };
        Some(Self { proxy, exceptions })
    }

    fn is_used_for(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return false;
        }
        !self.exceptions.split(',').any(|exception| is_exception(exception.trim(), &host, address, port))
    }

    /// The order that takes a host or network out.
    fn without(&self, target: &str) -> String {
        let before = if self.exceptions.is_empty() { "" } else { "$NO_PROXY," };
        format!("export NO_PROXY={before}{target}, for the kubelet's and the runtime's service too")
    }
}

fn is_exception(exception: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    let exception = exception.to_ascii_lowercase();
    if exception.is_empty() {
        return false;
    }
    if exception == "*" {
        return true;
    }
    if let Ok(cidr) = Cidr::parse(&exception) {
        return address.is_some_and(|address| cidr.contains(address));
    }
    if let Ok(excepted) = exception.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return address == Some(excepted);
    }
    let (name, only_port) = match exception.rsplit_once(':') {
        Some((name, text)) if text.parse::<u16>().is_ok() => (name.to_owned(), text.parse::<u16>().ok()),
        _ => (exception, None),
    };
    if only_port.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(excepted) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return address == Some(excepted);
    }
    if address.is_some() {
        return false;
    }
    // `.example.com` and `*.example.com` are for names below it only.
    let domain = name.strip_prefix('*').unwrap_or(&name);
    match domain.strip_prefix('.') {
        Some(_) => host.ends_with(domain),
        None => host == domain || host.ends_with(&format!(".{domain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_read_as_go_reads_them() {
        for (exceptions, host, port, is_used) in [
            ("", "10.0.0.1", 6443, true),
            ("", "localhost", 6443, false),
            ("", "127.0.0.5", 6443, false),
            ("*", "10.0.0.1", 6443, false),
            ("10.0.0.0/8", "10.0.0.1", 6443, false),
            ("10.0.0.0/8", "11.0.0.1", 6443, true),
            ("10.0.0.0/8", "ten.example.com", 6443, true),
            ("10.0.0.1", "10.0.0.1", 6443, false),
            ("10.0.0.1:443", "10.0.0.1", 6443, true),
            ("fd00::/8", "fd00::1", 6443, false),
            ("fd00::1", "fd00::1", 6443, false),
            ("[fd00::1]:6443", "fd00::1", 6443, false),
            ("example.com", "api.example.com", 6443, false),
            ("example.com", "example.com", 6443, false),
            ("example.com", "badexample.com", 6443, true),
            (".example.com", "example.com", 6443, true),
            ("*.example.com, other", "api.example.com", 6443, false),
            ("example.com:443", "example.com", 6443, true),
            ("EXAMPLE.com:6443", "Example.com", 6443, false),
        ] {
            let variables = [("https_proxy", "http://me:secret@proxy:3128"), ("NO_PROXY", exceptions)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let proxies = Proxies::of(&variables).unwrap();
            assert_eq!(proxies.proxy, "proxy:3128");
            assert_eq!(proxies.is_used_for(host, port), is_used, "{host}:{port} with {exceptions:?}");
        }
    }

    #[test]
    fn a_proxy_for_plain_http_is_none_for_the_api_server() {
        assert!(Proxies::of(&[("HTTP_PROXY".to_owned(), "http://p:1".to_owned())]).is_none());
    }
}
