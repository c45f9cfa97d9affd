//! Order of stopping, writing and starting; when nothing is done.

use std::path::PathBuf;

use super::*;
use crate::support::Bench;
use crate::support::jobs::{V1_36, default_init};
use crate::world::Overlay;

fn unit(active: &str) -> UnitState {
    UnitState { exists: true, active: active.to_owned(), ..UnitState::default() }
}

fn bench_with(active: &str) -> Bench {
    // So that /var/lib is there.
    let overlay = Overlay::default().with_file("/var/lib/dpkg/status", "", 0o644);
    Bench::over(overlay.with_unit(UNIT, unit(active)))
}

fn start(bench: &Bench) -> Result<(), Problem> {
    bench.within(|world| KubeletStart.run(&default_init(V1_36), world))
}

/// Without the folders that the kubelet would make elsewhere.
fn summaries(bench: &Bench) -> Vec<String> {
    let is_elsewhere = |line: &String| line.contains("folder /usr") || line.contains("folder /var/log");
    bench.overlay.changes().iter().map(Change::summary).filter(|line| !is_elsewhere(line)).collect()
}

/// A kubelet watches it only if it is there when it starts.
const MANIFESTS: &str = "make folder /etc/kubernetes/manifests (0700)";
const WRITES: [&str; 4] = [
    "make folder /var/lib/kubelet (0700)",
    "write /var/lib/kubelet/kubeadm-flags.env (0644)",
    "write /var/lib/kubelet/instance-config.yaml (0644)",
    "write /var/lib/kubelet/config.yaml (0644)",
];

#[test]
fn a_running_kubelet_is_stopped_before_its_files_change() {
    for (active, stopped) in [("active", true), ("activating", true), ("inactive", false), ("failed", false)] {
        let bench = bench_with(active);
        start(&bench).unwrap();
        let mut expected = vec!["make folder /etc (0755)", "make folder /etc/kubernetes (0755)", MANIFESTS];
        expected.extend(stopped.then_some("stop kubelet.service"));
        expected.extend(WRITES);
        expected.push("restart kubelet.service");
        assert_eq!(summaries(&bench), expected, "{active}");
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let bench = bench_with("inactive");
    start(&bench).unwrap();
    let first = summaries(&bench).len();
    start(&bench).unwrap();
    assert_eq!(summaries(&bench).len(), first);
}

#[test]
fn a_kubelet_that_was_left_stopped_is_started() {
    let bench = bench_with("inactive");
    start(&bench).unwrap();
    let bench = Bench { overlay: bench.overlay.with_unit(UNIT, unit("inactive")), ..Bench::default() };
    let before = summaries(&bench).len();
    start(&bench).unwrap();
    assert_eq!(summaries(&bench)[before..], ["restart kubelet.service"]);
}

#[test]
fn only_files_that_differ_are_written() {
    let bench = bench_with("inactive");
    start(&bench).unwrap();
    let flags = "/var/lib/kubelet/kubeadm-flags.env";
    let bench = Bench { overlay: bench.overlay.with_file(flags, "old", 0o644), ..Bench::default() };
    let before = summaries(&bench).len();
    start(&bench).unwrap();
    assert_eq!(
        summaries(&bench)[before..],
        ["stop kubelet.service", "write /var/lib/kubelet/kubeadm-flags.env (0644)", "restart kubelet.service"]
    );
}

#[test]
fn resolved_is_asked_for_its_resolv_conf() {
    let bench = bench_with("inactive");
    let bench = Bench { overlay: bench.overlay.with_unit(RESOLVED, unit("active")), ..Bench::default() };
    start(&bench).unwrap();
    assert!(bench.text("/var/lib/kubelet/config.yaml").contains("resolvConf: /run/systemd/resolve/resolv.conf\n"));
}

#[test]
fn without_a_unit_nothing_is_written() {
    let bench = Bench::default();
    let problem = start(&bench).unwrap_err();
    assert_eq!(problem.id, "kubelet-unit-missing");
    assert!(problem.fixes[0].contains("install kubelet"));
    assert_eq!(bench.overlay.written().keys().collect::<Vec<&PathBuf>>(), Vec::<&PathBuf>::new());
}
