//! The tables of the workflows: what a phase needs is made before it, paths are unique, each phase says what it does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{CreateToken, DeleteTokens, Etcd, ExternalEtcd, Init, RemoveNode};
use crate::plan::{OTHER_NAMES, Selection, Step, Verdict, Workflow, walk};
use crate::stage::{Stage, join_job};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init, node};
use crate::workflows::{
    GENERATE_CSR, INIT, JOIN, JOIN_CONTROL_PLANE, REMOVE, RENEW, RESET, TOKEN_CREATE, TOKEN_DELETE,
};

/// Files that no phase of the workflow makes, and who does.
const GIVEN: [(&str, &str, &str); 2] = [
    ("token create", "/etc/kubernetes/admin.conf", "the node is a control-plane node already"),
    ("remove", "/etc/kubernetes/admin.conf", "the node is a control-plane node already"),
];

fn check<J>(workflow: &'static Workflow<J>, name: &str, job: &J) {
    let mut there: BTreeSet<PathBuf> =
        GIVEN.iter().filter(|(of, ..)| *of == workflow.name).map(|(_, path, _)| PathBuf::from(path)).collect();
    for planned in workflow.plan(job, &Selection::default()).unwrap().phases {
        if planned.verdict != Verdict::Run {
            continue;
        }
        for need in planned.phase.needs(job) {
            assert!(there.contains(&need.path), "{name}: {} needs {}", planned.path, need.path.display());
        }
        there.extend(planned.phase.makes(job).into_iter().map(|made| made.path));
    }
}

fn external_etcd(mut job: Init) -> Init {
    let file = |name: &str| Path::new("/etc/etcd").join(name);
    job.cluster.etcd = Etcd::External(ExternalEtcd {
        http_endpoints: Vec::new(),
        endpoints: vec!["https://10.77.0.31:2379".to_owned()],
        ca_file: file("ca.crt"),
        cert_file: file("client.crt"),
        key_file: file("client.key"),
    });
    job
}

#[test]
fn what_a_phase_of_init_needs_is_made_before_it() {
    for release in [V1_20, V1_36] {
        check(&INIT, &format!("default {release}"), &default_init(release.clone()));
        check(&INIT, &format!("custom {release}"), &custom_init(release.clone()));
        check(&INIT, &format!("external etcd {release}"), &external_etcd(default_init(release)));
    }
}

#[test]
fn the_kubelet_of_init_is_begun_first_and_the_rest_keeps_its_order() {
    let job = default_init(V1_20);
    let whole = |skip: &[&str]| {
        let skip = skip.iter().map(|&path| path.to_owned()).collect();
        let plan = INIT.plan(&job, &Selection { only: None, skip }).unwrap();
        plan.phases.into_iter().map(|planned| planned.path).collect::<Vec<_>>()
    };
    let order = whole(&[]);
    assert_eq!(
        order[..6],
        [
            "preflight",
            "certs/ca",
            "kubeconfig/kubelet",
            "kubelet-start",
            "certs/apiserver",
            "certs/apiserver-kubelet-client"
        ]
    );
    assert_eq!(order, whole(&["kubelet-start"]), "what is left out is told in its place");
    let only = INIT.plan(&job, &Selection { only: Some("certs".to_owned()), skip: Vec::new() }).unwrap();
    assert_eq!(only.phases[0].path, "certs/ca");
    let paths = INIT.paths();
    assert!(INIT.early.iter().all(|path| paths.iter().any(|known| known == path)), "{paths:?}");
}

#[test]
fn what_a_phase_of_join_needs_is_made_before_it() {
    for release in [V1_20, V1_36] {
        check(&JOIN, &release.to_string(), &join_job(release.clone()));
    }
}

#[test]
fn what_a_phase_of_a_joining_control_plane_node_needs_is_made_before_it() {
    for release in [V1_20, V1_36] {
        let job = Stage::ready_to_join_control_plane(&release).join_control_plane_job(release.clone());
        check(&JOIN_CONTROL_PLANE, &release.to_string(), &job);
        let external = external_etcd(default_init(release.clone())).cluster.etcd;
        let mut with_external = job;
        with_external.worker.cluster.etcd = external;
        check(&JOIN_CONTROL_PLANE, &format!("external etcd {release}"), &with_external);
    }
}

