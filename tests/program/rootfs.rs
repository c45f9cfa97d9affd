//! `--rootfs`: the built program makes a node's files below a folder, without root, and nothing outside of it.
//!
//! Run by root, the program is run as nobody.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::bench::{Bench, Ended};
use serde_json::Value;

/// Phases that make files, in order.
const PHASES: [&str; 4] = ["certs all", "kubeconfig all", "etcd local", "control-plane all"];
const FLAGS: [&str; 6] =
    ["--kubernetes-version", "v1.20.2", "--apiserver-advertise-address", "10.77.0.11", "--node-name", "n1"];

/// Where distributions keep CA certificates.
const CA_FOLDERS: [&str; 4] =
    ["etc/pki", "etc/ca-certificates", "usr/share/ca-certificates", "usr/local/share/ca-certificates"];

fn init_phase(bench: &Bench, phase: &str, more: &[&str]) -> Ended {
    let tree = bench.path("tree").display().to_string();
    let phase: Vec<&str> = phase.split(' ').collect();
    bench.run(&[&["init", "phase"], &phase[..], &FLAGS, &["--rootfs", &tree], more].concat())
}

/// The mode and content of what lies below a folder; folders without content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Option<Vec<u8>>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = Path::new("/").join(path.strip_prefix(folder).unwrap());
            let content = metadata.is_file().then(|| fs::read(&path).unwrap());
            if metadata.is_dir() {
                folders.push(path);
            }
            found.insert(name, (metadata.permissions().mode() & 0o7777, content));
        }
    }
    found
}

/// `0600 /etc/kubernetes/admin.conf`, folders with a slash at the end.
fn golden() -> BTreeMap<PathBuf, u32> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/scenarios/init-v1.20.2/files.txt");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().map(|line| line.split_once(' ').unwrap());
    rows.map(|(mode, path)| (PathBuf::from(path.trim_end_matches('/')), u32::from_str_radix(mode, 8).unwrap()))
        .collect()
}

#[test]
fn every_file_of_a_control_plane_node_is_made_below_the_folder_without_root() {
    let bench = Bench::new();
    bench.folder("tree");
    for phase in PHASES {
        init_phase(&bench, phase, &[]).succeeds();
    }
    let ended = init_phase(&bench, "kubelet-start", &["-o", "json"]);
    assert_eq!(
        (ended.code, ended.last()["problem"]["id"].clone()),
        (1, Value::from("rootfs-not-running")),
        "{ended:?}"
    );
    assert!(ended.last()["problem"]["fix"][0].is_string() && ended.last()["problem"]["why"] != "", "{ended:?}");

    let made = tree(&bench.path("tree"));
    for (path, mode) in golden() {
        assert_eq!(made.get(&path).map(|(mode, _)| *mode), Some(mode), "{}", path.display());
    }
    let ours = |path: &&PathBuf| !path.starts_with("/var/lib/kubestrap");
    for path in made.iter().filter(|(_, (_, content))| content.is_some()).map(|(path, _)| path).filter(ours) {
        assert!(golden().contains_key(path), "{} is too much", path.display());
    }
    assert!(made.contains_key(Path::new("/var/lib/kubestrap/journal")), "the journal lies there too");
}

/// A dry run on this machine lists what the phases would write here.
#[test]
fn the_files_are_those_that_would_be_made_without_the_folder() {
    let bench = Bench::new();
    bench.folder("tree");
    // Static Pods mount those of these folders that are there.
    for folder in CA_FOLDERS.iter().filter(|folder| Path::new("/").join(folder).exists()) {
        bench.folder(&format!("tree/{folder}"));
    }
    let mut compared = 0;
    for phase in PHASES {
        let words: Vec<&str> = phase.split(' ').collect();
        let dry =
            bench.run(&[&["init", "phase"], &words[..], &FLAGS, &["--dry-run", "-o", "json"]].concat()).succeeds();
        init_phase(&bench, phase, &[]).succeeds();
        let made = tree(&bench.path("tree"));
        for change in dry.last()["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "file") {
            let path = PathBuf::from(change["path"].as_str().unwrap());
            let (mode, content) = made.get(&path).unwrap_or_else(|| panic!("{} is missing", path.display()));
            assert_eq!(change["mode"], format!("{mode:04o}"), "{}", path.display());
            // Keys and certificates are new each time.
            if path.extension().is_some_and(|end| end == "yaml") {
                let text = String::from_utf8(content.clone().unwrap()).unwrap();
                assert_eq!(change["content"], text, "{}", path.display());
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4, "the manifests");
}

#[test]
fn a_second_run_changes_nothing_and_cleaning_leaves_the_folder_as_it_was() {
    let bench = Bench::new();
    bench.folder("tree/etc/kubernetes/pki");
    bench.file("tree/etc/kubernetes/pki/mine.txt", "mine");
    let before = tree(&bench.path("tree"));
    for _ in 0..2 {
        init_phase(&bench, "certs all", &[]).succeeds();
    }
    let again = init_phase(&bench, "certs all", &["-o", "json"]).succeeds();
    assert!(again.events().iter().all(|event| event["event"] != "change"), "{again:?}");
    let root = bench.path("tree").display().to_string();
    bench.run(&["reset", "phase", "cleanup-node", "clean-files", "--force", "--rootfs", &root]).succeeds();
    let without_state = |path: &&PathBuf| !path.starts_with("/var");
    let after = tree(&bench.path("tree"));
    assert_eq!(
        after.keys().filter(without_state).collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>(),
        "files of others stay, ours go"
    );
}

#[test]
fn links_of_the_tree_do_not_lead_out_of_it() {
    let bench = Bench::new();
    bench.folder("tree/etc");
    bench.folder("outside");
    let outside = bench.path("outside");
    let below = bench.path("tree").join(outside.strip_prefix("/").unwrap());
    fs::create_dir_all(&below).unwrap();
    bench.give_away();
    symlink(&outside, bench.path("tree/etc/kubernetes")).unwrap();
    init_phase(&bench, "certs ca", &[]).succeeds();
    assert!(tree(&outside).is_empty(), "{:?}", tree(&outside));
    assert!(below.join("pki/ca.key").exists(), "an absolute link begins at the folder");
}

#[test]
fn what_needs_a_running_system_is_refused_with_one_problem_and_changes_nothing() {
    let bench = Bench::new();
    bench.folder("tree");
    let root = bench.path("tree").display().to_string();
    for words in [
        &["init"][..],
        &["init", "phase", "preflight"],
        &["reset", "--force"],
        &["reset", "phase", "cleanup-node", "stop-kubelet", "--force"],
        &["reset", "phase", "cleanup-node", "remove-pods", "--force"],
    ] {
        let more = if words[0] == "init" { &FLAGS[..] } else { &[] };
        let ended = bench.run(&[words, more, &["--rootfs", &root, "-o", "json"]].concat());
        assert_eq!(
            (ended.code, &ended.last()["problem"]["id"]),
            (1, &Value::from("rootfs-not-running")),
            "{words:?} {ended:?}"
        );
        assert!(tree(&bench.path("tree")).is_empty(), "{words:?}");
    }
}
