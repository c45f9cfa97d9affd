//! What must be true before a machine may join the control plane, and what its files then say.

use std::path::Path;

use super::read_control_plane;
use crate::certs::certificate::Certificate;
use crate::config::{ApiEndpoint, ControlPlaneRequest, HostPort, JoinControlPlane, JoinWorker, Joining as _, Release};
use crate::kubeconfig;
use crate::plan::{Selection, Step, Verdict};
use crate::problem::Problem;
use crate::stage::{ready_overlay, sealed_objects};
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, join_control_plane, join_worker};
use crate::workflows::{JOIN, JOIN_CONTROL_PLANE};
use crate::world::{Identity, Overlay, Secret};
use crate::yaml;

const CA: &str = include_str!("../../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/pki/ca.crt");
const OTHER_CA: &str = include_str!("../../testdata/kubeadm/v1.36.2/cluster/files/m1/etc/kubernetes/pki/ca.crt");

fn a_worker() -> JoinWorker {
    let mut worker = join_worker(V1_20);
    worker.cluster.control_plane_endpoint = Some(HostPort::new("k8s.example.com", 6443));
    worker.discovery.ca_pem = CA.to_owned();
    worker
}

fn a_request(key: Option<&str>) -> ControlPlaneRequest {
    ControlPlaneRequest {
        endpoint: ApiEndpoint { address: [10, 77, 0, 12].into(), port: 6443 },
        certificate_key: key.map(|key| Secret::new(key.to_owned())),
        timeout: None,
    }
}

fn with_shared_files(folder: &str, ca: &str) -> Overlay<'static> {
    let names = ["front-proxy-ca.crt", "sa.pub", "sa.key", "etcd/ca.crt"];
    let overlay = Overlay::default().with_file(&format!("{folder}/ca.crt"), ca, 0o644);
    names.iter().fold(overlay, |overlay, name| overlay.with_file(&format!("{folder}/{name}"), "", 0o600))
}

#[test]
fn a_cluster_without_a_control_plane_endpoint_has_one_control_plane_node() {
    let mut worker = a_worker();
    worker.cluster.control_plane_endpoint = None;
    let problem = read_control_plane(&a_request(Some("key")), worker, &Overlay::default(), None).unwrap_err();
    assert_eq!(problem.id, "no-control-plane-endpoint");
    assert!(problem.fixes[0].contains("--control-plane-endpoint"), "{problem:?}");
}

#[test]
fn without_a_key_all_missing_files_are_told_at_once_with_both_ways_out() {
    let host = Overlay::default().with_file("/etc/kubernetes/pki/sa.key", "", 0o600);
    let problem = read_control_plane(&a_request(None), a_worker(), &host, None).unwrap_err();
    assert_eq!(problem.id, "shared-certificates-missing");
    let saw = problem.saw.unwrap();
    for name in ["ca.crt", "front-proxy-ca.crt", "sa.pub", "etcd/ca.crt"] {
        assert!(saw.contains(&format!("/etc/kubernetes/pki/{name}")), "{saw}");
    }
    assert!(!saw.contains(".key"), "the key of a CA may be kept elsewhere, and sa.key is there: {saw}");
    assert!(problem.fixes[0].contains("--certificate-key"), "{:?}", problem.fixes);
    assert!(problem.fixes[1].contains("/etc/kubernetes/pki/ca.key"), "{:?}", problem.fixes);
}

#[test]
fn files_that_were_copied_are_used_when_they_are_of_this_cluster() {
    let folder = "/etc/kubernetes/pki";
    let outcome = |ca| read_control_plane(&a_request(None), a_worker(), &with_shared_files(folder, ca), None);
    assert!(outcome(CA).is_ok());
    for (name, ca) in [("another cluster's CA", OTHER_CA), ("an empty file", "")] {
        assert_ne!(outcome(ca).expect_err(name).id, "shared-certificates-missing", "{name}");
    }
    assert_eq!(outcome(OTHER_CA).unwrap_err().id, "certificates-other-ca");
}

#[test]
fn the_certificate_folder_is_the_clusters() {
    let mut worker = a_worker();
    worker.cluster.certificates_dir = "/srv/pki".into();
    let job = read_control_plane(&a_request(None), worker, &with_shared_files("/srv/pki", CA), None).unwrap();
    assert_eq!(job.worker.node.layout.certificates(), Path::new("/srv/pki"));
}

fn prepared(release: Release) -> (Bench, JoinControlPlane) {
    let (objects, ca_pem) = sealed_objects(&release);
    let overlay = objects.into_iter().fold(ready_overlay(&release, "n2"), Overlay::with_object);
    let bench = Bench::over(overlay);
    let mut job = join_control_plane(release);
    job.worker.discovery.ca_pem = ca_pem;
    job.worker.cluster.control_plane_endpoint = Some(HostPort::new("k8s.example.com", 6443));
    job.certificate_key = Some(Secret::new(crate::stage::CERTIFICATE_KEY.to_owned()));
    bench.run(&Step::<JoinControlPlane>::CONTROL_PLANE_PREPARE, &job).unwrap();
    (bench, job)
}

