//! What one control-plane node uploads is what another one downloads, and kubeadm's own upload opens; what cannot be used is
//! told apart.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{DownloadCerts, Sealer, UploadCerts, shared_files};
use crate::certs::certificate::{Certificate, PrivateKey};
use crate::config::{Etcd, ExternalEtcd, Init, JoinControlPlane, Layout, Release};
use crate::plan::{Phase, Step, Verdict};
use crate::problem::Problem;
use crate::support::jobs::{V1_20, V1_36, default_init, join_control_plane};
use crate::support::{Bench, NOW};
use crate::world::{KeyAlgorithm, Overlay, Secret};
use crate::yaml;

const KEY: &str = "e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204";
const BY_KUBEADM: &str = include_str!("../../testdata/kubeadm/v1.20.2/upload-certs/secret.json");

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!("../../testdata/kubeadm/v1.20.2/cluster/kube-system/", $file))
    };
}

fn a_key() -> Option<Secret<String>> {
    Some(Secret::new(KEY.to_owned()))
}

fn uploading(release: Release) -> Init {
    let mut job = Init { certificate_key: a_key(), ..default_init(release) };
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    // Any kubeconfig will do.
    job.kubeconfig = "/root/admin.conf".into();
    job
}

/// A control-plane node that has uploaded its certificates.
fn uploaded(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run(&Step::<Init>::CERTS, job).unwrap();
    bench.run(&Step::Phase(&UploadCerts), job).unwrap();
    bench
}

fn secret_of(bench: &Bench) -> Value {
    let is_it = |object: &Value| object["metadata"]["name"] == "kubeadm-certs" && object["kind"] == "Secret";
    bench.overlay.objects().into_iter().find(is_it).expect("a Secret")
}

fn joining(release: Release, ca_pem: String) -> JoinControlPlane {
    let mut job = JoinControlPlane { certificate_key: a_key(), ..join_control_plane(release) };
    job.worker.discovery.ca_pem = ca_pem;
    job
}

fn download(secret: Value, job: &JoinControlPlane) -> (Bench, Result<(), Problem>) {
    let bench = Bench::over(Overlay::default().with_object(secret));
    let outcome = bench.run(&Step::Phase(&DownloadCerts), job);
    (bench, outcome)
}

#[test]
fn what_is_downloaded_is_what_was_uploaded() {
    for release in [V1_20, V1_36] {
        let first = uploaded(&uploading(release.clone()));
        let job = joining(release.clone(), first.text("/etc/kubernetes/pki/ca.crt"));
        let (second, outcome) = download(secret_of(&first), &job);
        outcome.unwrap();
        let files = shared_files(&job.worker.cluster, &job.worker.node.layout);
        assert_eq!(files.len(), 8, "{release}");
        for file in files {
            let path = file.path.to_str().unwrap();
            assert_eq!(second.text(path), first.text(path), "{release}: {path}");
            assert_eq!(second.mode(path), if path.ends_with(".crt") { 0o644 } else { 0o600 }, "{release}: {path}");
        }
        let changes = second.overlay.changes().len();
        second.run(&Step::Phase(&DownloadCerts), &job).unwrap();
        assert_eq!(second.overlay.changes().len(), changes, "{release}: a second download changes nothing");
    }
}

#[test]
fn what_kubeadm_has_uploaded_opens() {
    let secret: Value = serde_json::from_str(BY_KUBEADM).unwrap();
    let sealer = Sealer::parse(&a_key().unwrap()).unwrap();
    let ca = sealer.open(&STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap()).unwrap();
    let job = joining(V1_20, String::from_utf8(ca.reveal().clone()).unwrap());
    let (bench, outcome) = download(secret, &job);
    outcome.unwrap();
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let text = |end: &str| bench.text(&format!("/etc/kubernetes/pki/{name}.{end}"));
        let certificate = Certificate::parse_all(&text("crt")).unwrap().remove(0);
        assert!(certificate.belongs_to(&PrivateKey::parse(&text("key")).unwrap()), "{name}");
    }
    let signer = PrivateKey::parse(&bench.text("/etc/kubernetes/pki/sa.key")).unwrap();
    assert_eq!(signer.public_pem(), bench.text("/etc/kubernetes/pki/sa.pub"));
}

