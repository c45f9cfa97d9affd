//! The tables of the workflows: what a phase needs is made before it, paths are unique, each phase says what it does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{CreateToken, Etcd, ExternalEtcd, Init, RemoveNode};
use crate::plan::{Selection, Step, Verdict, Workflow, walk};
use crate::stage::{Stage, join_job};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init, node};
use crate::workflows::{INIT, JOIN, JOIN_CONTROL_PLANE, REMOVE, RESET, TOKEN_CREATE};

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
        let token = default_init(release).tokens.remove(0);
        let kubeconfig = kubeconfig.clone();
        check(&TOKEN_CREATE, "token create", &CreateToken { token, kubeconfig, print_join_command: true });
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
    [rows(&INIT), rows(&JOIN), rows(&RESET), rows(&REMOVE), rows(&TOKEN_CREATE)].concat()
}

#[test]
fn every_path_is_there_once() {
    let mut seen = BTreeSet::new();
    for (path, _) in all_rows() {
        assert!(seen.insert(path.clone()), "{path}");
    }
}

#[test]
fn every_phase_says_in_one_line_what_it_does() {
    for (path, about) in all_rows() {
        assert!(!about.is_empty() && !about.contains('\n') && !about.ends_with('.'), "{path}: {about}");
        assert!(about.len() <= 80, "{path}: {about}");
    }
}
