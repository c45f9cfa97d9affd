//! Certificates that are there already: kept where they fit, refused with file and fix where they do not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::certificate::Certificate;
use super::found;
use super::*;
use crate::config::{ExternalEtcd, Init, Release};
use crate::support::jobs::{V1_20, V1_36, default_init, join_control_plane};
use crate::support::{Bench, NOW};
use crate::world::{Change, Clock, Overlay};

const PKI: &str = "/etc/kubernetes/pki";
const REAL_CA: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/pki/ca.crt"
));

fn certs(bench: &Bench, job: &Init) -> Result<(), Problem> {
    bench.run(&Step::CERTS, job)
}

fn phase(bench: &Bench, spec: &'static CertSpec, job: &Init) -> Result<(), Problem> {
    bench.run(&Step::Phase(spec), job)
}

/// A machine with what a first run has left, less and more some files.
fn after_a_run(job: &Init, without: &[&str], with: &[(&str, &str)]) -> Bench {
    let first = Bench::default();
    certs(&first, job).unwrap();
    let mut overlay = Overlay::default();
    for (path, (content, mode)) in first.overlay.written() {
        let path = path.display().to_string();
        let name = path.trim_start_matches(PKI).trim_start_matches('/');
        let text = String::from_utf8(content.bytes().to_vec()).unwrap();
        if let Some((_, replaced)) = with.iter().find(|(changed, _)| *changed == name) {
            overlay = overlay.with_file(&path, replaced, mode);
        } else if !without.contains(&name) {
            overlay = overlay.with_file(&path, &text, mode);
        }
    }
    Bench::over(overlay)
}

fn issued(bench: &Bench, name: &str) -> Certificate {
    Certificate::parse_all(&bench.text(&format!("{PKI}/{name}.crt"))).unwrap().remove(0)
}

