//! When the components of a node came up, and went: from their processes' start times, the kubelet's journal and the logs of their
//! containers.

use super::svg::{Bar, Lane};
use crate::failure::Failure;
use crate::nodes::Node;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What a component is called in its Pod's name, in /proc, and in the picture; and the first lines that tell how far it is.
struct Component {
    name: &'static str,
    process: &'static str,
    lines: &'static [(&'static str, &'static str)],
}

const KUBELET: Component = Component {
    name: "kubelet",
    process: "kubelet",
    lines: &[("] Started kubelet", "started"), ("Successfully registered node", "registered")],
};

const OF_CONTROL_PLANE: [Component; 4] = [
    Component { name: "etcd", process: "etcd", lines: &[("ready to serve client requests", "serves")] },
    Component {
        name: "kube-apiserver",
        process: "kube-apiserver",
        lines: &[("Serving securely on", "listens"), ("Caches are synced for crd-autoregister", "caches synced")],
    },
    Component {
        name: "kube-controller-manager",
        process: "kube-controller",
        lines: &[("Serving securely on", "listens"), ("successfully acquired lease", "leads")],
    },
    Component {
        name: "kube-scheduler",
        process: "kube-scheduler",
        lines: &[("Serving securely on", "listens"), ("successfully acquired lease", "leads")],
    },
];

/// What a join waits for that begins before the control plane's controllers run. They begin together, when the last of them
/// is there; that of node addresses takes ten seconds for it in 1.20.
const CONTROLLERS: Component = Component {
    name: "kube-controller-manager",
    process: "kube-controller",
    lines: &[
        ("successfully acquired lease", "leads"),
        ("Started \"nodeipam\"", "has node addresses"),
        ("Caches are synced for certificate-csrsigning-kubelet-client", "signs"),
    ],
};

/// Seconds since 1970 of the first line with these words in the kubelet's journal.
const IN_JOURNAL: &str = r#"journalctl --unit kubelet --output short-unix --no-pager | grep --max-count=1 --fixed-strings -- "$1" | cut -d' ' -f1"#;

/// The same of a container's log.
const IN_LOG: &str = r#"at=$(cat /var/log/pods/kube-system_"$2"-*/*/*.log | grep --fixed-strings -- "$1" | sort | head -n 1 | cut -d' ' -f1)
[ -z "$at" ] || date --date "$at" +%s.%N"#;

/// The clock tick since the machine's start at which the oldest process of this name began.
const STARTED: &str =
    r#"cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^[0-9]* ($1) //p" | cut -d' ' -f20 | sort -n | head -n 1"#;

/// A lane for each component that runs on the node, in seconds since the command began: `began` on the monotonic clock,
/// `began_at` since 1970.
pub(super) fn lanes(node: &Node, began: f64, began_at: f64, is_control_plane: bool) -> Result<Vec<Lane>, Failure> {
    let rest = if is_control_plane { &OF_CONTROL_PLANE[..] } else { &[] };
    std::iter::once((&KUBELET, IN_JOURNAL))
        .chain(rest.iter().map(|component| (component, IN_LOG)))
        .map(|(component, script)| lane(node, component, script, (began, began_at)))
        .collect()
}

/// When kubelets' certificates could be signed first, in seconds since 1970: no worker can have joined before.
pub(super) fn signs(control_plane: &Node) -> Result<Option<f64>, Failure> {
    let words = CONTROLLERS.lines.last().map_or("", |(words, _)| words);
    let output = control_plane.ok(&["bash", "-c", IN_LOG, "bash", words, CONTROLLERS.name])?;
    Ok(output.line().parse().ok())
}

/// The lane of a control plane's controllers, beside those of a worker.
pub(super) fn controllers(control_plane: &Node, began: f64, began_at: f64) -> Result<Lane, Failure> {
    lane(control_plane, &CONTROLLERS, IN_LOG, (began, began_at))
}

/// What a unit's journal says when it begins something, and how the line that ends it goes on.
const ENDINGS: [(&str, &str, &str); 3] = [
    ("kubelet", "Stopping kubelet", "Stopped kubelet"),
    ("containerd", "msg=\"StopPodSandbox ", "msg=\"StopPodSandbox "),
    ("containerd", "msg=\"RemovePodSandbox ", "msg=\"RemovePodSandbox "),
];