#[test]
fn what_a_phase_of_the_other_workflows_needs_is_made_before_it_or_given() {
    let kubeconfig = PathBuf::from("/etc/kubernetes/admin.conf");
    for release in [V1_20, V1_36] {
        check(&RESET, "reset", &Stage::ready(&release, "n1").reset_job());
        let tokens = default_init(release).tokens;
        let ids = tokens.iter().map(|spec| spec.token.id().clone()).collect();
        check(&TOKEN_DELETE, "token delete", &DeleteTokens { ids, kubeconfig: kubeconfig.clone() });
        let kubeconfig = kubeconfig.clone();
        let job = CreateToken { tokens, kubeconfig, print_join_command: true, certificate_key: None };
        check(&TOKEN_CREATE, "token create", &job);
    }
    let (target, drain_timeout) = (node("n2").name, std::time::Duration::from_secs(120));
    check(&REMOVE, "remove", &RemoveNode { target, kubeconfig, drain_timeout });
}

/// Path and line of every row.
fn rows<J>(workflow: &'static Workflow<J>) -> Vec<(String, &'static str)> {
    let mut rows = Vec::new();
    walk(workflow.steps, "", &mut |path, step: &Step<J>| {
        rows.push((format!("{} {path}", workflow.name), step.about()))
    });
    rows
}

fn all_rows() -> Vec<(String, &'static str)> {
    let of_certs = [rows(&RENEW), rows(&GENERATE_CSR)].concat();
    [
        rows(&INIT),
        rows(&JOIN_CONTROL_PLANE),
        rows(&RESET),
        rows(&REMOVE),
        rows(&TOKEN_CREATE),
        rows(&TOKEN_DELETE),
        of_certs,
    ]
    .concat()
}

#[test]
fn every_path_is_there_once() {
    let mut seen = BTreeSet::new();
    for (path, _) in all_rows() {
        assert!(seen.insert(path.clone()), "{path}");
    }
}

#[test]
fn kubeadms_other_names_lead_to_phases() {
    let plan = |only: Option<&str>, skip: &[&str]| {
        let skip = skip.iter().map(|&name| name.to_owned()).collect();
        let job = Stage::ready(&V1_20, "n1").reset_job();
        let plan = RESET.plan(&job, &Selection { only: only.map(str::to_owned), skip }).ok()?;
        let paths = plan.phases.iter().filter(|planned| planned.verdict == Verdict::Run).map(|it| it.path.clone());
        Some(paths.collect::<Vec<_>>())
    };
    assert_eq!(plan(Some("pre-flight"), &[]), Some(vec!["preflight".to_owned()]));
    assert_eq!(plan(Some("cleanupnode"), &[]), plan(Some("cleanup-node"), &[]));
    assert_eq!(plan(Some("cleanupnode/unmount"), &[]), Some(vec!["cleanup-node/unmount".to_owned()]));
    assert_eq!(plan(None, &["cleanupnode", "pre-flight"]), plan(None, &["cleanup-node", "preflight"]));
    for unknown in ["cleanupnode/nonsense", "pre"] {
        assert_eq!(plan(Some(unknown), &[]), None, "{unknown}");
    }
}

#[test]
fn every_other_name_has_a_phase() {
    let rows: Vec<String> = all_rows().into_iter().map(|(path, _)| path).collect();
    for other in &OTHER_NAMES {
        assert!(rows.contains(&format!("{} {}", other.workflow, other.today)), "{other:?}");
    }
}

#[test]
fn every_phase_says_in_one_line_what_it_does() {
    for (path, about) in all_rows() {
        assert!(!about.is_empty() && !about.contains('\n') && !about.ends_with('.'), "{path}: {about}");
        assert!(about.len() <= 80, "{path}: {about}");
    }
}
