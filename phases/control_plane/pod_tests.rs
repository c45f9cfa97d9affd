//! Static Pods beyond the golden files: templates, flag rules, IPv6, external etcd and CA, environment.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use super::super::{apiserver, controller_manager, scheduler};
use super::*;
use crate::config::{Etcd, ExternalEtcd, Init, OnControlPlane};
use crate::etcd::local::{self, Member};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init, join_control_plane};

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/static-pods/", $name, ".yaml")))
    };
}

const TEMPLATES: [(&str, &str); 4] =
    [template!("etcd"), template!("kube-apiserver"), template!("kube-controller-manager"), template!("kube-scheduler")];

/// What code sets for a component, on this Pod.
fn filled(component: &str, job: &Init, pod: Pod) -> Value {
    let pod = StaticPod::from_pod(pod, &job.cluster.release);
    let Etcd::Local(etcd) = &job.cluster.etcd else { panic!("etcd is local here") };
    let filled = match component {
        "etcd" => local::fill(pod, job, etcd, &[]),
        "kube-apiserver" => apiserver::fill(pod, job),
        "kube-controller-manager" => controller_manager::fill(pod, job, false),
        _ => scheduler::fill(pod, job),
    };
    filled.unwrap().value(&Component::default())
}

/// Paths of all values; flags, mounts and volumes by their names instead of their places.
fn leaves(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(&format!("{path}.{key}"), value, found)),
        Value::Array(list) if path.ends_with("containers") => leaves(path, &list[0], found),
        Value::Array(list) => list.iter().for_each(|item| {
            let name = item.get("name").unwrap_or(item).to_string();
            found.insert(format!("{path}[{}]", name.split('=').next().unwrap()));
        }),
        Value::Null => {}
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn flag(manifest: &str, name: &str) -> Option<String> {
    let start = format!("- --{name}=");
    let mut lines = manifest.lines().map(|line| line.trim().replace(['"', '\''], ""));
    lines.find_map(|line| line.strip_prefix(&start).map(str::to_owned))
}

fn api_server(job: &dyn OnControlPlane) -> String {
    apiserver::manifest(job).unwrap()
}

fn etcd(job: &dyn OnControlPlane, members: &[Member]) -> String {
    let Etcd::Local(etcd) = &job.cluster().etcd else { panic!("etcd is local here") };
    local::manifest(job, etcd, members).unwrap()
}

#[test]
fn templates_are_pods_and_hold_nothing_that_code_sets() {
    for (component, template) in TEMPLATES {
        let pod: Pod = yaml::parse(template).unwrap();
        let value: Value = yaml::parse(template).unwrap();
        assert_eq!(serde_json::to_value(&pod).unwrap(), value, "{component}: a field that no Pod has");
        let mut constant = BTreeSet::new();
        leaves("", &value, &mut constant);
        for job in [default_init(V1_20), custom_init(V1_20), default_init(V1_36), custom_init(V1_36)] {
            let mut set = BTreeSet::new();
            leaves("", &filled(component, &job, Pod::default()), &mut set);
            // Written by every Pod, whoever makes it; an empty container has an empty name.
            for always in [".apiVersion", ".kind", ".spec.containers.name"] {
                set.remove(always);
            }
            let both: Vec<_> = constant.intersection(&set).collect();
            assert!(both.is_empty(), "{component}: in the template and in code: {both:?}");
        }
    }
}

