//! Dry runs of every command that changes something, by nobody in particular on whatever machine this is: they end well,
//! list their changes and leave nothing behind.

use std::fs;

use serde_json::Value;

use crate::bench::{Bench, Ended};

const INIT: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\ndryRun: true\n";
const JOIN: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ndryRun: true\ndiscovery:\n  \
                    bootstrapToken:\n    apiServerEndpoint: 127.0.0.1:1\n    token: abcdef.0123456789abcdef\n    \
                    unsafeSkipCAVerification: true\n";
const RESET: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\ndryRun: true\n";

/// Runs with a home of its own, which must stay empty.
fn run(line: &str, bench: &Bench) -> Ended {
    let folder = bench.path("").display().to_string();
    let line = line.replace("BENCH/", &folder);
    let words: Vec<&str> = line.split(' ').chain(["-o", "json"]).collect();
    let output = bench.command(&words).env("HOME", bench.path("home")).output().unwrap();
    let ended = Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    let left: Vec<_> = fs::read_dir(bench.path("home")).unwrap().collect();
    assert!(left.is_empty(), "{line}: {left:?}");
    ended
}

fn rehearsal(ended: &Ended) -> Option<Value> {
    ended.events().into_iter().find(|event| event["event"] == "dry-run")
}

#[test]
fn every_command_that_changes_something_can_be_tried_by_anybody() {
    let bench = Bench::new();
    bench.folder("home");
    for (name, text) in [("init.yaml", INIT), ("join.yaml", JOIN), ("reset.yaml", RESET)] {
        bench.file(name, text);
    }
    for (line, least) in [
        ("init --dry-run", 60),
        ("init --config BENCH/init.yaml", 60),
        ("init phase certs apiserver --csr-only --csr-dir /root/requests --dry-run", 2),
        (
            "join 127.0.0.1:1 --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification --dry-run",
            10,
        ),
        ("join --config BENCH/join.yaml", 10),
        (
            "join --discovery-file https://127.0.0.1:1/cluster.conf --tls-bootstrap-token abcdef.0123456789abcdef --dry-run",
            10,
        ),
        (
            "join 127.0.0.1:1 --control-plane --token abcdef.0123456789abcdef --discovery-token-unsafe-skip-ca-verification --dry-run",
            40,
        ),
        ("init --upload-certs --dry-run", 60),
        ("reset --dry-run", 0),
        ("reset --config BENCH/reset.yaml", 0),
        ("remove n2 --dry-run", 2),
        ("token create --print-join-command --dry-run", 1),
        ("token delete abcdef --dry-run", 1),
        ("config images pull --dry-run", 1),
        ("certs generate-csr --dry-run", 20),
        ("certs renew all --dry-run", 0),
    ] {
        let ended = run(line, &bench).succeeds();
        let found = rehearsal(&ended).unwrap_or_else(|| panic!("{line}: {ended:?}"));
        assert_eq!(found["complete"], true, "{line}: {ended:?}");
        let listed = found["changes"].as_array().map_or(0, Vec::len);
        assert!(listed >= least, "{line}: {listed} changes of {least}");
    }
}

#[test]
fn files_that_are_only_the_users_stay_as_they_are() {
    let bench = Bench::new();
    bench.folder("home");
    bench.file("init.yaml", INIT);
    for line in [
        "config migrate --old-config BENCH/init.yaml --new-config BENCH/home/new.yaml --dry-run",
        "man BENCH/home --dry-run",
    ] {
        run(line, &bench).succeeds();
    }
}