#[test]
fn the_phases_have_kubeadms_names_and_order() {
    let mut names = Vec::new();
    crate::plan::walk(&[Step::<Init>::CERTS], "", &mut |path, _| names.push(path.to_owned()));
    let expected = "certs certs/ca certs/apiserver certs/apiserver-kubelet-client certs/front-proxy-ca \
                    certs/front-proxy-client certs/etcd-ca certs/etcd-server certs/etcd-peer \
                    certs/etcd-healthcheck-client certs/apiserver-etcd-client certs/sa";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn keys_are_written_before_their_certificates() {
    let bench = Bench::default();
    certs(&bench, &default_init(V1_20)).unwrap();
    let written: Vec<PathBuf> = bench
        .overlay
        .changes()
        .into_iter()
        .filter_map(|change| match change {
            Change::File { path, .. } => Some(path),
            _ => None,
        })
        .collect();
    for pair in written.chunks(2) {
        assert_eq!(pair[0].with_extension(""), pair[1].with_extension(""));
        assert_eq!(pair[0].extension().unwrap(), "key");
    }
}

#[test]
fn validity_starts_and_ends_as_kubeadm_has_it() {
    let hour = 3600;
    for (release, ca_start, leaf_start) in [
        (V1_20, NOW.0 - hour, NOW.0 - hour),
        (Release::new(29, 0), NOW.0 - hour - 300, NOW.0 - hour - 300),
        (V1_36, NOW.0 - hour - 300, NOW.0 - 300),
    ] {
        let (bench, job) = (Bench::default(), default_init(release.clone()));
        bench.time.set(Clock(NOW.0 - hour));
        phase(&bench, &table::CA, &job).unwrap();
        bench.time.set(NOW);
        phase(&bench, &table::APISERVER, &job).unwrap();
        let (ca, leaf) = (issued(&bench, "ca"), issued(&bench, "apiserver"));
        assert_eq!((ca.not_before.0, leaf.not_before.0), (ca_start, leaf_start), "{release}");
        assert_eq!(ca.not_after, Clock(NOW.0 - hour).plus(Duration::from_secs(87_600 * 3600)), "{release}");
        assert_eq!(leaf.not_after, NOW.plus(Duration::from_secs(8760 * 3600)), "{release}");
    }
}

#[test]
fn a_key_without_certificate_is_used() {
    let job = default_init(V1_20);
    let bench = after_a_run(&job, &["ca.crt", "apiserver.crt", "sa.pub"], &[]);
    let before = bench.text(&format!("{PKI}/apiserver.key"));
    phase(&bench, &table::CA, &job).unwrap();
    phase(&bench, &table::APISERVER, &job).unwrap();
    bench.run(&Step::Phase(&ServiceAccountKeys), &job).unwrap();
    assert_eq!(bench.text(&format!("{PKI}/apiserver.key")), before);
    assert!(issued(&bench, "apiserver").is_signed_by(&issued(&bench, "ca")));
    assert!(bench.text(&format!("{PKI}/sa.pub")).starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[test]
fn what_does_not_fit_is_refused_with_file_and_fix() {
    let job = default_init(V1_20);
    let other = Bench::default();
    other.run(&Step::Phase(&ServiceAccountKeys), &job).unwrap();
    certs(&other, &job).unwrap();
    let (other_ca, other_key) = (other.text(&format!("{PKI}/ca.crt")), other.text(&format!("{PKI}/ca.key")));
    let of_other_ca = other.text(&format!("{PKI}/apiserver.crt"));
    let key_of_other_ca = other.text(&format!("{PKI}/apiserver.key"));
    let cut = &of_other_ca[..300];
    let leaf_as_ca = [("front-proxy-ca.crt", of_other_ca.as_str()), ("front-proxy-ca.key", key_of_other_ca.as_str())];
    for (name, without, with, id, file) in [
        ("empty certificate", vec![], vec![("ca.crt", "")], "certificate-damaged", "ca.crt"),
        ("empty key", vec![], vec![("etcd/peer.key", "")], "certificate-damaged", "etcd/peer.key"),
        ("empty sa.key", vec![], vec![("sa.key", "\n")], "certificate-damaged", "sa.key"),
        ("empty sa.pub", vec![], vec![("sa.pub", "")], "certificate-damaged", "sa.pub"),
        ("cut off", vec![], vec![("apiserver.crt", cut)], "certificate-damaged", "apiserver.crt"),
        ("no PEM", vec![], vec![("apiserver.crt", "hello")], "certificate-damaged", "apiserver.crt"),
        ("lost key", vec!["front-proxy-client.key"], vec![], "certificate-key-missing", "front-proxy-client.key"),
        ("lost sa.key", vec!["sa.key"], vec![], "certificate-key-missing", "sa.key"),
        ("swapped key", vec![], vec![("ca.key", other_key.as_str())], "certificate-key-mismatch", "ca.crt"),
        (
            "other CA",
            vec![],
            vec![("apiserver.crt", of_other_ca.as_str()), ("apiserver.key", key_of_other_ca.as_str())],
            "certificate-other-ca",
            "apiserver.crt",
        ),
        (
            "replaced CA",
            vec![],
            vec![("ca.crt", other_ca.as_str()), ("ca.key", other_key.as_str())],
            "certificate-other-ca",
            "apiserver.crt",
        ),
        ("leaf as CA", vec![], leaf_as_ca.to_vec(), "ca-is-no-ca", "front-proxy-ca.crt"),
    ] {
        let bench = after_a_run(&job, &without, &with);
        let problem = certs(&bench, &job).expect_err(name);
        assert_eq!((problem.id.as_str(), problem.place.as_deref()), (id, Some(&*format!("{PKI}/{file}"))), "{name}");
        assert!(!problem.why.is_empty() && !problem.fixes.is_empty(), "{name}");
        assert_eq!(bench.overlay.changes(), [], "{name}");
    }
}

#[test]
fn an_expired_certificate_is_refused() {
    let job = default_init(V1_20);
    let bench = after_a_run(&job, &[], &[]);
    bench.time.set(NOW.plus(Duration::from_secs(366 * 24 * 3600)));
    let problem = certs(&bench, &job).expect_err("expired");
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("certificate-expired", Some("/etc/kubernetes/pki/apiserver.crt"))
    );
    assert!(problem.fixes[1].contains("rm /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key"));
}

#[test]
fn a_certificate_for_another_address_is_kept_with_a_warning() {
    let mut job = default_init(V1_20);
    let bench = after_a_run(&job, &[], &[]);
    job.endpoint.address = [10, 77, 0, 99].into();
    phase(&bench, &table::APISERVER, &job).unwrap();
    let lines = bench.recorder.lines();
    assert!(
        lines[0].starts_with("warning: /etc/kubernetes/pki/apiserver.crt is not valid for 10.77.0.99"),
        "{lines:?}"
    );
}

#[test]
fn names_that_are_none_are_left_out_with_a_warning() {
    let (bench, mut job) = (Bench::default(), default_init(V1_20));
    job.cluster.api_server_cert_sans =
        vec!["*.example.com".to_owned(), "not a name".to_owned(), "2001:db8::1".to_owned()];
    phase(&bench, &table::CA, &job).unwrap();
    phase(&bench, &table::APISERVER, &job).unwrap();
    let names = issued(&bench, "apiserver").names;
    assert!(names.contains(&"*.example.com".to_owned()) && names.contains(&"2001:db8::1".to_owned()), "{names:?}");
    assert!(bench.recorder.lines()[0].contains("is made without not a name"), "{:?}", bench.recorder.lines());
}

#[test]
fn with_an_external_etcd_its_certificates_are_left_out() {
    let (bench, mut job) = (Bench::default(), default_init(V1_20));
    job.cluster.etcd = Etcd::External(ExternalEtcd {
        http_endpoints: Vec::new(),
        endpoints: vec!["https://10.0.0.1:2379".to_owned()],
        ca_file: PathBuf::new(),
        cert_file: PathBuf::new(),
        key_file: PathBuf::new(),
    });
    certs(&bench, &job).unwrap();
    assert!(bench.overlay.written().keys().all(|path| !path.display().to_string().contains("etcd")));
    assert_eq!(Phase::<Init>::verdict(&table::ETCD_CA, &job), Verdict::Skip("etcd is external".to_owned()));
}

#[test]
fn a_joining_node_uses_the_shared_cas() {
    let first = default_init(V1_20);
    let own = ["apiserver.crt", "apiserver.key", "etcd/server.crt", "etcd/server.key"];
    let bench = after_a_run(&first, &own, &[]);
    let job = join_control_plane(V1_20);
    for spec in [&table::CA, &table::APISERVER, &table::ETCD_CA, &table::ETCD_SERVER] {
        bench.run(&Step::Phase(spec), &job).unwrap();
    }
    let server = issued(&bench, "etcd/server");
    assert_eq!(server.common_name, "n2");
    assert_eq!(server.names, ["localhost", "n2", "10.77.0.12", "127.0.0.1", "::1"]);
    assert!(issued(&bench, "apiserver").names.contains(&"10.77.0.12".to_owned()));
}

#[test]
fn a_leaf_may_be_signed_by_an_intermediate_that_comes_with_it() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut params = CertificateParams::new(["intermediate".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (root_key, middle_key, leaf_key) =
        (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root_pem = params.self_signed(&root_key).unwrap().pem();
    let middle_pem = params.signed_by(&middle_key, &Issuer::from_params(&params, &root_key)).unwrap().pem();
    let leaf = CertificateParams::new(["leaf".to_owned()]).unwrap();
    let leaf_pem = leaf.signed_by(&leaf_key, &Issuer::from_params(&params, &middle_key)).unwrap().pem();
    let root = CaPair { certificates: Certificate::parse_all(&root_pem).unwrap(), key: None };
    let chain = Certificate::parse_all(&format!("{leaf_pem}{middle_pem}")).unwrap();
    assert!(root.has_signed(&chain));
    assert!(!root.has_signed(&chain[..1]));
    assert!(!root.has_signed(&[]));
}

#[test]
fn certificates_of_a_real_cluster_are_understood() {
    let ca = Certificate::parse_all(REAL_CA).unwrap().remove(0);
    assert_eq!((ca.common_name.as_str(), ca.issuer.as_str(), ca.is_ca), ("kubernetes", "kubernetes", true));
    assert_eq!(ca.pem(), REAL_CA);
    assert!(ca.is_signed_by(&ca));
    let log = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/v1.20.2/cluster/init-join.log"));
    let pins = found::pins(&format!("{REAL_CA}{REAL_CA}")).unwrap();
    assert_eq!(pins.len(), 2);
    assert!(log.contains(&pins[0].to_string()));
    assert_eq!(found::pins("").unwrap_err().id, "certificate-damaged");
}

#[test]
fn keys_of_all_forms_are_read_and_never_shown() {
    let pkcs8 = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let with_parameters = format!("{parameters}{}", crate::support::FixedEntropy::ECDSA[0]);
    for (name, pem) in [
        ("PKCS#1", crate::support::FixedEntropy::RSA[0]),
        ("SEC1", crate::support::FixedEntropy::ECDSA[0]),
        ("SEC1 behind its parameters", &with_parameters),
        ("PKCS#8", &pkcs8),
    ] {
        let key = PrivateKey::parse(pem).expect(name);
        assert_eq!(format!("{key:?}"), "<hidden>", "{name}");
    }
}

#[test]
fn the_ca_is_needed_before_what_it_signs() {
    let job = default_init(V1_20);
    let needs = Phase::<Init>::needs(&table::ETCD_PEER, &job);
    assert_eq!(needs[0].path, Path::new("/etc/kubernetes/pki/etcd/ca.crt"));
    let problem = phase(&Bench::default(), &table::ETCD_PEER, &job).expect_err("there is no CA");
    assert_eq!(problem.fixes[0], "kubestrap init phase certs etcd-ca");
}
