//! External CAs: everything that is missing or does not fit is told at once, by whichever phase comes first.

use crate::config::Init;
use crate::plan::Step;
use crate::problem::Problem;
use crate::support::files::{changed, machine, made, text};
use crate::support::jobs::{V1_20, V1_36, default_init, join_control_plane};
use crate::support::{Bench, NOW};
use crate::world::Clock;

const KEYS: [&str; 3] = ["pki/ca.key", "pki/front-proxy-ca.key", "pki/etcd/ca.key"];

fn found(problem: &Problem) -> Vec<(&str, &str)> {
    let place = |finding: &'_ Problem| finding.place.is_some();
    problem
        .findings
        .iter()
        .map(|finding| match place(finding) {
            true => (finding.id.as_str(), finding.place.as_deref().unwrap_or_default()),
            false => (finding.id.as_str(), finding.what.split(' ').next().unwrap_or_default()),
        })
        .collect()
}

fn certs(bench: &Bench, job: &Init) -> Problem {
    bench.run(&Step::CERTS, job).expect_err("nobody can sign")
}

#[test]
fn what_is_complete_is_used_and_left_as_it_is() {
    for release in [V1_20, V1_36] {
        let job = default_init(release.clone());
        let bench = machine(&made(&job), &KEYS, &[]);
        bench.run(&Step::CERTS, &job).unwrap();
        bench.run(&Step::KUBECONFIG, &job).unwrap();
        assert_eq!(bench.overlay.changes(), [], "{release}");
    }
}

#[test]
fn service_account_keys_need_no_signer_and_are_made() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &[&KEYS[..], &["pki/sa.key", "pki/sa.pub"]].concat(), &[]);
    bench.run(&Step::CERTS, &job).unwrap();
    assert_eq!(changed(&bench), ["pki/sa.key", "pki/sa.pub"]);
}

#[test]
fn all_that_is_missing_is_told_at_once_by_every_phase() {
    let job = default_init(V1_36);
    let gone = ["pki/ca.key", "pki/apiserver.crt", "pki/apiserver.key", "admin.conf", "super-admin.conf"];
    let made = made(&job);
    for step in [
        Step::CERTS,
        Step::Phase(&super::super::table::APISERVER_KUBELET_CLIENT),
        Step::KUBECONFIG,
        Step::Phase(&crate::kubeconfig::SCHEDULER),
    ] {
        let bench = machine(&made, &gone, &[]);
        let problem = bench.run(&step, &job).expect_err(step.name());
        let expected = ["pki/apiserver.crt", "admin.conf", "super-admin.conf"]
            .map(|file| ("certificate-missing".to_owned(), format!("/etc/kubernetes/{file}")));
        let found: Vec<_> = found(&problem).into_iter().map(|(id, file)| (id.to_owned(), file.to_owned())).collect();
        assert_eq!(found, expected, "{}", step.name());
        assert_eq!(
            (problem.id.as_str(), problem.place.as_deref()),
            ("ca-key-missing", Some("/etc/kubernetes/pki/ca.key"))
        );
        assert!(
            problem.fixes[0].contains(
                "kubestrap certs generate-csr --cert-dir /etc/kubernetes/pki --kubeconfig-dir /etc/kubernetes"
            )
        );
        assert_eq!(bench.overlay.changes(), [], "{}", step.name());
    }
}

#[test]
fn each_ca_answers_for_what_it_signs() {
    let job = default_init(V1_20);
    let made = made(&job);
    for (key, gone, is_refused) in [
        ("pki/front-proxy-ca.key", "pki/front-proxy-client.crt", true),
        ("pki/etcd/ca.key", "pki/etcd/peer.crt", true),
        ("pki/etcd/ca.key", "pki/apiserver-etcd-client.crt", true),
        ("pki/etcd/ca.key", "pki/front-proxy-client.crt", false),
        ("pki/front-proxy-ca.key", "admin.conf", false),
    ] {
        let bench = machine(&made, &[key, gone], &[]);
        let outcome = bench.run(&Step::CERTS, &job).and_then(|()| bench.run(&Step::KUBECONFIG, &job));
        assert_eq!(outcome.is_err(), is_refused, "{key} {gone}: {outcome:?}");
    }
}

#[test]
fn what_is_there_and_does_not_fit_is_told_beside_what_is_missing() {
    let job = default_init(V1_20);
    let (made, other) = (made(&job), made_by_another_ca(&job));
    let bench = machine(
        &made,
        &["pki/ca.key", "scheduler.conf"],
        &[
            ("pki/apiserver.crt", text(&other, "pki/apiserver.crt").as_str()),
            ("pki/apiserver.key", text(&other, "pki/apiserver.key").as_str()),
            ("admin.conf", text(&other, "admin.conf").as_str()),
            ("kubelet.conf", ""),
        ],
    );
    let expected = [
        ("certificate-other-ca", "/etc/kubernetes/pki/apiserver.crt"),
        ("kubeconfig-other-ca", "/etc/kubernetes/admin.conf"),
        ("certificate-missing", "/etc/kubernetes/scheduler.conf"),
        ("kubeconfig-damaged", "/etc/kubernetes/kubelet.conf"),
    ];
    let problem = certs(&bench, &job);
    assert_eq!(found(&problem), expected);
    assert_eq!(problem.what, "what the Kubernetes CA signs is not complete: 1 file missing, 3 files of no use");
}

/// The second run of the fixed keys begins with another one.
fn made_by_another_ca(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run(&Step::Phase(&super::super::ServiceAccountKeys), job).unwrap();
    bench.run(&Step::CERTS, job).unwrap();
    bench.run(&Step::KUBECONFIG, job).unwrap();
    bench
}

#[test]
fn a_joining_node_needs_neither_kubelet_conf_nor_super_admin_conf() {
    let first = default_init(V1_36);
    let gone = ["pki/ca.key", "kubelet.conf", "super-admin.conf"];
    let bench = machine(&made(&first), &gone, &[]);
    bench.run(&Step::KUBECONFIG_OF_JOIN, &join_control_plane(V1_36)).unwrap();
    bench.run(&Step::Phase(&super::super::table::APISERVER), &join_control_plane(V1_36)).unwrap();
    assert_eq!(bench.overlay.changes(), []);
}

#[test]
fn an_external_ca_that_is_not_valid_yet_is_no_ca_yet() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &KEYS, &[]);
    bench.time.set(Clock(NOW.0 - 600));
    let problem = certs(&bench, &job);
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("certificate-not-yet-valid", Some("/etc/kubernetes/pki/ca.crt"))
    );
}
