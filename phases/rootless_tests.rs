//! The control plane without root: ids, manifests, whose files are, and runs that are broken off and taken back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::config::{Init, InitFlags, LocalEtcd, Release, resolve_init};
use crate::control_plane::{apiserver, controller_manager, scheduler};
use crate::etcd::local;
use crate::stage::{Machine, Stage, init_job, ready_overlay};
use crate::support::jobs::{V1_36, default_init};
use crate::support::{Bench, FixedEntropy, NOW};
use crate::workflows::{INIT, JOIN_CONTROL_PLANE, RESET};
use crate::world::{KeyAlgorithm, Overlay};
use crate::yaml;

const V1_22: Release = Release::new(22, 4);
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nmessagebus:x:100:102::/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\nssl-cert:x:101:\n";

fn a_host() -> Overlay<'static> {
    Overlay::default().with_file("/etc/passwd", PASSWD, 0o644).with_file("/etc/group", GROUP, 0o644)
}

fn with_gate(mut job: Init, host: &dyn Host) -> Init {
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    job.cluster.feature_gates.insert(GATE.to_owned(), true);
    job.node.accounts = accounts(&job.cluster, host).unwrap();
    job
}

fn decided(host: &dyn Host) -> Result<Vec<(u32, u32)>, Problem> {
    let mut cluster = default_init(V1_36).cluster;
    cluster.feature_gates.insert(GATE.to_owned(), true);
    let accounts = accounts(&cluster, host)?.unwrap();
    let ids = USERS.map(|(component, _)| (accounts.of(component).uid, accounts.of(component).gid));
    Ok(ids.into_iter().chain([(0, accounts.key_readers)]).collect())
}

#[test]
fn free_ids_are_taken_and_those_that_are_there_are_kept() {
    assert_eq!(decided(&a_host()).unwrap(), [(101, 100), (102, 103), (103, 104), (104, 105), (0, 106)]);
    let all = decided(&Overlay::default()).unwrap();
    assert_eq!(all, [(100, 100), (101, 101), (102, 102), (103, 103), (0, 104)]);
    let limits = "# SYS_UID_MIN 5\nSYS_UID_MIN\t\t201\nSYS_GID_MIN 301\n";
    let host = a_host().with_file("/etc/login.defs", limits, 0o644);
    assert_eq!(decided(&host).unwrap()[0], (201, 301));
    let passwd = format!("{PASSWD}kubeadm-kas:x:990:991::/:/bin/false\n");
    let group = format!("{GROUP}kubeadm-kas:x:991:\nkubeadm-ks:x:800:\nkubeadm-sa-key-readers:x:700:\n");
    let host = a_host().with_file("/etc/passwd", &passwd, 0o644).with_file("/etc/group", &group, 0o644);
    assert_eq!(decided(&host).unwrap(), [(101, 100), (990, 991), (102, 103), (103, 800), (0, 700)]);
}

#[test]
fn without_a_free_id_nothing_is_begun() {
    let host = a_host().with_file("/etc/login.defs", "SYS_UID_MIN 100\nSYS_UID_MAX 102\n", 0o644);
    let problem = decided(&host).unwrap_err();
    assert_eq!((problem.id.as_str(), problem.fixes.len()), ("no-free-id", 2));
}

#[test]
fn the_gate_decides_and_only_releases_that_have_it_know_it() {
    assert_eq!(accounts(&default_init(V1_36).cluster, &a_host()).unwrap(), None);
    let resolve = |version: &str, gate: &str| {
        let mut host = a_host();
        host.facts.host_name = "n1".to_owned();
        host.facts.default_addresses = vec!["10.77.0.11".parse().unwrap()];
        let flags = InitFlags {
            kubernetes_version: Some(version.to_owned()),
            feature_gates: Some(format!("{GATE}={gate}")),
            ..InitFlags::default()
        };
        resolve_init(&flags, &host, NOW, &FixedEntropy::default())
    };
    for version in ["v1.22.0", "v1.36.2"] {
        assert!(resolve(version, "true").unwrap().node.accounts.is_some(), "{version}");
        assert_eq!(resolve(version, "false").unwrap().node.accounts, None, "{version}");
    }
    assert_eq!(resolve("v1.21.0", "true").unwrap_err().findings[0].id, "config-unknown-gate");
}

fn contexts(manifest: &str) -> (Value, Value) {
    let pod: Value = yaml::parse(manifest).unwrap();
    (pod["spec"]["securityContext"].clone(), pod["spec"]["containers"][0]["securityContext"].clone())
}

