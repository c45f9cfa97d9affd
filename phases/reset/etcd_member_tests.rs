//! Leaving etcd from a machine in memory: among others, as the last one, without a majority, and when nobody answers.

use serde_json::json;

use super::*;
use crate::config::Release;
use crate::plan::{Step, Workflow};
use crate::stage::{Stage, init_job};
use crate::support::jobs::V1_20;
use crate::workflows::INIT;

static LEAVE: Workflow<Reset> = Workflow { name: "reset", early: &[], steps: &[Step::Phase(&RemoveEtcdMember)] };

/// Addresses of further members.
const OTHERS: [(&str, &str); 2] = [("n2", "10.77.0.12"), ("n3", "10.77.0.13")];

/// A control-plane node n1, with this many further members.
fn control_plane(others: usize) -> Stage {
    let mut stage = initialised(V1_20);
    for (name, address) in &OTHERS[..others] {
        stage.machine.overlay =
            std::mem::take(&mut stage.machine.overlay).with_object(etcd_pod(name, address)).with_member(name, address);
    }
    stage
}

fn etcd_pod(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": name},
        "metadata": {
            "name": format!("etcd-{name}"), "namespace": "kube-system",
            "labels": {"component": "etcd", "tier": "control-plane"},
            "annotations": {"kubeadm.kubernetes.io/etcd.advertise-client-urls": format!("https://{address}:2379")},
        },
    })
}

fn initialised(release: Release) -> Stage {
    let stage = Stage::ready(&release, "n1");
    stage.run(&INIT, &init_job(release)).unwrap();
    stage
}

fn members(stage: &Stage) -> Vec<String> {
    stage.machine.overlay.etcd_members().into_iter().map(|member| member.name).collect()
}

fn told(stage: &Stage, text: &str) -> bool {
    stage.told.lines().iter().any(|line| line.contains(text))
}

#[test]
fn one_member_of_several_leaves() {
    for (others, left) in [(1, vec!["n2"]), (2, vec!["n2", "n3"])] {
        let stage = control_plane(others);
        stage.run(&LEAVE, &stage.reset_job()).unwrap();
        let mut members = members(&stage);
        members.sort();
        assert_eq!(members, left);
        assert_eq!(stage.told.warnings(), []);
    }
}

#[test]
fn a_member_that_has_left_is_not_looked_for_again() {
    let stage = control_plane(2);
    let job = stage.reset_job();
    stage.run(&LEAVE, &job).unwrap();
    let changes = stage.machine.made().len();
    stage.machine.overlay.silence(&["https://10.77.0.11:2379", "https://10.77.0.12:2379", "https://10.77.0.13:2379"]);
    stage.run(&LEAVE, &job).unwrap();
    assert_eq!((stage.machine.made().len(), stage.told.warnings()), (changes, vec![]));
}

#[test]
fn the_last_member_stays_with_the_data_that_is_removed_later() {
    let stage = control_plane(0);
    stage.run(&LEAVE, &stage.reset_job()).unwrap();
    assert_eq!(members(&stage), ["n1"]);
    assert!(told(&stage, "last member"), "{:?}", stage.told.lines());
}

#[test]
fn one_that_is_needed_for_the_majority_stays_and_says_so() {
    let stage = control_plane(2);
    stage.machine.overlay.silence(&["https://10.77.0.13:2379"]);
    let changes = stage.machine.made().len();
    let problem = stage.run(&LEAVE, &stage.reset_job()).unwrap_err();
    assert_eq!(problem.id, "etcd-quorum");
    assert_eq!(problem.saw.as_deref(), Some("not well: n3 (connection refused)"));
    assert!(problem.fixes.iter().any(|fix| fix.contains("--skip-phases remove-etcd-member")), "{problem:?}");
    assert_eq!(stage.machine.made().len(), changes, "nothing was changed");
}

#[test]
fn an_etcd_without_majority_is_warned_of_and_left() {
    let stage = control_plane(1);
    stage.machine.overlay.silence(&["https://10.77.0.12:2379"]);
    stage.run(&LEAVE, &stage.reset_job()).unwrap();
    let warnings = stage.told.warnings();
    assert_eq!(warnings.iter().map(|warning| warning.id.as_str()).collect::<Vec<_>>(), ["etcd-member-left"]);
    assert!(warnings[0].why.contains("n2 (connection refused)"), "{warnings:?}");
    assert!(warnings[0].fixes[0].contains("member remove "), "{warnings:?}");
}

