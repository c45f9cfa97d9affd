//! Whatever a run has made until it was broken off, undo takes it back: files, modes, owners, units, Pods, members. An undo
//! that is broken off itself is gone on with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use crate::cluster_status::config_map;
use crate::config::{JoinControlPlane, Release};
use crate::plan::{Store as _, Workflow};
use crate::stage::{Stage, init_job, join_job};
use crate::support::jobs::{V1_20, V1_36};
use crate::workflows::{INIT, JOIN, JOIN_CONTROL_PLANE};
use crate::world::{Cluster, Content, Host as _, Identity, KeyAlgorithm, ObjectChange, UnitState, Verb};

/// What a machine is, as far as undo has to put it back.
#[derive(Debug, PartialEq)]
struct Seen {
    files: BTreeMap<PathBuf, (u32, Option<String>)>,
    kubelet: UnitState,
    pods: usize,
    members: Vec<String>,
}

/// The etcd that a run of `init` has made ends with its data.
fn look(stage: &Stage) -> Seen {
    let members = if stage.machine.is_api_elsewhere { stage.machine.overlay.etcd_members() } else { Vec::new() };
    let files = stage.machine.tree().into_iter();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Seen {
        files: files.map(|(path, (mode, content))| (path, (mode, content.map(text)))).collect(),
        kubelet: stage.machine.unit("kubelet.service").unwrap(),
        pods: stage.machine.runtime("").unwrap().sandboxes.len(),
        members: members.iter().map(|member| format!("{member:?}")).collect(),
    }
}

/// A machine with files of its user's where the run will write, and beside it.
fn with_files(stage: Stage) -> Stage {
    stage.machine.put("/var/lib/kubelet/config.yaml", "# of the distribution\n", 0o640);
    stage.machine.put("/etc/kubernetes/mine.conf", "mine\n", 0o644);
    stage
}

fn takes_back<J>(workflow: &'static Workflow<J>, stage: &dyn Fn() -> Stage, job: &dyn Fn(&Stage) -> J) {
    for n in 0.. {
        let name = format!("{} broken off after {n} lines", workflow.name);
        let stage = stage();
        let job = job(&stage);
        let before = look(&stage);
        stage.store.left.set(Some(n));
        let is_done = stage.run(workflow, &job).is_ok();
        stage.mend();
        // An undo that is broken off itself: at a place that differs from run to run.
        stage.store.left.set(Some(n * 7 % 40));
        let first = stage.undo();
        stage.mend();
        let began = n > 0;
        match first {
            Ok(was_there) => assert_eq!(was_there, began, "{name}"),
            Err(_) => assert_eq!(stage.undo(), Ok(true), "{name}"),
        }
        assert_eq!(look(&stage), before, "{name}");
        assert!(stage.store.lines().unwrap().is_empty(), "{name}: the journal is as before");
        if is_done {
            assert!(n > 20, "{name}: nothing was broken off");
            return;
        }
    }
}

fn control_plane_job(stage: &Stage, release: Release) -> JoinControlPlane {
    stage.join_control_plane_job(release)
}

#[test]
fn init_is_taken_back_from_any_line_of_the_journal() {
    for release in [V1_20, V1_36] {
        takes_back(&INIT, &|| with_files(Stage::ready(&release, "n1")), &|_| {
            let mut job = init_job(release.clone());
            job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
            job
        });
    }
}

#[test]
fn join_is_taken_back_from_any_line_of_the_journal() {
    for release in [V1_20, V1_36] {
        takes_back(&JOIN, &|| with_files(Stage::ready_to_join(&release)), &|_| join_job(release.clone()));
    }
}

#[test]
fn join_of_a_control_plane_node_is_taken_back_from_any_line_of_the_journal() {
    for release in [V1_20, V1_36] {
        let stage = || with_files(Stage::ready_to_join_control_plane(&release));
        takes_back(&JOIN_CONTROL_PLANE, &stage, &|stage| control_plane_job(stage, release.clone()));
    }
}

#[test]
fn a_control_plane_node_that_joined_meanwhile_stays_in_the_list_of_api_servers() {
    let stage = Stage::ready_to_join_control_plane(&V1_20);
    stage.run(&JOIN_CONTROL_PLANE, &control_plane_job(&stage, V1_20)).unwrap();
    let names = || {
        let map = stage.machine.overlay.objects().into_iter().find(|it| it["metadata"]["name"] == "kubeadm-config");
        map.unwrap()["data"]["ClusterStatus"].as_str().unwrap().to_owned()
    };
    let with_both = names();
    assert!(with_both.contains("n2:"), "{with_both}");
    let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
    let status = with_both.replace("apiVersion:", "  n3:\n    bindPort: 6443\napiVersion:");
    let later = ObjectChange {
        identity: admin,
        object: config_map(),
        verb: Verb::Patch,
        body: Content::new(json!({"data": {"ClusterStatus": status}}).to_string()),
    };
    Cluster::apply(&stage.machine.overlay, &later).unwrap();
    assert_eq!(stage.undo(), Ok(true));
    assert!(names().contains("n3:") && !names().contains("n2:"), "{}", names());
}

#[test]
fn an_undo_that_fails_tells_both_errors_and_how_to_go_on() {
    let stage = with_files(Stage::ready(&V1_20, "n1"));
    stage.machine.fails_from.set(Some(30));
    let first = stage.run(&INIT, &init_job(V1_20)).unwrap_err();
    let problem = stage.undo().unwrap_err();
    assert!(problem.what.starts_with("the undo stopped half-way: "), "{problem:?}");
    let saw = problem.saw.unwrap();
    assert!(saw.ends_with(&format!("the init had ended with {}: {}", first.id, first.what)), "{saw}");
    assert_eq!(problem.fixes.last().map(String::as_str), Some("then go on with it: kubestrap undo"));
    stage.mend();
    assert_eq!(stage.undo(), Ok(true));
}