/// The journals of kubelet and containerd since a moment, in seconds since 1970 before each line.
const SINCE: &str =
    r#"journalctl --unit kubelet --unit containerd --output short-unix --no-pager --quiet --since "@$1""#;

/// What a reset waits for: a lane each for the end of the kubelet, and for what containerd does to Pods.
pub(super) fn endings(node: &Node, began_at: f64) -> Result<Vec<Lane>, Failure> {
    let journal = node.ok(&["bash", "-c", SINCE, "bash", &began_at.to_string()])?.stdout;
    Ok(ends(&journal, began_at))
}

fn ends(journal: &str, began_at: f64) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (unit, begins, ends) in ENDINGS {
        let mut began = None;
        for line in journal.lines() {
            let Some(at) = line.split(' ').next().and_then(|at| at.parse::<f64>().ok()) else { continue };
            let is_end = begins != ends || line.contains("returns successfully");
            if line.contains(ends) && is_end {
                let Some(from) = began.take() else { continue };
                let words = begins.trim_start_matches("msg=\"").trim();
                let (title, note) = (format!("{words} of {unit}"), format!("{words} {:.2} s", at - began_at - from));
                let bar = Bar { from, to: at - began_at, title };
                match lanes.iter_mut().find(|lane| lane.name == unit) {
                    Some(lane) => {
                        lane.bars.push(bar);
                        lane.note = format!("{}, {note}", lane.note);
                    }
                    None => lanes.push(Lane { name: unit.to_owned(), bars: vec![bar], note, is_own: false }),
                }
            } else if line.contains(begins) {
                began = Some(at - began_at);
            }
        }
    }
    lanes
}

fn lane(node: &Node, component: &Component, script: &str, began: (f64, f64)) -> Result<Lane, Failure> {
    let number = |script: &str, words: [&str; 2]| -> Result<Option<f64>, Failure> {
        let output = node.ok(&["bash", "-c", script, "bash", words[0], words[1]])?;
        Ok(output.line().parse().ok())
    };
    let mut lane = Lane { name: component.name.to_owned(), ..Lane::default() };
    let Some(ticks) = number(STARTED, [component.process, ""])? else { return Ok(lane) };
    let mut last = ticks / 100.0 - slept() - began.0;
    let mut notes = vec![format!("process {last:.2} s")];
    for (words, name) in component.lines {
        let Some(at) = number(script, [words, component.name])?.map(|at| at - began.1).filter(|at| *at >= last) else {
            continue;
        };
        lane.bars.push(Bar { from: last, to: at, title: format!("{} until it {name}", component.name) });
        notes.push(format!("{name} {at:.2} s"));
        last = at;
    }
    lane.note = notes.join(", ");
    Ok(lane)
}

/// What the clock of processes' start times is ahead of the monotonic one.
fn slept() -> f64 {
    let of = |clock: ClockId| clock_gettime(clock).map_or(0.0, |time| Duration::from(time).as_secs_f64());
    of(ClockId::CLOCK_BOOTTIME) - of(ClockId::CLOCK_MONOTONIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_kubelet_and_pods_is_read_from_the_journal() {
        let journal = r#"100.10 n systemd[1]: Stopping kubelet.service - kubelet: The Kubernetes Node Agent...
100.15 n systemd[1]: Stopped kubelet.service - kubelet: The Kubernetes Node Agent.
100.20 n containerd[78]: time="…" level=info msg="StopPodSandbox for \"34f9\""
100.29 n containerd[78]: time="…" level=info msg="TearDown network for sandbox \"34f9\" successfully"
100.30 n containerd[78]: time="…" level=info msg="StopPodSandbox for \"34f9\" returns successfully"
100.30 n containerd[78]: time="…" level=info msg="RemovePodSandbox for \"34f9\""
100.31 n containerd[78]: time="…" level=info msg="RemovePodSandbox \"34f9\" returns successfully"
"#;
        let lanes = ends(journal, 100.0);
        let shown: Vec<(&str, usize, &str)> =
            lanes.iter().map(|lane| (&*lane.name, lane.bars.len(), &*lane.note)).collect();
        let pods = "StopPodSandbox 0.10 s, RemovePodSandbox 0.01 s";
        assert_eq!(shown, [("kubelet", 1, "Stopping kubelet 0.05 s"), ("containerd", 2, pods)]);
        assert!((lanes[1].bars[0].from - 0.2).abs() < 1e-6 && (lanes[1].bars[0].to - 0.3).abs() < 1e-6);
    }
}
