//! RESET on a node full of other people's files: a hundred times with other files, and all of them stay.
//!
//! Files lie in, beside and below every folder that reset touches; many have the names of ours.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::Init;
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

#[test]
fn reset_leaves_every_file_that_is_not_ours() {
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
        stage.run(&RESET, &stage.reset_job()).unwrap();

        let tree = stage.machine.tree();
        for (path, (mode, text)) in &foreign {
            let found = tree.get(Path::new(path));
            let found = found.map(|(mode, content)| (*mode, String::from_utf8(content.clone().unwrap()).unwrap()));
            assert_eq!(found, Some((*mode, text.clone())), "run {run}: {path}");
        }
        let ours = ["/etc/kubernetes/admin.conf", "/etc/kubernetes/pki/ca.key", "/var/lib/kubelet/pki"];
        assert!(ours.iter().all(|path| !tree.contains_key(Path::new(path))), "run {run}");
    }
}