#[test]
fn certificates_and_kubeconfigs_are_of_this_node() {
    for release in [V1_20, V1_36] {
        let (bench, _) = prepared(release.clone());
        let certificate = |name: &str| {
            let text = bench.text(&format!("/etc/kubernetes/pki/{name}.crt"));
            Certificate::parse_all(&text).unwrap().remove(0)
        };
        for (name, ca, address) in [("apiserver", "ca", "10.77.0.12"), ("etcd/peer", "etcd/ca", "10.77.0.12")] {
            let leaf = certificate(name);
            assert!(leaf.is_signed_by(&certificate(ca)), "{release}: {name}");
            for wanted in [address, "n2"] {
                assert!(leaf.names.iter().any(|found| found == wanted), "{release}: {name} {:?}", leaf.names);
            }
        }
        for (file, server) in [
            ("admin", "https://k8s.example.com:6443"),
            ("controller-manager", "https://10.77.0.12:6443"),
            ("scheduler", "https://10.77.0.12:6443"),
        ] {
            let text = bench.text(&format!("/etc/kubernetes/{file}.conf"));
            assert_eq!(kubeconfig::parse(&text).unwrap().server, server, "{release}: {file}");
        }
        let written = bench.overlay.written();
        for absent in ["super-admin.conf", "kubelet.conf"] {
            assert!(!written.keys().any(|path| path.ends_with(absent)), "{release}: {absent}");
        }
    }
}

#[test]
fn no_ca_is_ever_made_by_a_node_that_joins() {
    let only = Selection { only: Some("control-plane-prepare/certs".to_owned()), ..Selection::default() };
    let job = join_control_plane(V1_20);
    let plan = JOIN_CONTROL_PLANE.plan(&job, &only).unwrap();
    let bench = Bench::default();
    let problem: Problem = bench.within(|world| crate::plan::run(&plan, &job, world)).unwrap_err();
    assert_eq!(problem.id, "artifact-missing");
    assert!(problem.fixes[0].ends_with("join phase control-plane-prepare download-certs"), "{:?}", problem.fixes);
    assert!(bench.overlay.changes().is_empty());
}

#[test]
fn the_kubelet_of_a_control_plane_node_talks_to_its_own_server_from_1_33_on() {
    for (release, own) in [(V1_20, false), (Release::new(32, 0), false), (Release::new(33, 0), true), (V1_36, true)] {
        let job = join_control_plane(release.clone());
        let expected = if own { "https://10.77.0.12:6443" } else { "https://10.77.0.11:6443" };
        assert_eq!(job.kubelet_server(), expected, "{release}");
        assert_eq!(job.worker.kubelet_server(), "https://10.77.0.11:6443", "{release}");
    }
}

#[test]
fn cluster_status_keeps_the_other_nodes_and_the_configuration() {
    let found = include_str!("../../testdata/kubeadm/v1.20.2/cluster/kube-system/configmap-kubeadm-config.yaml");
    let found: serde_json::Value = yaml::parse(found).unwrap();
    let bench = Bench::over(Overlay::default().with_object(found.clone()));
    let job = join_control_plane(V1_20);
    let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
    let add =
        || bench.within(|world| crate::cluster_status::add((&job.worker.node.name, &job.endpoint), world, &admin));
    add().unwrap();
    let map = bench.overlay.objects().remove(0);
    assert_eq!(map["data"]["ClusterConfiguration"], found["data"]["ClusterConfiguration"]);
    let status: serde_json::Value = yaml::parse(map["data"]["ClusterStatus"].as_str().unwrap()).unwrap();
    let endpoints = status["apiEndpoints"].as_object().unwrap();
    assert_eq!(endpoints.len(), 2, "{endpoints:?}");
    assert_eq!(endpoints["n2"]["advertiseAddress"], "10.77.0.12");
    let changes = bench.overlay.changes().len();
    add().unwrap();
    assert_eq!(bench.overlay.changes().len(), changes, "a second time changes nothing");
}

#[test]
fn a_worker_and_a_control_plane_node_have_the_same_list_of_phases() {
    assert_eq!(JOIN.paths(), JOIN_CONTROL_PLANE.paths());
    let worker = join_worker(V1_20);
    let planned = |only: Option<&str>| {
        let selection = Selection { only: only.map(str::to_owned), ..Selection::default() };
        let phases = JOIN.plan(&worker, &selection).unwrap().phases;
        phases.into_iter().map(|planned| (planned.path, planned.verdict == Verdict::Run)).collect::<Vec<_>>()
    };
    let whole = ["preflight", "discovery", "tls-bootstrap", "kubelet-start", "kubelet-wait-bootstrap"];
    assert_eq!(planned(None), whole.map(|path| (path.to_owned(), true)), "the others are left out without a word");
    let asked_for = "control-plane-join/update-status";
    assert_eq!(planned(Some(asked_for)), [(asked_for.to_owned(), false)], "who asks for one is told why");
}
