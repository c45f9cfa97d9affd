//! When the components of a node came up: from their processes' start times, the kubelet's journal and the logs of their
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