#[test]
fn what_is_sent_has_the_shape_of_kubeadms() {
    let bench = uploaded(&uploading(V1_20));
    let ours = secret_of(&bench);
    let theirs: Value = serde_json::from_str(BY_KUBEADM).unwrap();
    let entries = |secret: &Value| secret["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(entries(&ours), entries(&theirs));
    assert_eq!(ours["type"], theirs["type"]);
    let fields = |secret: &Value| secret["metadata"]["ownerReferences"][0].as_object().unwrap().clone();
    for field in ["apiVersion", "kind", "controller", "blockOwnerDeletion"] {
        assert_eq!(fields(&ours)[field], fields(&theirs)[field], "{field}");
    }
    let objects = bench.overlay.objects();
    for golden in [golden!("role-kubeadm_kubeadm-certs.yaml"), golden!("rolebinding-kubeadm_kubeadm-certs.yaml")] {
        let golden: Value = yaml::parse(golden).unwrap();
        let same = |object: &&Value| object["kind"] == golden["kind"];
        let object = objects.iter().find(same).unwrap();
        assert_eq!(object["metadata"]["name"], golden["metadata"]["name"]);
        for field in ["rules", "roleRef", "subjects"] {
            assert_eq!(object.get(field), golden.get(field), "{} {field}", golden["kind"]);
        }
    }
}

#[test]
fn a_token_that_nobody_can_use_owns_the_upload_for_two_hours() {
    let bench = uploaded(&uploading(V1_20));
    let owner = secret_of(&bench)["metadata"]["ownerReferences"][0]["name"].clone();
    let objects = bench.overlay.objects();
    let token = objects.iter().find(|object| object["metadata"]["name"] == owner).unwrap();
    let data = token["data"].as_object().unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["description", "expiration", "token-id", "token-secret"]);
    let text = |key: &str| String::from_utf8(STANDARD.decode(data[key].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(text("expiration"), NOW.plus(Duration::from_secs(7200)).rfc3339());
    assert_eq!(owner, format!("bootstrap-token-{}", text("token-id")));
}

#[test]
fn a_run_that_goes_on_keeps_the_upload_and_a_later_one_renews_it() {
    let job = uploading(V1_20);
    let bench = uploaded(&job);
    let (first, changes) = (secret_of(&bench), bench.overlay.changes().len());
    bench.run(&Step::Phase(&UploadCerts), &job).unwrap();
    assert_eq!(bench.overlay.changes().len(), changes, "the same key a moment later");

    let other = Init { certificate_key: Some(Secret::new("ab".repeat(32))), ..job };
    bench.run(&Step::Phase(&UploadCerts), &other).unwrap();
    let second = secret_of(&bench);
    assert_ne!(first["data"], second["data"], "another key");
    assert_eq!(first["metadata"], second["metadata"], "the same owner");

    bench.time.set(NOW.plus(Duration::from_secs(1200)));
    bench.run(&Step::Phase(&UploadCerts), &other).unwrap();
    assert_ne!(second["metadata"], secret_of(&bench)["metadata"], "twenty minutes later");
}

#[test]
fn files_that_are_kept_elsewhere_are_empty_and_not_downloaded() {
    let job = uploading(V1_20);
    let bench = Bench::default();
    bench.run(&Step::<Init>::CERTS, &job).unwrap();
    let ca = bench.text("/etc/kubernetes/pki/ca.crt");
    let remove = crate::world::Change::Remove { path: "/etc/kubernetes/pki/etcd/ca.key".into(), keep: true };
    bench.within(|world| world.change(&remove)).unwrap();
    bench.run(&Step::Phase(&UploadCerts), &job).unwrap();
    let secret = secret_of(&bench);
    assert_eq!(secret["data"]["etcd-ca.key"], "");
    let (second, outcome) = download(secret, &joining(V1_20, ca));
    outcome.unwrap();
    let written = second.overlay.written();
    assert!(!written.keys().any(|path| path.ends_with("etcd/ca.key")), "{written:?}");
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let first = uploaded(&uploading(V1_20));
    let (secret, ca) = (secret_of(&first), first.text("/etc/kubernetes/pki/ca.crt"));
    let mut foreign: Value = serde_json::from_str(BY_KUBEADM).unwrap();
    let mut without = secret.clone();
    without["data"].as_object_mut().unwrap().remove("sa.pub");
    let mut empty = secret.clone();
    empty["data"]["ca.crt"] = json!("");
    let mut damaged = secret.clone();
    damaged["data"]["sa.key"] = json!("bm8=");
    let other_key =
        JoinControlPlane { certificate_key: Some(Secret::new("ab".repeat(32))), ..joining(V1_20, ca.clone()) };
    for (name, secret, job, expected) in [
        ("another cluster's", std::mem::take(&mut foreign), joining(V1_20, ca.clone()), "certificates-other-ca"),
        ("an entry is missing", without, joining(V1_20, ca.clone()), "certificates-incomplete"),
        ("a needed file is empty", empty, joining(V1_20, ca.clone()), "certificates-incomplete"),
        ("an entry is damaged", damaged, joining(V1_20, ca), "certificate-key-wrong"),
        ("another key", secret, other_key, "certificate-key-wrong"),
    ] {
        let (bench, outcome) = download(secret, &job);
        assert_eq!(outcome.unwrap_err().id, expected, "{name}");
        assert!(bench.overlay.changes().is_empty(), "{name}: nothing is written");
    }
}

#[test]
fn an_upload_that_is_gone_is_missed_only_by_who_has_nothing() {
    let first = uploaded(&uploading(V1_20));
    let job = joining(V1_20, first.text("/etc/kubernetes/pki/ca.crt"));
    let problem = Bench::default().run(&Step::Phase(&DownloadCerts), &job).unwrap_err();
    assert_eq!(problem.id, "certificates-not-uploaded");

    let files = shared_files(&job.worker.cluster, &Layout::default());
    let here = files.iter().fold(Overlay::default(), |overlay, file| {
        overlay.with_file(file.path.to_str().unwrap(), "of an earlier run", file.mode)
    });
    let bench = Bench::over(here);
    bench.run(&Step::Phase(&DownloadCerts), &job).unwrap();
    assert!(bench.overlay.changes().is_empty());
}

#[test]
fn an_external_etcd_has_its_client_files_instead_of_a_ca() {
    let mut job = default_init(V1_20);
    let path = |name: &str| std::path::PathBuf::from(name);
    job.cluster.etcd = Etcd::External(ExternalEtcd {
        endpoints: Vec::new(),
        http_endpoints: Vec::new(),
        ca_file: path("/etc/etcd/ca.crt"),
        cert_file: path(""),
        key_file: path(""),
    });
    let files = shared_files(&job.cluster, &Layout::default());
    let named: Vec<_> = files.iter().skip(6).map(|file| (file.entry, file.path.clone(), file.is_needed)).collect();
    assert_eq!(
        named,
        [
            ("external-etcd-ca.crt", path("/etc/etcd/ca.crt"), true),
            ("external-etcd.crt", path(""), false),
            ("external-etcd.key", path(""), false),
        ]
    );
}

#[test]
fn without_a_key_neither_phase_runs() {
    let init = default_init(V1_20);
    assert_eq!(UploadCerts.verdict(&init), Verdict::Skip("--upload-certs is not given".to_owned()));
    assert!(matches!(DownloadCerts.verdict(&join_control_plane(V1_20)), Verdict::Skip(_)));
}
