//! kubelet.conf against that of kubeadm after its finalize phase.

use super::*;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::world::Overlay;

macro_rules! golden {
    ($release:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../testdata/kubeadm/",
            $release,
            "/cluster/files/m1/etc/kubernetes/kubelet.conf"
        ))
    };
}

const CERTIFICATE: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";

/// kubelet.conf as it was before: certificate and key embedded.
fn embedded(finalized: &str) -> String {
    let mut config: Value = yaml::parse(finalized).unwrap();
    config["users"][0]["user"] = json!({"client-certificate-data": "QQ==", "client-key-data": "QQ=="});
    yaml::write(&config)
}

#[test]
fn kubelet_conf_is_that_of_kubeadm_and_the_kubelet_keeps_running() {
    for (release, finalized) in [(V1_20, golden!("v1.20.2")), (V1_36, golden!("v1.36.2"))] {
        let overlay = Overlay::default().with_file(CERTIFICATE, "PEM", 0o600).with_file(
            "/etc/kubernetes/kubelet.conf",
            &embedded(finalized),
            0o600,
        );
        let bench = Bench::over(overlay);
        let job = default_init(release.clone());
        for _ in 0..2 {
            bench.run(&Step::KUBELET_FINALIZE, &job).unwrap();
        }
        assert_eq!(bench.text("/etc/kubernetes/kubelet.conf"), finalized, "{release}");
        assert_eq!(bench.mode("/etc/kubernetes/kubelet.conf"), 0o600, "{release}");
        assert_eq!(bench.overlay.changes().len(), 1, "{release}: one write, no restart, nothing twice");
    }
}

#[test]
fn without_a_stored_certificate_nothing_changes() {
    let bench =
        Bench::over(Overlay::default().with_file("/etc/kubernetes/kubelet.conf", &embedded(golden!("v1.20.2")), 0o600));
    bench.run(&Step::KUBELET_FINALIZE, &default_init(V1_20)).unwrap();
    assert!(bench.overlay.changes().is_empty());
}

#[test]
fn a_moved_certificate_folder_is_followed() {
    let mut job = default_init(V1_36);
    job.node.kubelet_extra_args = vec![("cert-dir".to_owned(), "/data/kubelet".to_owned())];
    let overlay = Overlay::default().with_file("/data/kubelet/kubelet-client-current.pem", "PEM", 0o600).with_file(
        "/etc/kubernetes/kubelet.conf",
        &embedded(golden!("v1.36.2")),
        0o600,
    );
    let bench = Bench::over(overlay);
    bench.run(&Step::KUBELET_FINALIZE, &job).unwrap();
    let text = bench.text("/etc/kubernetes/kubelet.conf");
    assert!(text.contains("client-key: /data/kubelet/kubelet-client-current.pem\n"), "{text}");
}

#[test]
fn a_kubeconfig_without_a_user_is_refused() {
    for kubeconfig in ["", "a: [", "contexts: []\nusers: []\n"] {
        let overlay = Overlay::default().with_file(CERTIFICATE, "PEM", 0o600).with_file(
            "/etc/kubernetes/kubelet.conf",
            kubeconfig,
            0o600,
        );
        let problem = Bench::over(overlay).run(&Step::KUBELET_FINALIZE, &default_init(V1_20)).unwrap_err();
        assert_eq!(problem.id, "kubelet-conf-unusable", "{kubeconfig:?}");
    }
}

#[test]
fn each_release_knows_the_phase_by_its_own_name() {
    let Step::Group { steps, .. } = Step::<Init>::KUBELET_FINALIZE else { panic!("a group") };
    for (minor, expected) in [
        (20, vec!["experimental-cert-rotation"]),
        (31, vec!["experimental-cert-rotation", "enable-client-cert-rotation"]),
        (32, vec!["enable-client-cert-rotation"]),
    ] {
        let job = default_init(Release::new(minor, 0));
        let runs = |step: &&Step<Init>| matches!(step, Step::Phase(phase) if phase.verdict(&job) == Verdict::Run);
        let names: Vec<&str> = steps.iter().filter(runs).map(Step::name).collect();
        assert_eq!(names, expected, "1.{minor}");
    }
}
