//! Joining etcd on a machine in memory whose kubelet runs: with and without other members in the way, and broken off.

use serde_json::json;

use super::*;
use crate::config::{ExternalEtcd, JoinControlPlane};
use crate::etcd::CheckEtcd;
use crate::plan::{Step, Workflow};
use crate::stage::outcome::Outcome;
use crate::stage::{Stage, etcd_pod};
use crate::support::jobs::{V1_20, V1_36, join_control_plane};
use crate::world::{Cluster, Content, Host as _, Identity, ObjectChange, ObjectRef, UnitState, Verb};

static JOIN_ETCD: Workflow<JoinControlPlane> =
    Workflow { name: "join", early: &[], steps: &[Step::Phase(&CheckEtcd), Step::Phase(&EtcdJoin)] };

const N1: &str = "https://10.77.0.11:2379";
const N2: &str = "https://10.77.0.12:2380";

/// A machine n2 with certificates and a running kubelet, and etcd on n1.
fn ready() -> Stage {
    let mut stage = Stage::ready_to_join(&V1_20);
    let unit = UnitState { exists: true, enabled: true, active: "active".to_owned(), ..UnitState::default() };
    let overlay = std::mem::take(&mut stage.machine.overlay);
    stage.machine.overlay = overlay
        .with_object(etcd_pod("n1", "10.77.0.11"))
        .with_member("n1", "10.77.0.11")
        .with_unit("kubelet.service", unit);
    for file in ["server.crt", "peer.crt", "ca.crt", "healthcheck-client.crt", "healthcheck-client.key"] {
        stage.machine.put(&format!("/etc/kubernetes/pki/etcd/{file}"), "pem\n", 0o600);
    }
    for file in ["admin.conf", "kubelet.conf"] {
        stage.machine.put(&format!("/etc/kubernetes/{file}"), "kubeconfig\n", 0o600);
    }
    stage.machine.put("/var/log/pods/old", "", 0o600);
    stage
}

fn changes_of_membership(stage: &Stage) -> Vec<String> {
    let made = stage.machine.made();
    made.iter().filter(|change| matches!(change, Change::Member(_))).map(Change::summary).collect()
}

fn manifest(stage: &Stage) -> Option<String> {
    let bytes = stage.machine.read("/etc/kubernetes/manifests/etcd.yaml".as_ref()).unwrap()?;
    Some(String::from_utf8(bytes).unwrap())
}

fn voters(stage: &Stage) -> Vec<String> {
    let members = stage.machine.overlay.etcd_members();
    members.into_iter().filter(|member| !member.is_learner).map(|member| member.name).collect()
}

#[test]
fn a_node_becomes_a_member_by_way_of_a_learner() {
    for release in [V1_20, V1_36] {
        let stage = ready();
        stage.run(&JOIN_ETCD, &join_control_plane(release)).unwrap();
        let id = stage.machine.overlay.etcd_members().into_iter().find(|member| member.is_at(N2)).unwrap().id;
        assert_eq!(
            changes_of_membership(&stage),
            [format!("add etcd member n2 at {N2} as a learner"), format!("give etcd member n2 ({id}) its vote")]
        );
        assert_eq!(voters(&stage), ["n1", "n2"]);
        let manifest = manifest(&stage).unwrap();
        assert!(manifest.contains("--initial-cluster-state=existing"), "{manifest}");
        assert!(
            manifest.contains("--initial-cluster=n1=https://10.77.0.11:2380,n2=https://10.77.0.12:2380"),
            "{manifest}"
        );
        assert!(stage.told.lines().iter().any(|line| line.contains("2 members, all well")), "{:?}", stage.told.lines());
    }
}

#[test]
fn the_gate_says_whether_a_member_begins_as_a_learner() {
    let mut job = join_control_plane(V1_36);
    job.worker.cluster.feature_gates.insert("EtcdLearnerMode".to_owned(), false);
    let stage = ready();
    stage.run(&JOIN_ETCD, &job).unwrap();
    assert_eq!(changes_of_membership(&stage), [format!("add etcd member n2 at {N2}")]);
    assert_eq!(voters(&stage), ["n1", "n2"]);
}

