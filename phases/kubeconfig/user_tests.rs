//! Kubeconfigs for more users: who signs, for which groups, and where they lead.

use serde_json::json;

use super::*;
use crate::certs::certificate::{Certificate, PrivateKey};
use crate::config::{UserKubeconfigFlags, resolve_user_kubeconfig};
use crate::kubeconfig::{Credentials, Kubeconfig, Source, parse};
use crate::plan::Step;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::support::{Bench, FixedEntropy, NOW};
use crate::world::{Overlay, Secret};

fn job(groups: &[&str]) -> UserKubeconfig {
    let init = default_init(V1_36);
    UserKubeconfig {
        layout: Layout::default(),
        server: init.cluster.server_url(&init.endpoint),
        cluster: init.cluster,
        client_name: "jane".to_owned(),
        organizations: groups.iter().map(|&group| group.to_owned()).collect(),
        token: None,
    }
}

/// A node with the CAs of `init`.
fn node() -> Bench {
    let bench = Bench::default();
    bench.run(&Step::CERTS, &default_init(V1_36)).unwrap();
    bench
}

fn run(bench: &Bench, job: &UserKubeconfig) -> Result<(Kubeconfig, Vec<String>), Problem> {
    let before = bench.overlay.changes().len();
    let (outcome, heard) = bench.heard(&User, job);
    outcome?;
    assert_eq!(bench.overlay.changes().len(), before, "nothing is changed");
    Ok((parse(&heard.results()[0]).unwrap(), heard.warnings()))
}

fn certificate(found: &Kubeconfig) -> (Certificate, PrivateKey) {
    let Credentials::Certificate { certificate: Source::Text(certificate), key: Source::Text(key) } =
        &found.credentials
    else {
        panic!("{found:?}")
    };
    (Certificate::parse_all(certificate.reveal()).unwrap().remove(0), PrivateKey::parse(key.reveal()).unwrap())
}

#[test]
fn a_user_gets_a_certificate_of_the_ca_with_name_and_groups() {
    let bench = node();
    let ca = Certificate::parse_all(&bench.text("/etc/kubernetes/pki/ca.crt")).unwrap().remove(0);
    for groups in [&[][..], &["ops"], &["zeta", "ops"], &["a", "system:masters", "ümlaut", "b, c"]] {
        let (found, warnings) = run(&bench, &job(groups)).unwrap();
        let (certificate, key) = certificate(&found);
        assert!(certificate.is_signed_by(&ca), "{groups:?}");
        assert!(certificate.belongs_to(&key), "{groups:?}");
        assert_eq!(certificate.common_name, "jane", "{groups:?}");
        let mut expected = groups.to_vec();
        let mut organizations = certificate.organizations.clone();
        expected.sort_unstable();
        organizations.sort();
        assert_eq!(organizations, expected);
        assert_eq!(certificate.not_after, NOW.plus(USUAL), "{groups:?}");
        assert_eq!((found.server.as_str(), found.user.as_str()), ("https://10.77.0.11:6443", "jane"));
        assert_eq!(found.ca_pem(), Some(ca.pem().as_str()));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

#[test]
fn a_bearer_token_needs_no_key_of_the_ca() {
    let ca = node().text("/etc/kubernetes/pki/ca.crt");
    let bench = Bench::over(Overlay::default().with_file("/etc/kubernetes/pki/ca.crt", &ca, 0o644));
    let with_token = UserKubeconfig { token: Some(Secret::new("t0ken".to_owned())), ..job(&[]) };
    let (found, _) = run(&bench, &with_token).unwrap();
    assert_eq!(found.credentials, Credentials::Token(Source::Text(Secret::new("t0ken".to_owned()))));
    assert_eq!(run(&bench, &job(&[])).unwrap_err().id, "ca-key-missing");
    assert_eq!(run(&bench, &job(&["a", "b"])).unwrap_err().id, "ca-key-missing");
}

#[test]
fn a_long_validity_is_warned_of_and_granted() {
    let mut long = job(&["a", "b"]);
    long.cluster.certificate_validity = USUAL * 2;
    let (found, warnings) = run(&node(), &long).unwrap();
    assert_eq!(warnings, ["kubeconfig-long-validity"]);
    assert_eq!(certificate(&found).0.not_after, NOW.plus(USUAL * 2));
}

fn flags() -> UserKubeconfigFlags {
    UserKubeconfigFlags { client_name: "jane".to_owned(), ..UserKubeconfigFlags::default() }
}

fn resolve(flags: &UserKubeconfigFlags, host: &Overlay<'_>) -> Result<UserKubeconfig, Problem> {
    let told = (stored_cluster(host, host)?, server_of_node(host)?);
    resolve_user_kubeconfig(flags, told, host, NOW, &FixedEntropy::default())
}

const ADMIN_CONF: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/admin.conf"
));

#[test]
fn without_a_file_the_cluster_of_this_node_is_meant() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n\
        clusterName: prod\ncertificatesDir: /pki\n";
    let stored = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "kubeadm-config"}, "data": {"ClusterConfiguration": text}});
    let admin_conf = ADMIN_CONF.replace("REDACTED", "");
    let host = Overlay::default().with_file("/etc/kubernetes/admin.conf", &admin_conf, 0o600).with_object(stored);
    let validity_period = Some("1h".to_owned());
    let organizations = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
    let job = resolve(&UserKubeconfigFlags { validity_period, organizations, ..flags() }, &host).unwrap();
    assert_eq!((job.cluster.name.as_str(), job.cluster.release.clone()), ("prod", V1_20));
    assert_eq!(job.layout.certificate("ca.crt"), std::path::Path::new("/pki/ca.crt"));
    assert_eq!(job.cluster.certificate_validity, Duration::from_secs(3600));
    assert_eq!(job.organizations, ["a", "b"], "each once");
    assert!(admin_conf.contains(&job.server), "{}", job.server);
}

#[test]
fn a_file_says_where_the_cluster_is_and_mistakes_are_named() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: v1.30.0\n\
        controlPlaneEndpoint: k8s.example.com\n---\napiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n\
        localAPIEndpoint: {advertiseAddress: 10.0.0.5}\nnodeRegistration: {name: n1}\n";
    let host = Overlay::default().with_file("/k.yaml", text, 0o600);
    let job = resolve(&UserKubeconfigFlags { config: Some("/k.yaml".into()), ..flags() }, &host).unwrap();
    assert_eq!(job.server, "https://k8s.example.com:6443");
    assert_eq!(job.cluster.certificate_validity, USUAL);

    let wrong = UserKubeconfigFlags { validity_period: Some("0".to_owned()), client_name: String::new(), ..flags() };
    let problem = resolve(&wrong, &host).unwrap_err();
    let places: Vec<_> = problem.findings.iter().filter_map(|finding| finding.place.as_deref()).collect();
    assert_eq!(places, ["--client-name", "--validity-period"]);
}
