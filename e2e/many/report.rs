//! What was measured, as JSON and as tables.

use super::Extent;
use super::audit::Requests;
use super::joins::Join;
use super::looks::{Look, median};
use crate::failure::{Failure, expect};
use crate::nodes::Node;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// How many joins, first and last, are compared in memory.
const SAMPLE: usize = 10;

/// What the kernel tells the CPU time of a process in, per second.
const TICKS: f64 = 100.0;

/// How much slower than the median a join may be.
const SLOWEST: f64 = 3.0;

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub at_once: usize,
    pub joins: Joins,
    /// The commands that look, before anything was in the cluster, and with all of it.
    pub empty: Vec<Look>,
    pub full: Vec<Look>,
    /// A single join right after `init`, before all others, and one into the full cluster.
    pub first_join: Vec<Join>,
    pub join_full: Vec<Join>,
    /// Of the machine, at the beginning: what others do is in it.
    pub load: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Joins {
    pub joins: Vec<Join>,
    /// Of all joins.
    pub requests: Requests,
    /// Of the node with all worlds, what the stand-in for the kubelet sends and receives included.
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub before: Components,
    pub after: Components,
}

/// The components of a control plane, by their names.
pub type Components = BTreeMap<String, Component>;

/// What one of them has used.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Component {
    pub rss_kib: u64,
    /// Seconds since it was started.
    pub cpu: f64,
}

/// What the components use at this moment.
pub fn components(control_plane: &Node) -> Result<Components, Failure> {
    // pgrep knows the first 15 letters of a name.
    let script = "for name in etcd kube-apiserver kube-controller kubelet; do pid=$(pgrep -o -x \"$name.*\")
        echo \"$name $(awk '/^VmRSS/ {print $2}' /proc/$pid/status) $(sed 's/.*) //' /proc/$pid/stat)\"; done";
    let output = control_plane.script(script)?;
    let component = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ticks = words.get(13)?.parse::<f64>().ok()? + words.get(14)?.parse::<f64>().ok()?;
        let used = Component { rss_kib: words.get(1)?.parse().ok()?, cpu: ticks / TICKS };
        Some((words[0].to_owned(), used))
    };
    output
        .stdout
        .lines()
        .map(component)
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::new("a component is missing", &output))
}

impl Joins {
    fn good(&self) -> impl Iterator<Item = &Join> {
        self.joins.iter().filter(|join| join.problem.is_none())
    }

    pub fn median(&self) -> f64 {
        median(self.good().map(|join| join.seconds))
    }

    pub fn slowest(&self) -> f64 {
        self.good().map(|join| join.seconds).fold(0.0, f64::max)
    }

    /// That all joins succeeded, and none took much longer than the others.
    pub fn check(&self) -> Result<(), Failure> {
        let why = self.joins.iter().filter_map(|join| Some(format!("{}: {}", join.name, join.problem.as_ref()?)));
        let failed: Vec<String> = why.collect();
        expect(failed.is_empty(), format!("{} joins failed", failed.len()), failed[..failed.len().min(3)].join("\n"))?;
        let (slowest, median) = (self.slowest(), self.median());
        let seconds = format!("{slowest:.2} s, where the median is {median:.2} s");
        expect(slowest <= SLOWEST * median, "a join took much longer than the others", seconds)
    }

    /// From the first start to the last end.
    fn took(&self) -> f64 {
        self.joins.iter().map(|join| join.began + join.seconds).fold(0.0, f64::max)
    }
}

