//! Compared with what kubeadm 1.20.2 made of the same patches: `testdata/patches`, whose README says how.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::config::draft::Origin;
use crate::config::findings::Findings;
use crate::config::{Etcd, Init};
use crate::control_plane::{apiserver, controller_manager, scheduler};
use crate::etcd;
use crate::support::jobs::{V1_20, default_init};
use crate::world::Overlay;

const CASES: [(&str, &[&str]); 6] = [
    ("containers", &["kube-apiserver", "kube-scheduler"]),
    ("directives", &["etcd", "kube-apiserver", "kube-controller-manager"]),
    ("json", &["etcd", "kube-apiserver"]),
    ("merge", &["etcd", "kube-controller-manager"]),
    ("mixed", &["kube-scheduler"]),
    ("order", &["kube-apiserver", "kube-scheduler"]),
];

fn folder(case: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/patches")).join(case)
}

#[expect(clippy::disallowed_methods, reason = "a test reads its cases from their folders")]
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "a test reads its cases from their folders")]
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn patches(case: &str) -> Patches {
    let from = folder(case).join("patches");
    let mut host = Overlay::default();
    for file in files(&from) {
        let path = Path::new("/p").join(file.strip_prefix(&from).expect("below it"));
        host = host.with_file(path.to_str().expect("a text"), &text(&file), 0o644);
    }
    let findings = &mut Findings::default();
    let read = read(Path::new("/p"), &Origin::Flag("--patches"), &host, findings).expect("readable");
    assert!(findings.is_empty(), "{case}: {findings:?}");
    read.of_release(&V1_20)
}

fn manifest(job: &Init, component: &str) -> String {
    let Etcd::Local(local) = &job.cluster.etcd else { panic!("a local member") };
    let made = match component {
        "etcd" => etcd::local::manifest(job, local, &[]),
        "kube-apiserver" => apiserver::manifest(job),
        "kube-controller-manager" => controller_manager::manifest(job, false),
        _ => scheduler::manifest(job),
    };
    made.expect(component)
}

#[test]
fn patched_manifests_are_those_of_kubeadm() {
    let job = default_init(V1_20);
    for (case, components) in CASES {
        let patches = patches(case);
        for component in components {
            let ours = patches.manifest(component, manifest(&job, component)).expect(case);
            let theirs = text(&folder(case).join(format!("{component}.yaml")));
            // Written again by our writer, which quotes more than kubeadm's. What Go writes though it is empty, or leaves out
            // because it is false, means the same.
            let ours = ours.replace("  hostNetwork: false\n", "");
            let theirs = theirs.replace("  creationTimestamp: null\n", "").replace("    resources: {}\n", "");
            let theirs: Value = yaml::parse(&theirs).expect("golden");
            let theirs = yaml::write(&theirs);
            let differs = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
            assert_eq!(differs, None, "{case} {component}:\n{ours}");
            assert_eq!(ours.lines().count(), theirs.lines().count(), "{case} {component}");
        }
    }
}

#[test]
fn files_that_kubeadm_ignores_are_ignored_and_named() {
    let ignored: Vec<String> = patches("order").ignored().collect();
    assert_eq!(ignored.len(), 3, "{ignored:?}");
    for (line, expected) in ignored.iter().zip([
        "/p/etcd0.yaml: it is empty",
        "/p/foo0.yaml: its name begins with none of",
        "/p/notes.txt: its name ends neither in .yaml nor in .json",
    ]) {
        assert!(line.starts_with(expected), "{line}");
    }
}