/// Broken off before each change, and at each line of the journal: the same command ends the same, with one member.
#[test]
fn a_join_that_was_broken_off_anywhere_is_finished_by_the_same_command() {
    let job = join_control_plane(V1_20);
    let whole = ready();
    whole.run(&JOIN_ETCD, &job).unwrap();
    let expected = Outcome::of(&whole);
    type Break = fn(&Stage, usize);
    let breaks: [(&str, Break); 3] = [
        ("change", |stage, n| stage.machine.fails_from.set(Some(n + 1))),
        ("journal line", |stage, n| stage.store.left.set(Some(n))),
        ("interrupt", |stage, n| stage.time.interrupted_after.set(Some(n))),
    ];
    for (kind, arm) in breaks {
        for n in 0.. {
            let name = format!("{kind} {n}");
            let stage = ready();
            arm(&stage, n);
            if stage.run(&JOIN_ETCD, &job).is_ok() {
                assert!(n > 3, "{name}: nothing was broken off");
                break;
            }
            assert!(stage.machine.overlay.etcd_members().len() <= 2, "{name}");
            stage.mend();
            stage.run(&JOIN_ETCD, &job).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
            Outcome::of(&stage).assert_same(&expected, &name);
            let changes = stage.machine.made().len();
            stage.run(&JOIN_ETCD, &job).unwrap();
            assert_eq!(stage.machine.made().len(), changes, "{name}: a third run has nothing to do");
        }
    }
}

#[test]
fn the_journal_knows_the_member_and_how_to_take_it_back() {
    let stage = ready();
    stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap();
    let lines = crate::plan::Store::lines(&stage.store).unwrap().join("\n");
    assert!(lines.contains(&format!(r#"{{"kind":"remove-member","peer_url":"{N2}"}}"#)), "{lines}");
    stage.within(|world| assert_eq!(world.journal().inventory().unwrap().etcd_member(), Some(N2)));
}

#[test]
fn a_started_member_keeps_the_manifest_it_was_started_with() {
    let stage = ready();
    let job = join_control_plane(V1_20);
    stage.run(&JOIN_ETCD, &job).unwrap();
    let (before, changes) = (manifest(&stage), stage.machine.made().len());
    let mut later = stage;
    later.machine.overlay = std::mem::take(&mut later.machine.overlay).with_member("n3", "10.77.0.13");
    later.run(&JOIN_ETCD, &job).unwrap();
    assert_eq!((manifest(&later), later.machine.made().len()), (before, changes));
}

#[test]
fn a_member_that_was_announced_only_is_named_by_its_number_in_the_manifest() {
    let mut stage = ready();
    stage.machine.overlay = std::mem::take(&mut stage.machine.overlay).with_member("", "10.77.0.13");
    let id = stage.machine.overlay.etcd_members().into_iter().find(|member| !member.has_started()).unwrap().id;
    stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap();
    let manifest = manifest(&stage).unwrap();
    assert!(manifest.contains(&format!("{id}=https://10.77.0.13:2380")), "{manifest}");
}

/// A named problem, and nothing changed.
fn refused(name: &str, stage: &Stage, id: &str) -> Problem {
    let problem = stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap_err();
    assert_eq!(problem.id, id, "{name}: {problem:?}");
    assert!(!problem.fixes.is_empty(), "{name}");
    assert_eq!(changes_of_membership(stage), [] as [&str; 0], "{name}");
    problem
}

#[test]
fn what_is_in_the_way_is_named_before_etcd_is_touched() {
    let mut namesake = ready();
    namesake.machine.overlay = std::mem::take(&mut namesake.machine.overlay).with_member("n2", "10.77.0.99");
    let problem = refused("namesake", &namesake, "etcd-member-stale");
    assert!(problem.saw.unwrap().contains("https://10.77.0.99:2380"));

    let old_data = ready();
    old_data.machine.put("/var/lib/etcd/member/snap/db", "old", 0o600);
    refused("old data", &old_data, "etcd-data-left");

    let mut sick = ready();
    sick.machine.overlay = std::mem::take(&mut sick.machine.overlay).with_member("n3", "10.77.0.13");
    sick.machine.overlay.silence(&["https://10.77.0.13:2379"]);
    let problem = refused("sick", &sick, "etcd-unhealthy");
    assert_eq!(problem.saw.as_deref(), Some("n3 (connection refused)"));
    assert!(problem.fixes[0].contains("member remove "), "{problem:?}");

    let away = ready();
    away.machine.overlay.silence(&[N1]);
    refused("away", &away, "etcd-unhealthy");
}

#[test]
fn without_addresses_of_etcd_nothing_is_done() {
    let mut stage = ready();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "etcd-n1", "namespace": "kube-system", "labels": {"component": "etcd", "tier": "control-plane"}}});
    stage.machine.overlay = std::mem::take(&mut stage.machine.overlay).with_object(pod);
    refused("no annotation", &stage, "etcd-no-endpoint");
}