impl Report {
    pub fn new(extent: Extent) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            at_once: extent.at_once,
            joins: Joins::default(),
            empty: Vec::new(),
            full: Vec::new(),
            first_join: Vec::new(),
            join_full: Vec::new(),
            load: load.trim().to_owned(),
        }
    }

    pub fn check(&self) -> Result<(), Failure> {
        self.joins.check()
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let joins = &self.joins;
        let count = joins.joins.len();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{count} joins, {} at a time (load of the machine before: {})", self.at_once, self.load);
        let each = |value: u64| value as f64 / count.max(1) as f64;
        let (median, slowest) = (joins.median(), joins.slowest());
        let memory = |joins: &mut dyn Iterator<Item = &Join>| {
            super::looks::median(joins.map(|join| join.rss_kib as f64)) / 1024.0
        };
        let rows = [
            ("succeeded", joins.good().count().to_string()),
            ("all of them", format!("{:.1} s, {:.1} joins/s", joins.took(), count as f64 / joins.took())),
            ("median", format!("{median:.2} s")),
            ("slowest", format!("{slowest:.2} s, {:.2} x median", slowest / median)),
            (
                "CPU of a join",
                format!(
                    "{:.2} s, with the programs it runs {:.2} s",
                    super::looks::median(joins.good().map(|join| join.cpu)),
                    super::looks::median(joins.good().map(|join| join.cpu_with_children)),
                ),
            ),
            (
                "peak memory",
                format!(
                    "{:.1} MiB, the first {SAMPLE} {:.1}, the last {SAMPLE} {:.1}",
                    joins.good().map(|join| join.rss_kib).max().unwrap_or_default() as f64 / 1024.0,
                    memory(&mut joins.good().take(SAMPLE)),
                    memory(&mut joins.good().collect::<Vec<_>>().into_iter().rev().take(SAMPLE)),
                ),
            ),
            ("requests of a join", format!("{:.1}", each(joins.requests.values().sum()))),
            (
                "bytes of a join",
                format!("{:.0} received, {:.0} sent", each(joins.bytes_received), each(joins.bytes_sent)),
            ),
        ];
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:<20} {value}");
        }
        for (name, after) in &joins.after {
            let before = joins.before.get(name).copied().unwrap_or_default();
            let (from, to) = (before.rss_kib as f64 / 1024.0, after.rss_kib as f64 / 1024.0);
            let cpu = (after.cpu - before.cpu) / count.max(1) as f64;
            let _ = writeln!(text, "  {name:<20} {from:.0} MiB before, {to:.0} MiB after, CPU for a join {cpu:.2} s");
        }
        let _ = writeln!(text, "  seconds by phase, median and most:");
        for (phase, (median, most)) in self.phases() {
            let _ = writeln!(text, "    {phase:<28} {median:>6.2} {most:>6.2}");
        }
        let _ = writeln!(text, "  requests of all joins:");
        for (request, times) in &joins.requests {
            let _ = writeln!(text, "    {times:>6}  {request}");
        }
        for (title, looks) in [("empty cluster", &self.empty), ("full cluster", &self.full)] {
            looks_text(&mut text, title, looks);
        }
        for join in &self.join_full {
            let _ = writeln!(
                text,
                "a join into the full cluster: {:.2} s, {:.1} MiB",
                join.seconds,
                join.rss_kib as f64 / 1024.0
            );
        }
        text
    }

    /// Median and largest, by the order of their names.
    fn phases(&self) -> Vec<(String, (f64, f64))> {
        let names: BTreeSet<_> = self.joins.good().flat_map(|join| join.phases.keys()).collect();
        let seconds =
            |name: &String| self.joins.good().filter_map(|join| join.phases.get(name).copied()).collect::<Vec<_>>();
        let of = |name: &String| {
            let all = seconds(name);
            (median(all.iter().copied()), all.iter().copied().fold(0.0, f64::max))
        };
        names.into_iter().map(|name| (name.clone(), of(name))).collect()
    }
}

fn looks_text(text: &mut String, title: &str, looks: &[Look]) {
    if looks.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{title:<38} {:>8} {:>7} {:>9} {:>9} {:>11} {:>10} {:>9}",
        "seconds", "CPU s", "peak MiB", "requests", "bytes in", "bytes out", "printed"
    );
    for look in looks {
        let _ = writeln!(
            text,
            "  {:<36} {:>8.3} {:>7.2} {:>9.1} {:>9} {:>11} {:>10} {:>9}",
            look.command,
            look.seconds,
            look.cpu,
            look.rss_kib as f64 / 1024.0,
            look.requests.values().sum::<u64>(),
            look.bytes_received,
            look.bytes_sent,
            look.bytes_printed,
        );
    }
}