#[test]
fn every_component_runs_as_its_user_with_what_rights_it_needs() {
    let seccomp = json!({"type": "RuntimeDefault"});
    let user = |uid: u32, gid: u32| json!({"runAsUser": uid, "runAsGroup": gid, "seccompProfile": seccomp});
    let reader = |uid: u32, gid: u32| {
        let mut context = user(uid, gid);
        context["supplementalGroups"] = json!([106]);
        context
    };
    let none = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let bind = json!({"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}});
    for release in [V1_22, V1_36] {
        let job = with_gate(default_init(release.clone()), &a_host());
        let Etcd::Local(etcd) = &job.cluster.etcd else { panic!("etcd is local here") };
        for (manifest, pod, container) in [
            (local::manifest(&job, etcd, &[]), user(101, 100), &none),
            (apiserver::manifest(&job), reader(102, 103), &bind),
            (controller_manager::manifest(&job, false), reader(103, 104), &none),
            (scheduler::manifest(&job), user(104, 105), &none),
        ] {
            assert_eq!(contexts(&manifest.unwrap()), (pod, container.clone()), "{release}");
        }
        let root = contexts(&apiserver::manifest(&default_init(release)).unwrap());
        assert_eq!(root, (json!({"seccompProfile": seccomp}), Value::Null));
    }
}

/// Files and folders that do not belong to root, with group and mode.
fn given(machine: &Machine) -> BTreeMap<String, (u32, u32, u32)> {
    let paths = machine.tree().into_keys().map(|path| Host::stat(machine, &path).unwrap().unwrap());
    let owned = paths.filter(|found| (found.uid, found.gid) != (0, 0));
    owned.map(|found| (found.path.display().to_string(), (found.uid, found.gid, found.mode))).collect()
}

fn text(machine: &Machine, path: &str) -> String {
    String::from_utf8(machine.read(Path::new(path)).unwrap().unwrap_or_default()).unwrap()
}

fn expected() -> BTreeMap<String, (u32, u32, u32)> {
    let files = [
        ("/etc/kubernetes/controller-manager.conf", (103, 104, 0o600)),
        ("/etc/kubernetes/pki/apiserver-etcd-client.key", (102, 103, 0o600)),
        ("/etc/kubernetes/pki/apiserver-kubelet-client.key", (102, 103, 0o600)),
        ("/etc/kubernetes/pki/apiserver.key", (102, 103, 0o600)),
        ("/etc/kubernetes/pki/ca.key", (103, 104, 0o600)),
        ("/etc/kubernetes/pki/etcd/peer.key", (101, 100, 0o600)),
        ("/etc/kubernetes/pki/etcd/server.key", (101, 100, 0o600)),
        ("/etc/kubernetes/pki/front-proxy-client.key", (102, 103, 0o600)),
        ("/etc/kubernetes/pki/sa.key", (0, 106, 0o640)),
        ("/etc/kubernetes/pki/sa.pub", (102, 103, 0o600)),
        ("/etc/kubernetes/scheduler.conf", (104, 105, 0o600)),
        ("/var/lib/etcd", (101, 100, 0o700)),
    ];
    files.map(|(path, owner)| (path.to_owned(), owner)).into()
}

fn stage() -> Stage {
    let overlay = ready_overlay(&V1_36, "n1");
    Stage::over(Machine::new(lists(overlay), &V1_36.to_string()))
}

fn lists(overlay: Overlay<'static>) -> Overlay<'static> {
    overlay.with_file("/etc/passwd", PASSWD, 0o644).with_file("/etc/group", GROUP, 0o644)
}

/// What etcd has made belongs to etcd, which the machine in memory does not act out.
fn without_data(mut given: BTreeMap<String, (u32, u32, u32)>) -> BTreeMap<String, (u32, u32, u32)> {
    given.retain(|path, _| !path.starts_with("/var/lib/etcd/"));
    given
}

/// The same here: what etcd has made as root is given to it.
fn has_nothing_to_do(changes: &[Change]) {
    let is_data =
        |change: &Change| matches!(change, Change::Owner { path, .. } if path.starts_with("/var/lib/etcd/member"));
    let others: Vec<String> = changes.iter().filter(|change| !is_data(change)).map(Change::summary).collect();
    assert_eq!(others, Vec::<String>::new(), "another run has nothing to do");
}

#[test]
fn init_broken_off_anywhere_ends_with_the_same_owners_and_reset_takes_them_back() {
    for n in (0..).step_by(3) {
        let stage = stage();
        let job = with_gate(init_job(V1_36), &stage.machine);
        stage.machine.fails_from.set(Some(n + 1));
        let is_broken = stage.run(&INIT, &job).is_err();
        stage.mend();
        let again = with_gate(init_job(V1_36), &stage.machine);
        assert_eq!(again.node.accounts, job.node.accounts, "after {n} changes: the same ids are decided");
        stage.run(&INIT, &job).unwrap();
        assert_eq!(without_data(given(&stage.machine)), expected(), "after {n} changes");
        let users = text(&stage.machine, "/etc/passwd").matches("kubeadm-").count();
        assert_eq!((users, text(&stage.machine, "/etc/group").matches("kubeadm-").count()), (4, 5), "after {n}");
        let changes = stage.machine.made().len();
        stage.run(&INIT, &job).unwrap();
        has_nothing_to_do(&stage.machine.made()[changes..]);

        stage.machine.fails_from.set(Some(stage.machine.asked.get() + 1 + n));
        let reset_is_broken = stage.run(&RESET, &stage.reset_job()).is_err();
        stage.mend();
        stage.run(&RESET, &stage.reset_job()).unwrap();
        assert_eq!(text(&stage.machine, "/etc/passwd"), PASSWD, "reset after {n} changes");
        assert_eq!(text(&stage.machine, "/etc/group"), GROUP, "reset after {n} changes");
        assert_eq!(given(&stage.machine), BTreeMap::new(), "reset after {n} changes");
        if !is_broken && !reset_is_broken {
            assert!(n > 30, "nothing was broken off");
            return;
        }
    }
}

#[test]
fn a_joining_control_plane_node_has_the_same_owners() {
    let mut stage = Stage::ready_to_join_control_plane(&V1_36);
    stage.machine.overlay = lists(std::mem::take(&mut stage.machine.overlay));
    let mut job = stage.join_control_plane_job(V1_36);
    job.worker.cluster.feature_gates.insert(GATE.to_owned(), true);
    job.worker.node.accounts = accounts(&job.worker.cluster, &stage.machine).unwrap();
    stage.run(&JOIN_CONTROL_PLANE, &job).unwrap();
    assert_eq!(without_data(given(&stage.machine)), expected());
    let changes = stage.machine.made().len();
    stage.run(&JOIN_CONTROL_PLANE, &job).unwrap();
    has_nothing_to_do(&stage.machine.made()[changes..]);
}

#[test]
fn what_was_there_before_us_stays_and_is_given_back() {
    let stage = stage();
    let passwd = format!("{PASSWD}kubeadm-ks:x:990:991::/:/bin/false\n");
    stage.machine.put("/etc/passwd", &passwd, 0o644);
    Host::apply(&stage.machine.overlay, &Change::Folder { path: "/var/lib/etcd".into(), mode: 0o750 }).unwrap();
    let owner = Change::Owner { path: "/var/lib/etcd".into(), uid: 7, gid: 8, mode: 0o750 };
    Host::apply(&stage.machine.overlay, &owner).unwrap();
    stage.machine.put("/etc/kubernetes/pki/sa.key", FixedEntropy::ECDSA[0], 0o600);
    let job = with_gate(init_job(V1_36), &stage.machine);
    stage.run(&INIT, &job).unwrap();
    assert_eq!(given(&stage.machine)["/etc/kubernetes/scheduler.conf"], (990, 991, 0o600));
    assert_eq!(given(&stage.machine)["/etc/kubernetes/pki/sa.key"], (0, 105, 0o640));
    stage.run(&RESET, &stage.reset_job()).unwrap();
    assert_eq!(text(&stage.machine, "/etc/passwd"), passwd);
    assert_eq!(given(&stage.machine), [("/var/lib/etcd".to_owned(), (7, 8, 0o750))].into());
    let key = Host::stat(&stage.machine, Path::new("/etc/kubernetes/pki/sa.key")).unwrap().unwrap();
    assert_eq!(key.mode, 0o600);
}

#[test]
fn the_content_of_etcds_folder_is_its_users_and_changes_are_told() {
    let mut job = with_gate(default_init(V1_36), &a_host());
    job.cluster.etcd = Etcd::Local(LocalEtcd { data_dir: "/srv/etcd".into(), ..local_etcd(&job) });
    let bench = Bench::over(a_host().with_file("/srv/etcd/member/wal/0.wal", "", 0o600));
    bench.within(|world| hand_over(&job, "etcd", world)).unwrap();
    let told: Vec<String> = bench.overlay.changes().iter().map(Change::shown).collect();
    assert_eq!(
        told,
        [
            "add group kubeadm-etcd (gid 100)",
            "add user kubeadm-etcd (uid 101, gid 100)",
            "give /srv/etcd to 101:100 (0755)",
            "give /srv/etcd/member to 101:100 (0755)",
            "give /srv/etcd/member/wal to 101:100 (0755)",
            "give /srv/etcd/member/wal/0.wal to 101:100 (0600)",
        ]
    );
    bench.within(|world| hand_over(&job, "etcd", world)).unwrap();
    assert_eq!(bench.overlay.changes().len(), told.len(), "a second time there is nothing to do");
}

fn local_etcd(job: &Init) -> LocalEtcd {
    match &job.cluster.etcd {
        Etcd::Local(etcd) => etcd.clone(),
        Etcd::External(_) => panic!("etcd is local here"),
    }
}
