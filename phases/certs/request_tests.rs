//! Requests: for whom, what is used again, and what a CA makes of them.

use super::*;
use crate::config::Init;
use crate::support::Bench;
use crate::support::files::{certificate, changed, machine, made, text};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::workflows::GENERATE_CSR;
use crate::world::Overlay;

fn generate(bench: &Bench, job: &Init) -> Result<(), Problem> {
    bench.run_workflow(&GENERATE_CSR, job, None)
}

fn requested(bench: &Bench, file: &str) -> rcgen::CertificateSigningRequestParams {
    rcgen::CertificateSigningRequestParams::from_pem(&text(bench, file)).unwrap()
}

#[test]
fn there_is_one_for_every_leaf_and_kubeconfig_for_root_alone() {
    for (release, count) in [(V1_20, 7 * 2 + 4 * 2), (V1_36, 7 * 2 + 5 * 2)] {
        let (bench, job) = (Bench::default(), default_init(release.clone()));
        generate(&bench, &job).unwrap();
        let files = changed(&bench);
        assert_eq!(files.len(), count, "{release}: {files:?}");
        assert!(files.iter().all(|file| bench.mode(&format!("/etc/kubernetes/{file}")) == 0o600), "{release}");
        assert!(!files.iter().any(|file| file.ends_with(".crt")), "{release}");
    }
}

#[test]
fn names_subjects_and_keys_are_those_of_the_certificates() {
    let job = custom_init(V1_36);
    let (bench, made) = (Bench::default(), made(&job));
    generate(&bench, &job).unwrap();
    for spec in table::LEAVES {
        let csr = requested(&bench, &format!("pki/{}.csr", spec.file));
        let leaf = spec.leaf(&job).unwrap();
        let name = csr.params.distinguished_name.get(&rcgen::DnType::CommonName).cloned();
        assert!(format!("{name:?}").contains(&format!("(\"{}\")", leaf.common_name)), "{}: {name:?}", spec.name);
        assert_eq!(csr.params.subject_alt_names.len(), certificate(&made, spec.file).names.len(), "{}", spec.name);
        assert_eq!(csr.params.extended_key_usages, [], "{}", spec.name);
        let key = text(&bench, &format!("pki/{}.key", spec.file));
        assert!(key.starts_with("-----BEGIN EC PRIVATE KEY-----"), "{}", spec.name);
    }
}

#[test]
fn a_second_run_changes_nothing_with_either_kind_of_key() {
    for job in [default_init(V1_20), custom_init(V1_36)] {
        let bench = Bench::default();
        generate(&bench, &job).unwrap();
        let count = bench.overlay.changes().len();
        generate(&bench, &job).unwrap();
        assert_eq!(bench.overlay.changes().len(), count);
    }
}

#[test]
fn a_key_that_is_there_is_used_and_a_request_for_other_names_is_replaced() {
    let mut job = default_init(V1_20);
    let first = Bench::default();
    generate(&first, &job).unwrap();
    let bench = machine(&first, &["pki/etcd/peer.csr", "scheduler.conf.csr"], &[]);
    job.endpoint.address = [10, 77, 0, 99].into();
    generate(&bench, &job).unwrap();
    let expected =
        ["pki/apiserver.csr", "pki/etcd/server.csr", "pki/etcd/peer.csr", "scheduler.conf.csr"].map(str::to_owned);
    assert_eq!(changed(&bench), expected);
}

#[test]
fn what_has_its_certificate_needs_no_request() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &["pki/apiserver.crt", "admin.conf"], &[]);
    generate(&bench, &job).unwrap();
    assert_eq!(changed(&bench), ["pki/apiserver.csr", "admin.conf", "admin.conf.csr"]);
}

#[test]
fn a_kubeconfig_waits_for_its_certificate_and_init_says_so() {
    let job = default_init(V1_20);
    let before = made(&job);
    let bench = machine(&before, &["pki/ca.key", "admin.conf"], &[]);
    generate(&bench, &job).unwrap();
    let problem = bench.run(&Step::KUBECONFIG, &job).unwrap_err();
    assert_eq!(problem.findings.len(), 1);
    assert_eq!(problem.findings[0].id, "kubeconfig-no-certificate");
    assert!(problem.findings[0].fixes[0].contains("/etc/kubernetes/admin.conf.csr signed"), "{problem:?}");
    let found = kubeconfig::parse(&text(&bench, "admin.conf")).unwrap();
    assert_eq!(found.ca_pem(), Some(text(&before, "pki/ca.crt").as_str()));
    assert_eq!(found.server, "https://10.77.0.11:6443");
}

#[test]
fn without_a_ca_the_kubeconfig_leaves_it_open_and_damaged_ones_are_told() {
    let job = default_init(V1_20);
    let bench = Bench::default();
    generate(&bench, &job).unwrap();
    assert!(!text(&bench, "admin.conf").contains("certificate-authority-data"));
    let bench = Bench::over(Overlay::default().with_file("/etc/kubernetes/admin.conf", "hello", 0o600));
    let problem = generate(&bench, &job).unwrap_err();
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("kubeconfig-damaged", Some("/etc/kubernetes/admin.conf"))
    );
}

#[test]
fn requests_can_go_to_another_folder() {
    let mut job = default_init(V1_20);
    job.node.layout = crate::config::Layout::new("/root/pki").with_kubeconfigs("/root/conf");
    let bench = Bench::default();
    generate(&bench, &job).unwrap();
    assert!(bench.text("/root/pki/etcd/server.csr").starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    assert!(bench.text("/root/conf/admin.conf.csr").ends_with("-----END CERTIFICATE REQUEST-----\n"));
}
