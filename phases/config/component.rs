//! KubeletConfiguration and KubeProxyConfiguration: what kubeadm writes into them, under what the user has set.
//!
//! The templates hold every field that any release writes though it is empty; `releases` says in which a field
//! exists. What kubeadm chooses is filled in where nothing stands.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{ClusterConfig, Layout, Release};
use crate::problem::Problem;
use crate::releases::{FieldSpan, KUBE_PROXY_FIELDS, KUBELET_FIELDS};
use crate::world::Host;
use crate::yaml;

/// Where systemd-resolved keeps the name servers that Pods can reach; `/etc/resolv.conf` names a loopback address then.
const RESOLVED: &str = "/run/systemd/resolve/resolv.conf";

/// `resolvConf` for this host's kubelet; `None` where the kubelet's own default is right.
pub(crate) fn resolv_conf(host: &dyn Host) -> Result<Option<&'static str>, Problem> {
    Ok((host.unit("systemd-resolved.service")?.active == "active").then_some(RESOLVED))
}

/// KubeletConfiguration as the first node stores it.
pub(crate) fn kubelet(cluster: &ClusterConfig, user: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut config = template(include_str!("../../templates/kubelet/config.yaml"), &KUBELET_FIELDS, &cluster.release);
    lay_over(&mut config, user);
    fill_kubelet(&mut config, cluster);
    config
}

/// Fills in what kubeadm chooses, where nothing stands.
pub(crate) fn fill_kubelet(config: &mut Map<String, Value>, cluster: &ClusterConfig) {
    let ca = Layout::new(cluster.certificates_dir.clone()).certificate("ca.crt");
    fill(config, "staticPodPath", json!(Layout::default().manifests()));
    fill(config, "clusterDNS", json!([cluster.networking.dns_address().to_string()]));
    fill(config, "clusterDomain", json!(cluster.networking.dns_domain));
    fill(config, "authentication.x509.clientCAFile", json!(ca.to_string_lossy()));
    fill(config, "authentication.anonymous.enabled", json!(false));
    fill(config, "authentication.webhook.enabled", json!(true));
    fill(config, "authorization.mode", json!("Webhook"));
    fill(config, "healthzBindAddress", json!("127.0.0.1"));
    fill(config, "healthzPort", json!(10248));
    if cluster.release.kubelet_uses_systemd_cgroups() {
        fill(config, "cgroupDriver", json!("systemd"));
    }
    fill_dual_stack(config, cluster);
    config.insert("rotateCertificates".to_owned(), json!(true));
}

/// KubeProxyConfiguration as the first node stores it.
pub(crate) fn kube_proxy(
    cluster: &ClusterConfig,
    advertise: IpAddr,
    user: Option<&Map<String, Value>>,
) -> Map<String, Value> {
    let text = include_str!("../../templates/addon/kube-proxy-config.yaml");
    let mut config = template(text, &KUBE_PROXY_FIELDS, &cluster.release);
    lay_over(&mut config, user);
    fill(&mut config, "bindAddress", json!(if advertise.is_ipv4() { "0.0.0.0" } else { "::" }));
    fill(&mut config, "clusterCIDR", json!(cluster.networking.pod_text()));
    fill(&mut config, "clientConnection.kubeconfig", json!("/var/lib/kube-proxy/kubeconfig.conf"));
    fill_dual_stack(&mut config, cluster);
    config
}

/// kubeadm hands its own gate on to both components, as long as there was such a gate.
fn fill_dual_stack(config: &mut Map<String, Value>, cluster: &ClusterConfig) {
    const GATE: &str = "IPv6DualStack";
    if let Some(enabled) = cluster.feature_gates.get(GATE)
        && cluster.release.has_dual_stack_gate()
    {
        fill(config, &format!("featureGates.{GATE}"), json!(enabled));
    }
}

