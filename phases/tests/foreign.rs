//! RESET on a node full of other people's files: a hundred times with other files, and all of them stay.
//!
//! Files lie in, beside and below every folder that reset touches; many have the names of ours. There are mounts, sandboxes
//! and iptables rules of others too, and in some runs volumes that cannot be unmounted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{Init, ResetFlags, resolve_reset};
use crate::stage::{Stage, init_job};
use crate::support::jobs::V1_36;
use crate::workflows::{INIT, RESET};
use crate::world::{Host as _, KeyAlgorithm};

const RUNS: u64 = 100;
const FILES: usize = 30;

/// Folders that reset works in, and others that look like them.
const FOLDERS: [&str; 20] = [
    "/etc",
    "/etc/kubernetes",
    "/etc/kubernetes/manifests",
    "/etc/kubernetes/manifests/manifests",
    "/etc/kubernetes/pki",
    "/etc/kubernetes/pki/etcd",
    "/etc/kubernetes/pki/etcd/etcd",
    "/etc/kubernetes/tmp",
    "/etc/kubernetes.bak/pki",
    "/etc/kubernetes-manifests",
    "/var/lib",
    "/var/lib/kubelet",
    "/var/lib/kubelet/seccomp",
    "/var/lib/kubelet-backup/pki",
    "/var/lib/etcd",
    "/var/lib/etcd/snapshots",
    "/var/lib/etcd2/member",
    "/var/log",
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/vendor~driver",
    "/root/pki",
];

/// Names of ours, and names close to them.
const NAMES: [&str; 18] = [
    "admin.conf",
    "kubelet.conf",
    "ca.crt",
    "ca.key",
    "sa.pub",
    "server.key",
    "etcd.yaml",
    "kube-apiserver.yaml",
    "config.yaml",
    "kubeadm-flags.env",
    "cpu_manager_state",
    "member",
    "pods.txt",
    ".admin.conf.kubestrap-",
    ".admin.conf.kubestrap-12a",
    "kube-apiserver.yaml.bak",
    "ca.crt.old",
    "mine",
];

/// splitmix64: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % limit
    }
}

/// The names that reset removes by themselves, as kubeadm's nodes have them.
fn is_known(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap();
    match folder {
        "/etc/kubernetes" => ["admin.conf", "kubelet.conf"].contains(&name),
        "/etc/kubernetes/manifests" => ["etcd.yaml", "kube-apiserver.yaml"].contains(&name),
        "/etc/kubernetes/pki" => ["ca.crt", "ca.key", "sa.pub"].contains(&name),
        "/etc/kubernetes/pki/etcd" => ["ca.crt", "ca.key", "server.key"].contains(&name),
        "/var/lib/kubelet" => ["config.yaml", "kubeadm-flags.env", "cpu_manager_state"].contains(&name),
        "/var/lib/etcd" => name == "member",
        _ => false,
    }
}

fn job() -> Init {
    let mut job = init_job(V1_36);
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    job
}

/// Puts files there that are not there yet; those that init would refuse only afterwards.
fn scatter(stage: &Stage, numbers: &mut Numbers, is_node: bool) -> BTreeMap<String, (u32, String)> {
    let mut scattered = BTreeMap::new();
    while scattered.len() < FILES {
        let path = format!("{}/{}", FOLDERS[numbers.below(FOLDERS.len())], NAMES[numbers.below(NAMES.len())]);
        let mode = [0o600, 0o640, 0o644, 0o755][numbers.below(4)];
        let text = format!("{path} {}\n", numbers.below(1000));
        let is_etcds = path.starts_with("/var/lib/etcd/");
        let is_there = stage.machine.stat(Path::new(&path)).unwrap().is_some();
        if !is_known(&path) && !is_there && (is_node || !is_etcds) {
            stage.machine.put(&path, &text, mode);
            scattered.insert(path, (mode, text));
        }
    }
    scattered
}

/// Where others mount things: disks, shares, folders of the host.
const MOUNTS: [&str; 12] = [
    "/var/lib/kubelet/volume",
    "/var/lib/kubelet/seccomp",
    "/var/lib/kubelet/pods/share",
    "/var/lib/kubelet/plugins/share",
    "/var/lib/kubelet/plugins_registry",
    "/var/lib/kubelet/device-plugins/deep/share",
    "/var/lib/kubelet/pki/hsm",
    "/var/lib/etcd/backups",
    "/var/lib/etcd/member/share",
    "/etc/kubernetes/pki/vault",
    "/etc/kubernetes/share",
    "/var/log/pods/archive",
];