#[test]
fn flags_are_merged_and_sorted_as_the_release_has_it() {
    let pairs = |text: &str| -> Vec<(String, String)> {
        text.split_whitespace().filter_map(|flag| flag.split_once('=')).map(owned).collect()
    };
    let text = |flags: Vec<(String, String)>| {
        flags.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    for (release, user, expected) in [
        (V1_20, "", "a=1 c=3 e=5"),
        (V1_20, "d=4 c=9", "a=1 c=9 d=4 e=5"),
        (V1_20, "c=", "a=1 c= e=5"),
        (Release::new(31, 0), "c=z b=2 c=y", "a=1 b=2 c=y c=z e=5"),
        (V1_36, "d=4 c=9 b=2 c=8", "a=1 e=5 d=4 c=9 b=2 c=8"),
    ] {
        assert_eq!(text(merge_flags(pairs("e=5 c=3 a=1"), &pairs(user), &release)), expected, "{release} {user}");
    }
}

#[test]
fn an_ipv6_node_uses_ipv6_loopback_and_brackets() {
    let mut job = default_init(V1_20);
    job.endpoint.address = "fd00::11".parse::<IpAddr>().unwrap();
    let server = api_server(&job);
    assert_eq!(flag(&server, "advertise-address").unwrap(), "fd00::11");
    assert_eq!(flag(&server, "etcd-servers").unwrap(), "https://[::1]:2379");
    assert!(server.contains("advertise-address.endpoint: \"[fd00::11]:6443\""), "{server}");
    let etcd = etcd(&job, &[]);
    assert_eq!(flag(&etcd, "listen-client-urls").unwrap(), "https://[::1]:2379,https://[fd00::11]:2379");
    assert_eq!(flag(&etcd, "listen-metrics-urls").unwrap(), "http://[::1]:2381");
    assert_eq!(flag(&etcd, "initial-cluster").unwrap(), "n1=https://[fd00::11]:2380");
    assert!(etcd.contains("host: \"::1\""), "{etcd}");
}

#[test]
fn an_external_etcd_brings_its_own_files_and_folders() {
    let mut job = default_init(V1_20);
    job.cluster.etcd = Etcd::External(ExternalEtcd {
        http_endpoints: Vec::new(),
        endpoints: vec!["https://e1:2379".to_owned(), "https://e2:2379".to_owned()],
        ca_file: PathBuf::from("/etc/etcd/ca.crt"),
        cert_file: PathBuf::from("/etc/etcd/client/tls.crt"),
        key_file: PathBuf::from("/etc/kubernetes/pki/etcd.key"),
    });
    let server = api_server(&job);
    assert_eq!(flag(&server, "etcd-servers").unwrap(), "https://e1:2379,https://e2:2379");
    assert_eq!(flag(&server, "etcd-cafile").unwrap(), "/etc/etcd/ca.crt");
    assert_eq!(flag(&server, "etcd-keyfile").unwrap(), "/etc/kubernetes/pki/etcd.key");
    assert!(server.contains("- mountPath: /etc/etcd\n      name: etcd-certs-0\n"), "{server}");
    assert!(!server.contains("etcd-certs-1"), "{server}");
    let Etcd::External(etcd) = &mut job.cluster.etcd else { unreachable!() };
    (etcd.ca_file, etcd.cert_file, etcd.key_file) = Default::default();
    assert_eq!(flag(&api_server(&job), "etcd-cafile"), None);
}

#[test]
fn with_an_external_ca_the_controller_manager_signs_nothing() {
    let manifest = controller_manager::manifest(&default_init(V1_20), true).unwrap();
    assert_eq!(flag(&manifest, "cluster-signing-cert-file").unwrap(), "");
    assert_eq!(flag(&manifest, "cluster-signing-key-file").unwrap(), "");
}

#[test]
fn a_joining_member_names_all_members() {
    let members = [("n1", "10.77.0.11"), ("n2", "10.77.0.12")]
        .map(|(name, address)| Member { name: name.to_owned(), peer_url: format!("https://{address}:2380") });
    let manifest = etcd(&join_control_plane(V1_20), &members);
    let expected = "n1=https://10.77.0.11:2380,n2=https://10.77.0.12:2380";
    assert_eq!(flag(&manifest, "initial-cluster").unwrap(), expected);
    assert_eq!(flag(&manifest, "initial-cluster-state").unwrap(), "existing");
}

#[test]
fn etcd_gets_the_flags_its_version_knows() {
    for (minor, tag, present, absent) in [
        (23, None, "snapshot-count", "experimental-initial-corrupt-check"),
        (24, None, "experimental-initial-corrupt-check", "experimental-watch-progress-notify-interval"),
        (30, None, "experimental-watch-progress-notify-interval", "feature-gates"),
        (34, None, "feature-gates", "experimental-initial-corrupt-check"),
        (34, Some("3.5.21-0"), "experimental-initial-corrupt-check", "feature-gates"),
        (36, Some("3.5.21-0"), "watch-progress-notify-interval", "experimental-initial-corrupt-check"),
    ] {
        let mut job = default_init(Release::new(minor, 0));
        let Etcd::Local(local) = &mut job.cluster.etcd else { unreachable!() };
        local.image_tag = tag.map(str::to_owned);
        let manifest = etcd(&job, &[]);
        assert!(flag(&manifest, present).is_some(), "1.{minor} {tag:?} lacks {present}");
        assert_eq!(flag(&manifest, absent), None, "1.{minor} {tag:?} has {absent}");
    }
}

#[test]
fn etcd_is_probed_where_the_user_has_it_listen() {
    let mut job = default_init(V1_20);
    for (urls, host, port, scheme) in [
        ("http://10.0.0.1:4001,http://127.0.0.1:2381", "host: 10.0.0.1", "port: 4001", "scheme: HTTP\n"),
        ("https://0.0.0.0:2381", "host: 0.0.0.0", "port: 2381", "scheme: HTTPS\n"),
        ("http://localhost", "host: localhost", "port: 2381", "scheme: HTTP\n"),
        ("nonsense", "host: 127.0.0.1", "port: 2381", "scheme: HTTP\n"),
    ] {
        let Etcd::Local(local) = &mut job.cluster.etcd else { unreachable!() };
        local.component.extra_args = vec![("listen-metrics-urls".to_owned(), urls.to_owned())];
        let manifest = etcd(&job, &[]);
        for expected in [host, port, scheme] {
            assert!(manifest.contains(expected), "{urls}: {expected}");
        }
    }
}

#[test]
fn proxies_reach_all_but_etcd_and_the_users_own_variables_count_more() {
    let mut job = custom_init(V1_36);
    job.node.proxies =
        vec![("no_proxy".to_owned(), "10.0.0.0/8".to_owned()), ("HTTP_PROXY".to_owned(), "http://host:1".to_owned())];
    let manifest = api_server(&job);
    let expected = "    env:\n    - name: HTTP_PROXY\n      value: http://proxy:3128\n    - name: no_proxy\n";
    assert!(manifest.contains(expected), "{manifest}");
    assert!(!etcd(&job, &[]).contains("env:"));
    job.cluster.scheduler.extra_envs = vec![json!({"value": 1})];
    assert_eq!(scheduler::manifest(&job).unwrap_err().id, "environment-invalid");
}

#[test]
fn a_file_with_authorizers_replaces_the_modes() {
    let mut job = default_init(V1_36);
    job.cluster.api_server.extra_args = vec![("authorization-config".to_owned(), "/etc/authz.yaml".to_owned())];
    assert_eq!(flag(&api_server(&job), "authorization-mode"), None);
}

#[test]
fn the_hosts_ca_folders_are_mounted_and_the_gate_is_handed_on() {
    let mut job = default_init(V1_20);
    job.node.ca_folders = vec![PathBuf::from("/usr/share/ca-certificates"), PathBuf::from("/etc/pki")];
    job.cluster.feature_gates.insert("IPv6DualStack".to_owned(), true);
    let manifest = controller_manager::manifest(&job, false).unwrap();
    for name in ["etc-pki", "usr-share-ca-certificates"] {
        assert_eq!(manifest.matches(&format!("name: {name}\n")).count(), 2, "{manifest}");
    }
    assert_eq!(flag(&manifest, "feature-gates").unwrap(), "IPv6DualStack=true");
    assert_eq!(flag(&scheduler::manifest(&job).unwrap(), "feature-gates").unwrap(), "IPv6DualStack=true");
}