#[test]
fn a_learner_in_the_way_is_waited_for_and_then_named() {
    let mut stage = ready();
    let other = join_control_plane(V1_20);
    stage.machine.overlay = std::mem::take(&mut stage.machine.overlay);
    let change = MemberChange {
        access: members::access(&other.worker.node.layout, vec![N1.to_owned()]),
        node: "n3".to_owned(),
        peer_url: "https://10.77.0.13:2380".to_owned(),
        action: MemberAction::Add { as_learner: true },
    };
    crate::world::Etcd::apply(&stage.machine.overlay, &change).unwrap();
    let problem = refused("learner", &stage, "etcd-refused");
    assert!(problem.why.contains("too many learner members"), "{problem:?}");
    assert!(problem.fixes[0].contains("member list"), "{problem:?}");
}

#[test]
fn an_etcd_that_never_starts_is_told_with_what_the_kubelet_does() {
    let mut stage = ready();
    stage.machine.overlay = std::mem::take(&mut stage.machine.overlay).with_unit(
        "kubelet.service",
        UnitState { exists: true, active: "activating".to_owned(), sub: "start".to_owned(), ..UnitState::default() },
    );
    let problem = stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap_err();
    assert_eq!(problem.id, "etcd-not-started");
    assert!(problem.saw.unwrap().contains("kubelet activating"), "what was seen last");
    assert_eq!(voters(&stage), ["n1"], "it has no vote, so that nobody misses it");
}

#[test]
fn external_etcd_is_left_alone() {
    let mut job = join_control_plane(V1_20);
    job.worker.cluster.etcd = Etcd::External(ExternalEtcd {
        endpoints: vec!["https://10.77.0.31:2379".to_owned()],
        http_endpoints: Vec::new(),
        ca_file: "/etc/etcd/ca.crt".into(),
        cert_file: "/etc/etcd/client.crt".into(),
        key_file: "/etc/etcd/client.key".into(),
    });
    let stage = Stage::ready_to_join(&V1_20);
    stage.run(&JOIN_ETCD, &job).unwrap();
    assert_eq!(stage.machine.made(), []);
}

/// `ready`, where the Pod of n1 is not shown yet.
fn ready_without_pod() -> Stage {
    let mut stage = ready();
    let gone = ObjectChange {
        identity: Identity::Kubeconfig("/etc/kubernetes/admin.conf".into()),
        object: ObjectRef::of(&etcd_pod("n1", "10.77.0.11")),
        verb: Verb::Delete,
        body: Content::new(""),
    };
    Cluster::apply(&stage.machine.overlay, &gone).unwrap();
    let overlay = std::mem::take(&mut stage.machine.overlay);
    stage.machine.overlay = overlay.with_object(json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": "default", "name": "kubernetes"},
        "subsets": [{"addresses": [{"ip": "10.77.0.11"}], "ports": [{"name": "https", "port": 6443}]}],
    }));
    stage
}

#[test]
fn members_that_no_pod_shows_yet_are_found_beside_the_api_servers() {
    let stage = ready_without_pod();
    stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap();
    assert_eq!(voters(&stage), ["n1", "n2"]);
}

/// A node that is joined again after a reset has left its own Pod behind, which is shown until its kubelet runs again.
#[test]
fn a_pod_of_a_member_that_is_gone_hides_no_other_member() {
    let mut stage = ready_without_pod();
    stage.machine.overlay = std::mem::take(&mut stage.machine.overlay).with_object(etcd_pod("n3", "10.77.0.13"));
    stage.machine.overlay.silence(&["https://10.77.0.13:2379"]);
    stage.run(&JOIN_ETCD, &join_control_plane(V1_20)).unwrap();
    assert_eq!(voters(&stage), ["n1", "n2"]);
}

/// For some seconds after a reset, not even the API servers of the others are known. Found on real nodes.
#[test]
fn what_an_earlier_life_of_this_node_left_is_not_taken_for_the_cluster() {
    let mut stage = ready_without_pod();
    stage.machine.overlay =
        std::mem::take(&mut stage.machine.overlay).with_object(etcd_pod("n2", "10.77.0.12")).with_object(json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": "default", "name": "kubernetes"},
            "subsets": [{"addresses": [{"ip": "10.77.0.12"}], "ports": [{"name": "https", "port": 6443}]}],
        }));
    stage.machine.overlay.silence(&["https://10.77.0.12:2379"]);
    refused("its own Pod", &stage, "etcd-no-endpoint");
}