const RULES: [&str; 3] = [
    "*filter\n:INPUT ACCEPT [0:0]\n:MINE - [0:0]\n-A INPUT -j MINE\n-A MINE -s 192.0.2.1 -j DROP\nCOMMIT\n",
    "*nat\n:POSTROUTING ACCEPT [0:0]\n:CNI-0a1b - [0:0]\n-A POSTROUTING -m comment --comment \"not -j KUBE-MARK\" -j CNI-0a1b\nCOMMIT\n",
    "*mangle\n:MYKUBE-X - [0:0]\n-A PREROUTING -j MYKUBE-X\nCOMMIT\n",
];

/// Mounts with a file in each, sandboxes, rules and files of CNI, of others.
fn surround(stage: &Stage, numbers: &mut Numbers, foreign: &mut BTreeMap<String, (u32, String)>) {
    for _ in 0..1 + numbers.below(4) {
        let point = MOUNTS[numbers.below(MOUNTS.len())];
        let path = format!("{point}/data/{}", NAMES[numbers.below(NAMES.len())]);
        let text = format!("of a mount {}\n", numbers.below(1000));
        stage.machine.put(&path, &text, 0o644);
        foreign.insert(path, (0o644, text));
        let mut mounts = stage.machine.foreign_mounts.borrow_mut();
        if !mounts.contains(&point.into()) {
            mounts.push(point.into());
        }
    }
    for name in ["/etc/cni/net.d/10-mine.conflist", "/opt/cni/bin/mine", "/var/lib/cni/networks/mine/10.0.0.2"] {
        stage.machine.put(name, "of CNI\n", 0o644);
        foreign.insert(name.to_owned(), (0o644, "of CNI\n".to_owned()));
    }
    *stage.machine.foreign_sandboxes.borrow_mut() = (0..numbers.below(3)).map(|n| format!("mine-{n}")).collect();
    *stage.machine.foreign_rules.borrow_mut() = RULES[numbers.below(RULES.len())].to_owned();
}

/// All that is none of ours is there as it was.
fn assert_intact(stage: &Stage, foreign: &BTreeMap<String, (u32, String)>, things: &Things, case: &str) {
    let tree = stage.machine.tree();
    for (path, (mode, text)) in foreign {
        let found = tree.get(Path::new(path));
        let found = found.map(|(mode, content)| (*mode, String::from_utf8(content.clone().unwrap()).unwrap()));
        assert_eq!(found, Some((*mode, text.clone())), "{case}: {path}");
    }
    assert_eq!(&Things::of(stage), things, "{case}");
}

/// What others have beside files.
#[derive(Debug, PartialEq)]
struct Things {
    mounts: Vec<PathBuf>,
    sandboxes: Vec<String>,
    rules: String,
}

impl Things {
    fn of(stage: &Stage) -> Self {
        let machine = &stage.machine;
        Self {
            mounts: machine.foreign_mounts.borrow().clone(),
            sandboxes: machine.foreign_sandboxes.borrow().clone(),
            rules: machine.foreign_rules.borrow().clone(),
        }
    }
}