/// Paths where the user's document has another shape than the component's: an object for a scalar, say.
pub(crate) fn clashes(kind: &str, user: &Map<String, Value>) -> Vec<String> {
    let text = match kind {
        "KubeletConfiguration" => include_str!("../../templates/kubelet/config.yaml"),
        _ => include_str!("../../templates/addon/kube-proxy-config.yaml"),
    };
    let mut found = Vec::new();
    find_clashes(&parsed(text), user, "", &mut found);
    for (path, is_right) in [
        ("clusterDNS", Value::is_array as fn(&Value) -> bool),
        ("clusterDomain", Value::is_string),
        ("clusterCIDR", Value::is_string),
        ("bindAddress", Value::is_string),
        ("staticPodPath", Value::is_string),
        ("cgroupDriver", Value::is_string),
        ("featureGates", Value::is_object),
        ("healthzPort", Value::is_u64),
    ] {
        if user.get(path).is_some_and(|value| !value.is_null() && !is_right(value)) {
            found.push(path.to_owned());
        }
    }
    found
}

fn find_clashes(template: &Map<String, Value>, user: &Map<String, Value>, below: &str, found: &mut Vec<String>) {
    for (name, value) in user {
        let path = if below.is_empty() { name.clone() } else { format!("{below}.{name}") };
        match (template.get(name), value) {
            (Some(Value::Object(template)), Value::Object(user)) => find_clashes(template, user, &path, found),
            (Some(Value::Object(_)), value) if !value.is_null() => found.push(path),
            (Some(Value::String(_)), Value::Object(_) | Value::Array(_) | Value::Bool(_))
            | (Some(Value::Bool(_)), Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Number(_)) => {
                found.push(path);
            }
            _ => {}
        }
    }
}

fn parsed(text: &str) -> Map<String, Value> {
    match yaml::parse(text) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// The template without the fields that the release does not write.
fn template(text: &str, ranges: &[FieldSpan], release: &Release) -> Map<String, Value> {
    let mut config = parsed(text);
    for (path, minors) in ranges {
        if !minors.contains(&release.minor()) {
            remove(&mut config, path);
        }
    }
    config
}

fn remove(config: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => drop(config.remove(path)),
        Some((name, rest)) => {
            if let Some(Value::Object(inner)) = config.get_mut(name) {
                remove(inner, rest);
            }
        }
    }
}

/// Takes over what the user has set, field by field; lists are taken whole, and null means nothing was set.
fn lay_over(config: &mut Map<String, Value>, user: Option<&Map<String, Value>>) {
    for (name, value) in user.into_iter().flatten() {
        match (config.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(inner)), Value::Object(user)) => lay_over(inner, Some(user)),
            _ => drop(config.insert(name.clone(), value.clone())),
        }
    }
}

/// Sets a value where there is none; empty texts and lists count as none.
fn fill(config: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            let is_empty = match config.get(path) {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.is_empty(),
                Some(Value::Array(items)) => items.is_empty(),
                Some(_) => false,
            };
            if is_empty {
                config.insert(path.to_owned(), value);
            }
        }
        Some((name, rest)) => {
            let place = config.entry(name.to_owned()).or_insert(Value::Null);
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            if let Value::Object(inner) = place {
                fill(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_tables_stands_in_its_template() {
        for (text, ranges) in [
            (include_str!("../../templates/kubelet/config.yaml"), KUBELET_FIELDS.as_slice()),
            (include_str!("../../templates/addon/kube-proxy-config.yaml"), KUBE_PROXY_FIELDS.as_slice()),
        ] {
            let config = Value::Object(parsed(text));
            for (path, _) in ranges {
                assert!(config.pointer(&format!("/{}", path.replace('.', "/"))).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn what_the_user_sets_is_laid_over_field_by_field() {
        let mut config = parsed("a: {b: 0s, c: 1}\nd: x\n");
        let user = parsed("a: {b: 5s}\nd: null\ne: [1]\n");
        lay_over(&mut config, Some(&user));
        fill(&mut config, "a.f.g", json!(true));
        fill(&mut config, "d", json!("y"));
        assert_eq!(Value::Object(config), json!({"a": {"b": "5s", "c": 1, "f": {"g": true}}, "d": "x", "e": [1]}));
    }
}
