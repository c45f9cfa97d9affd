//! Kubeconfigs: kept or refused, the bytes of cluster-info, and reading what others wrote.

use super::*;
use crate::config::Init;
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::support::{Bench, NOW};
use crate::world::{Overlay, Secret};
use crate::yaml;

macro_rules! cluster_file {
    ($release:literal, $file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $release, "/cluster/", $file))
    };
}

fn prepared(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run(&Step::Phase(&crate::certs::table::CA), job).unwrap();
    bench
}

fn with_admin_conf(job: &Init, text: &str) -> Bench {
    let bench = prepared(job);
    let mut overlay = Overlay::default().with_file("/etc/kubernetes/admin.conf", text, 0o600);
    for file in ["/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/pki/ca.key"] {
        overlay = overlay.with_file(file, &bench.text(file), 0o600);
    }
    Bench::over(overlay)
}

#[test]
fn cluster_info_has_exactly_the_bytes_that_kubeadm_writes() {
    for (release, config_map, ca) in [
        (
            V1_20,
            cluster_file!("v1.20.2", "kube-public/configmap-cluster-info.yaml"),
            cluster_file!("v1.20.2", "files/m1/etc/kubernetes/pki/ca.crt"),
        ),
        (
            V1_36,
            cluster_file!("v1.36.2", "kube-public/configmap-cluster-info.yaml"),
            cluster_file!("v1.36.2", "files/m1/etc/kubernetes/pki/ca.crt"),
        ),
    ] {
        let object: serde_json::Value = yaml::parse(config_map).unwrap();
        let expected = object["data"]["kubeconfig"].as_str().unwrap();
        assert_eq!(cluster_info("https://10.77.0.21:6443", ca, &release), expected, "{release}");
    }
}

#[test]
fn kubeadms_own_files_are_read() {
    let kubelet = parse(cluster_file!("v1.20.2", "files/m1/etc/kubernetes/kubelet.conf")).unwrap();
    assert_eq!((kubelet.server.as_str(), kubelet.user.as_str()), ("https://10.77.0.21:6443", "system:node:m1"));
    assert_eq!(kubelet.ca_pem(), Some(cluster_file!("v1.20.2", "files/m1/etc/kubernetes/pki/ca.crt")));
    let current = Source::File("/var/lib/kubelet/pki/kubelet-client-current.pem".into());
    assert_eq!(kubelet.credentials, Credentials::Certificate { certificate: current.clone(), key: current });
}

#[test]
fn the_unnamed_cluster_of_cluster_info_is_read() {
    let config = parse(&cluster_info("https://[fd00::1]:6443", "PEM", &V1_20)).unwrap();
    assert_eq!((config.server.as_str(), config.ca_pem()), ("https://[fd00::1]:6443", Some("PEM")));
    assert_eq!((config.credentials, config.user.as_str()), (Credentials::None, ""));
}

#[test]
fn a_token_comes_out_of_a_kubeconfig_and_is_not_shown() {
    let user = "tls-bootstrap-token-user";
    let text = "clusters: [{name: prod, cluster: {server: 'https://k8s.example.com:6443'}}]\ncurrent-context: c\n\
        contexts: [{name: c, context: {cluster: prod, user: tls-bootstrap-token-user}}]\n\
        users: [{name: tls-bootstrap-token-user, user: {token: abcdef.0123456789abcdef}}]\n";
    let config = parse(text).unwrap();
    assert_eq!((config.cluster_name.as_str(), config.user.as_str()), ("prod", user));
    let token = Secret::new("abcdef.0123456789abcdef".to_owned());
    assert_eq!(config.credentials, Credentials::Token(Source::Text(token)));
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn what_is_no_kubeconfig_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "it is empty"),
        ("apiVersion: [", "it is no kubeconfig: "),
        ("just words", "it is no kubeconfig: "),
        ("kind: Config\nclusters: null\n", "it has no cluster \"\""),
        ("current-context: a@b\nclusters: [{name: b}]\n", "its current context a@b is not in it"),
        ("clusters: [{name: b, cluster: {certificate-authority-data: '%'}}]\n", "its embedded data is no base64: "),
    ] {
        let problem = parse(text).expect_err(text);
        assert_eq!(problem.id, "kubeconfig-damaged", "{text}");
        assert!(problem.why.starts_with(reason), "{text}: {}", problem.why);
    }
}

#[test]
fn a_file_with_another_ca_or_none_is_refused() {
    let job = default_init(V1_20);
    let other = cluster_file!("v1.20.2", "files/m1/etc/kubernetes/kubelet.conf");
    for (name, text, id) in [
        ("other CA", other, "kubeconfig-other-ca"),
        ("no CA", "clusters: [{name: '', cluster: {server: 'https://a:1'}}]", "kubeconfig-other-ca"),
        ("empty", "", "kubeconfig-damaged"),
    ] {
        let bench = with_admin_conf(&job, text);
        let problem = bench.run(&Step::Phase(&ADMIN), &job).expect_err(name);
        assert_eq!((problem.id.as_str(), problem.place.as_deref()), (id, Some("/etc/kubernetes/admin.conf")), "{name}");
        let fix = "have it made anew: rm /etc/kubernetes/admin.conf, then run the same command again";
        assert_eq!(problem.fixes, [fix], "{name}");
        assert_eq!(bench.overlay.changes(), [], "{name}");
    }
}

#[test]
fn a_file_for_another_server_is_kept_with_a_warning() {
    let job = default_init(V1_20);
    let bench = prepared(&job);
    bench.run(&Step::Phase(&ADMIN), &job).unwrap();
    let before = bench.text("/etc/kubernetes/admin.conf");
    let mut moved = default_init(V1_20);
    moved.endpoint.port = 443;
    bench.run(&Step::Phase(&ADMIN), &moved).unwrap();
    assert_eq!(bench.text("/etc/kubernetes/admin.conf"), before);
    let expected = "warning: /etc/kubernetes/admin.conf leads to https://10.77.0.11:6443, not to https://10.77.0.11:443: \
                    it was there before and is kept";
    assert_eq!(bench.recorder.lines(), [expected]);
}

#[test]
fn a_file_whose_certificate_has_expired_is_refused() {
    let job = default_init(V1_20);
    let bench = prepared(&job);
    bench.run(&Step::Phase(&ADMIN), &job).unwrap();
    bench.time.set(NOW.plus(std::time::Duration::from_secs(366 * 24 * 3600)));
    let problem = bench.run(&Step::Phase(&ADMIN), &job).expect_err("expired");
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("certificate-expired", Some("/etc/kubernetes/admin.conf"))
    );
}

#[test]
fn super_admin_is_left_out_before_1_29() {
    let verdict = Phase::<Init>::verdict(&SUPER_ADMIN, &default_init(V1_20));
    assert_eq!(verdict, Verdict::Skip("Kubernetes v1.20.2 has no super-admin.conf".to_owned()));
    assert_eq!(Phase::<Init>::verdict(&SUPER_ADMIN, &custom_init(V1_36)), Verdict::Run);
}