#[test]
fn reset_leaves_everything_that_is_not_ours() {
    for run in 0..RUNS {
        let numbers = &mut Numbers(run);
        let stage = Stage::ready(&V1_36, "n1");
        let mut foreign = scatter(&stage, numbers, false);
        // One file of ours was there before us, with other content.
        let replaced = ["config.yaml", "kubeadm-flags.env"][numbers.below(2)];
        let replaced = format!("/var/lib/kubelet/{replaced}");
        stage.machine.put(&replaced, "before us\n", 0o640);
        foreign.insert(replaced, (0o640, "before us\n".to_owned()));
        stage.run(&INIT, &job()).unwrap();
        foreign.extend(scatter(&stage, numbers, true));
        surround(&stage, numbers, &mut foreign);
        let things = Things::of(&stage);
        let inventory = stage.within(|world| world.journal().inventory().unwrap());
        if run % 4 == 0 {
            a_volume_in_use_ends_it(&stage, &things, run);
        }
        stage.run(&RESET, &stage.reset_job()).unwrap_or_else(|problem| panic!("run {run}: {problem:?}"));
        assert_intact(&stage, &foreign, &things, &format!("run {run}"));
        let tree = stage.machine.tree();
        let ours = inventory.files().filter(|(_, owned)| owned.before.is_none()).map(|(path, _)| path.to_owned());
        for path in ours.chain(["/var/lib/kubelet/pods/0a1b".into(), "/var/lib/kubelet/cpu_manager_state".into()]) {
            assert!(!tree.contains_key(&path), "run {run}: {} is left", path.display());
        }
        assert!(stage.machine.runtime("").unwrap().sandboxes.iter().all(|sandbox| !sandbox.is_of_kubelet), "run {run}");
        let warnings = stage.told.warnings();
        let list = warnings.iter().rfind(|warning| warning.id == "left-in-place").expect("a list of what is left");
        for mount in &things.mounts {
            let is_named = list.findings.iter().any(|left| left.what.starts_with(&format!("{} (", mount.display())));
            assert!(is_named || mount.starts_with("/var/log"), "run {run}: {} is not in {list:?}", mount.display());
        }
        assert!(list.findings.iter().all(|left| !left.why.is_empty()), "run {run}");

        // Again, with everything forgotten, as the program does in the end.
        stage.store.forget();
        let changes = stage.machine.made().len();
        stage.run(&RESET, &stage.reset_job()).unwrap();
        assert_eq!(stage.machine.made().get(changes..), Some(&[][..]), "run {run}: a second run has nothing to do");
        assert_intact(&stage, &foreign, &things, &format!("run {run}, again"));
    }
}

/// A volume that cannot be unmounted stops reset before any file is removed.
fn a_volume_in_use_ends_it(stage: &Stage, things: &Things, run: u64) {
    let before = stage.machine.tree();
    stage.machine.is_volume_busy.set(true);
    let problem = stage.run(&RESET, &stage.reset_job()).unwrap_err();
    assert_eq!(problem.id, "unmount", "run {run}: {problem:?}");
    assert!(stage.machine.tree() == before, "run {run}: files were removed above a volume that is in use");
    assert_eq!(&Things::of(stage), things, "run {run}, stopped");
    stage.machine.is_volume_busy.set(false);
}

/// What a node of kubeadm's has, and no journal tells of.
#[test]
fn a_node_of_kubeadms_is_cleaned_and_what_is_foreign_stays() {
    for run in 0..RUNS / 4 {
        let numbers = &mut Numbers(run);
        let stage = Stage::ready(&V1_36, "n1");
        stage.run(&INIT, &job()).unwrap();
        let inventory = stage.within(|world| world.journal().inventory().unwrap());
        stage.store.forget();
        let mut foreign = scatter(&stage, numbers, true);
        surround(&stage, numbers, &mut foreign);
        let things = Things::of(&stage);
        stage.run(&RESET, &stage.reset_job()).unwrap();
        assert_intact(&stage, &foreign, &things, &format!("run {run}"));
        let tree = stage.machine.tree();
        let left: Vec<_> = inventory.files().filter(|(path, _)| tree.contains_key(*path)).collect();
        assert!(left.is_empty(), "run {run}: {left:?}");
    }
}

#[test]
fn what_force_names_goes_too_but_no_mount() {
    let stage = Stage::ready(&V1_36, "n1");
    stage.run(&INIT, &job()).unwrap();
    stage.machine.put("/var/lib/kubelet/mine/deep/file", "mine\n", 0o644);
    stage.machine.put("/var/lib/kubelet/mine/share/file", "of a mount\n", 0o644);
    stage.machine.foreign_mounts.borrow_mut().push("/var/lib/kubelet/mine/share".into());
    let named = |path: &str| ResetFlags { named: vec![path.to_owned()], ..ResetFlags::default() };
    let job = resolve_reset(&named("/var/lib/kubelet/mine"), &stage.machine).unwrap();
    stage.run(&RESET, &job).unwrap();
    let tree = stage.machine.tree();
    let has = |path: &str| tree.contains_key(Path::new(path));
    assert!(!has("/var/lib/kubelet/mine/deep") && has("/var/lib/kubelet/mine/share/file"));
    for path in ["/home", "/var/lib/kubelet", "/var/lib/kubelet/../x", "/etc/kubernetes.old"] {
        let problem = resolve_reset(&named(path), &stage.machine).unwrap_err();
        assert_eq!(problem.findings[0].id, "config-bad-force", "{path}");
    }
}