#[test]
fn an_etcd_that_is_gone_is_warned_of_and_left() {
    let stage = control_plane(1);
    stage.machine.overlay.silence(&["https://10.77.0.11:2379", "https://10.77.0.12:2379"]);
    stage.run(&LEAVE, &stage.reset_job()).unwrap();
    let warnings = stage.told.warnings();
    assert_eq!(warnings[0].id, "etcd-member-left");
    assert!(warnings[0].fixes[0].contains("etcdctl") && warnings[0].fixes[0].contains("member list"), "{warnings:?}");
}

#[test]
fn a_refusal_stops_the_reset_before_anything_is_removed() {
    let stage = control_plane(1);
    stage.machine.fails_from.set(Some(stage.machine.asked.get() + 1));
    let problem = stage.run(&LEAVE, &stage.reset_job()).unwrap_err();
    assert_eq!(problem.id, "etcd-member-left");
    assert!(problem.why.contains("database space exceeded"), "{problem:?}");
}

/// A join that was killed between announcing the member and writing its manifest.
#[test]
fn a_member_that_was_only_announced_is_known_from_the_journal() {
    let mut stage = Stage::ready_to_join(&V1_20);
    let overlay = std::mem::take(&mut stage.machine.overlay).with_object(etcd_pod("n1", "10.77.0.11"));
    stage.machine.overlay = overlay.with_member("n1", "10.77.0.11");
    stage.machine.put("/etc/kubernetes/admin.conf", "kubeconfig\n", 0o600);
    let access = members::access(&Layout::default(), vec!["https://10.77.0.11:2379".to_owned()]);
    let peer_url = "https://10.77.0.12:2380".to_owned();
    let action = MemberAction::Add { as_learner: true };
    let change = MemberChange { access, node: "n2".to_owned(), peer_url, action };
    stage.within(|world| world.change(&Change::Member(change))).unwrap();
    assert_eq!(members(&stage).len(), 2);
    stage.run(&LEAVE, &stage.reset_job()).unwrap();
    assert_eq!(members(&stage), ["n1"]);
    let made = stage.machine.made();
    let Some(Change::Member(removal)) = made.last() else { panic!("{made:?}") };
    assert_eq!(removal.access.endpoints, ["https://10.77.0.11:2379"]);
}

#[test]
fn without_an_api_server_the_members_of_old_are_asked() {
    let stage = Stage::ready(&V1_20, "n2");
    let flags = [
        "initial-advertise-peer-urls=https://10.77.0.12:2380",
        "advertise-client-urls=https://10.77.0.12:2379",
        "initial-cluster=n1=https://10.77.0.11:2380,n2=https://10.77.0.12:2380",
    ];
    let command: String = flags.iter().map(|flag| format!("    - --{flag}\n")).collect();
    let manifest = format!("spec:\n  containers:\n  - command:\n    - etcd\n{command}");
    stage.machine.put("/etc/kubernetes/manifests/etcd.yaml", &manifest, 0o600);
    let job = stage.reset_job();
    let access = stage.within(|world| Own::of(&job, world)?.expect("a manifest").access(&job, world)).unwrap();
    assert_eq!(access.endpoints, ["https://10.77.0.11:2379", "https://10.77.0.12:2379"]);
}

#[test]
fn a_node_without_local_etcd_is_told_what_is_left() {
    let worker = Stage::ready(&V1_20, "n2");
    worker.run(&LEAVE, &worker.reset_job()).unwrap();
    assert!(told(&worker, "no local etcd"), "{:?}", worker.told.lines());

    let external = Stage::ready(&V1_20, "n1");
    external.machine.put("/etc/kubernetes/manifests/kube-apiserver.yaml", "{}", 0o600);
    external.run(&LEAVE, &external.reset_job()).unwrap();
    assert!(told(&external, "etcd is external"), "{:?}", external.told.lines());
}
