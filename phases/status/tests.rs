//! What status says of machines in memory: fresh, broken off, whole, damaged.

use super::{Role, Status, look};
use crate::stage::{Stage, init_job, join_job};
use crate::support::jobs::V1_20;
use crate::workflows::{INIT, JOIN};

fn status(stage: &Stage) -> Status {
    let job = stage.reset_job();
    stage.within(|world| look(&job, world)).unwrap()
}

#[test]
fn a_machine_on_which_nothing_was_done_is_no_node() {
    let found = status(&Stage::ready(&V1_20, "n1"));
    assert_eq!((found.role, &found.unfinished, found.troubles.len()), (Role::None, &None, 0));
    assert!(found.text().starts_with("n1           no node: kubestrap init"), "{}", found.text());
    assert_eq!(found.value()["role"], "none");
}

#[test]
fn a_run_that_was_killed_says_where_and_what_to_type() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.store.left.set(Some(41));
    stage.run(&INIT, &init_job(V1_20)).unwrap_err();
    stage.mend();
    let found = status(&stage);
    let run = found.unfinished.as_ref().unwrap();
    assert_eq!((run.command.as_str(), &run.failure), ("init", &None), "a full journal cannot say why");
    let text = found.text();
    assert!(text.contains(&format!("stopped in {} after {} changes", run.phase, run.done)), "{text}");
    assert!(text.contains(": killed\n"), "{text}");
    assert!(text.contains("type: kubestrap undo"), "{text}");
    let value = &found.value()["unfinishedRun"];
    assert_eq!((&value["phase"], &value["atWork"]), (&run.phase.as_str().into(), &false.into()));
}

#[test]
fn a_run_that_is_at_work_is_not_to_be_gone_on_with() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.store.left.set(Some(41));
    stage.run(&INIT, &init_job(V1_20)).unwrap_err();
    stage.mend();
    stage.store.held_by.replace(Some("4711".to_owned()));
    let found = status(&stage);
    let text = found.text();
    assert!(text.contains("is at work in ") && text.contains(": process 4711\n"), "{text}");
    assert!(!text.contains("type:") && !text.contains("killed"), "{text}");
    let value = &found.value()["unfinishedRun"];
    assert_eq!((&value["atWork"], &value["process"]), (&true.into(), &"4711".into()));
}

#[test]
fn a_run_that_failed_says_why() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.machine.fails_from.set(Some(12));
    let problem = stage.run(&INIT, &init_job(V1_20)).unwrap_err();
    let found = status(&stage);
    assert_eq!(found.unfinished.as_ref().unwrap().failure, Some((problem.id.clone(), problem.what.clone())));
    assert!(found.text().contains(&format!("({})", problem.id)), "{}", found.text());
    assert_eq!(found.value()["unfinishedRun"]["problem"]["id"], problem.id.as_str());
}

#[test]
fn a_control_plane_node_shows_its_api_server_etcd_certificates_and_files() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.run(&INIT, &init_job(V1_20)).unwrap();
    let found = status(&stage);
    assert_eq!((found.role, &found.unfinished), (Role::ControlPlane, &None));
    let text = found.text();
    for part in
        ["control-plane node, made by kubestrap", "none unfinished", "answers", "1 member, healthy", "ends in 365 days"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    stage.machine.put("/etc/kubernetes/manifests/kube-scheduler.yaml", "# mine\n", 0o600);
    stage.machine.put("/etc/kubernetes/admin.conf", "", 0o600);
    let damaged = status(&stage);
    let text = damaged.text();
    assert!(
        text.contains(
            "1 shorter than it was written, cut off or edited: /etc/kubernetes/manifests/kube-scheduler.yaml"
        ),
        "{text}"
    );
    assert!(text.contains("1 without content, as a power cut leaves it: /etc/kubernetes/admin.conf"), "{text}");
}

#[test]
fn a_worker_has_no_etcd_and_no_api_server_of_its_own() {
    let stage = Stage::ready_to_join(&V1_20);
    stage.run(&JOIN, &join_job(V1_20)).unwrap();
    let found = status(&stage);
    assert_eq!((found.role, found.etcd.is_none(), found.unfinished), (Role::Worker, true, None));
}
