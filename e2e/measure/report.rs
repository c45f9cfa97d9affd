//! What is written of a series: bench.json with every value, and bench.md with medians, ratios, and whether each target holds.

use super::results::{Figure, Results, shown};
use crate::failure::Failure;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What a figure shall be.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// Told for comparison.
    None,
    /// At most this part of kubeadm's.
    Of(f64),
    /// Less than this.
    Below(f64),
    /// At most this many times a floor's value, and so many seconds more.
    OverFloor(Figure, &'static str, f64, f64),
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    title: &'static str,
    figure: Figure,
    value: &'static str,
    target: Target,
}

const fn row(title: &'static str, figure: Figure, value: &'static str, target: Target) -> Row {
    Row { title, figure, value, target }
}

const ROWS: [Row; 48] = [
    row("init, until it returned", Figure::Init, "returned", Target::Of(0.72)),
    row("init, until it returned", Figure::Init, "returned", Target::OverFloor(Figure::Floor, "readyz", 1.1, 0.5)),
    row("init, until /readyz", Figure::Init, "readyz", Target::None),
    row("init, until the Node is registered", Figure::Init, "registered", Target::None),
    row("init, until the control plane's Pods are Ready", Figure::Init, "pods-ready", Target::None),
    row("floor: kubelet started, until /readyz", Figure::Floor, "readyz", Target::None),
    row("floor: kubelet started, until the Node is registered", Figure::Floor, "registered", Target::None),
    row("init without preflight, until it returned", Figure::InitWithoutPreflight, "returned", Target::None),
    row("join right after init, until it returned", Figure::JoinAtOnce, "returned", Target::Of(0.5)),
    row("join right after init, until certificates can be signed", Figure::JoinAtOnce, "signs", Target::None),
    row("join right after init, until registered", Figure::JoinAtOnce, "registered", Target::None),
    row("join right after init, until Ready", Figure::JoinAtOnce, "ready", Target::None),
    row("join later, until it returned", Figure::JoinLater, "returned", Target::Of(0.95)),
    row("join later, until registered", Figure::JoinLater, "registered", Target::None),
    row(
        "join later, until registered",
        Figure::JoinLater,
        "registered",
        Target::OverFloor(Figure::JoinFloor, "registered", 1.1, 0.0),
    ),
    row("join later, until Ready", Figure::JoinLater, "ready", Target::None),
    row("floor: a worker's kubelet started, until registered", Figure::JoinFloor, "registered", Target::None),
    row("floor: a worker's kubelet started, until Ready", Figure::JoinFloor, "ready", Target::None),
    row("control-plane join, until it returned", Figure::ControlPlaneJoin, "returned", Target::None),
    row("control-plane join, until registered", Figure::ControlPlaneJoin, "registered", Target::None),
    row("control-plane join, until Ready", Figure::ControlPlaneJoin, "ready", Target::None),
    row("reset of a worker, without drain", Figure::Reset, "returned", Target::Of(0.5)),
    row("containers left by reset", Figure::Reset, "containers-left", Target::None),
    row("init phase certs all", Figure::Certs, "returned", Target::Of(0.4)),
    row("--help", Figure::Help, "returned", Target::Below(0.01)),
    row("own processor time, init", Figure::Init, "cpu-own", Target::Of(0.35)),
    row("own processor time, join right after init", Figure::JoinAtOnce, "cpu-own", Target::Of(0.35)),
    row("own processor time, join later", Figure::JoinLater, "cpu-own", Target::Of(0.35)),
    row("own processor time, control-plane join", Figure::ControlPlaneJoin, "cpu-own", Target::Of(0.35)),
    row("own processor time, reset", Figure::Reset, "cpu-own", Target::Of(0.35)),
    row("processor time with children, init", Figure::Init, "cpu", Target::None),
    row("processor time with children, join right after init", Figure::JoinAtOnce, "cpu", Target::None),
    row("processor time with children, join later", Figure::JoinLater, "cpu", Target::None),
    row("processor time with children, control-plane join", Figure::ControlPlaneJoin, "cpu", Target::None),
    row("processor time with children, reset", Figure::Reset, "cpu", Target::None),
    row("processor time with children, init phase certs all", Figure::Certs, "cpu", Target::None),
    row("peak memory, init", Figure::Init, "peak-kib", Target::Of(0.5)),
    row("peak memory, join right after init", Figure::JoinAtOnce, "peak-kib", Target::Of(0.5)),
    row("peak memory, join later", Figure::JoinLater, "peak-kib", Target::Of(0.5)),
    row("peak memory, control-plane join", Figure::ControlPlaneJoin, "peak-kib", Target::Of(0.5)),
    row("peak memory, reset", Figure::Reset, "peak-kib", Target::Of(0.5)),
    row("written to disk, init", Figure::Init, "written", Target::None),
    row("written to disk, join later", Figure::JoinLater, "written", Target::None),
    row("written to disk, reset", Figure::Reset, "written", Target::None),
    row("handed to write(), init", Figure::Init, "handed", Target::None),
    row("handed to write(), join later", Figure::JoinLater, "handed", Target::None),
    row("handed to write(), reset", Figure::Reset, "handed", Target::None),
    row("the program", Figure::Binary, "bytes", Target::Of(0.5)),
];

const NOTES: &str = "\
Medians, in brackets the least and the most. Both tools are measured in turns, on fresh nodes with the same images; who goes first
changes with every pair. Times count from the command's start; /readyz is asked every 50 ms.

* A worker's Node becomes Ready because the configuration of its Pod network is there before the join.
* Own processor time (user and system) and peak memory are those of the tool's own process. Processor time with children, and bytes, are those of the
  command and of all processes that it waited for, such as `kubelet --version`. \"Written to disk\" is what the kernel counts as bound for a disk, \"handed to write()\" includes
  pipes and sockets that are written like files.
* The floor is the components' own time: everything is prepared by single phases, only the kubelet is started.
* Kubernetes 1.20's controller-manager signs no kubelet's certificate in the first ten seconds and more after it has begun: its allocator of node
  addresses sleeps as long, and all controllers begin together. No worker can have joined before.
* kubeadm needs crictl for its preflight and its reset. Debian has none: a **stand-in for crictl** (`e2e/prepare/programs/crictl-stand-in`) makes the
  same calls to containerd. kubestrap has no need of it and runs on nodes without it.
* CoreDNS is a stand-in too, see `e2e/README.md`.
* `--help` runs on this machine, the other commands on nodes.
* Requests: whatever the kubelet does on its own is not counted. kubeadm leaves the TLS bootstrap to the kubelet, kubestrap does it itself.
";

impl Row {
    /// The target in words, and whether it holds.
    fn judged(&self, results: &Results) -> Option<(String, Option<bool>)> {
        let ours = results.median(self.figure, "kubestrap", self.value);
        Some(match self.target {
            Target::None => return None,
            Target::Of(part) => {
                let ratio = results.ratio(self.figure, self.value);
                (format!("≤ {part} of kubeadm"), ratio.map(|ratio| ratio <= part))
            }
            Target::Below(most) => (format!("< {}", shown(self.value, most)), ours.map(|ours| ours < most)),
            Target::OverFloor(floor, value, times, more) => {
                let most = results.median(floor, "floor", value).map(|floor| floor * times + more);
                let bound = most.map_or_else(|| "not measured".to_owned(), |most| shown(self.value, most));
                let rest = if more > 0.0 { format!(" + {more} s") } else { String::new() };
                let words = format!("≤ {times} × floor until {value}{rest} = {bound}");
                (words, most.zip(ours).map(|(most, ours)| ours <= most))
            }
        })
    }

    fn is_measured(&self, results: &Results) -> bool {
        ["kubestrap", "kubeadm", "floor"].iter().any(|by| !results.values(self.figure, by, self.value).is_empty())
    }
}

/// Writes both files, over those of before.
pub fn save(results: &Results, folder: &Path) -> Result<(), Failure> {
    let targets = ROWS.iter().filter(|row| row.is_measured(results)).filter_map(|row| {
        let (target, holds) = row.judged(results)?;
        Some(json!({"figure": row.figure.name(), "value": row.value, "target": target, "holds": holds}))
    });
    let targets: Vec<_> = targets.collect();
    let all = json!({
        "machine": results.machine, "medians": results.medians(), "targets": targets, "requests": results.requests,
        "measurements": results.measurements,
    });
    write(folder, "bench.json", &format!("{all:#}\n"))?;
    write(folder, "bench.md", &table(results))
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let (path, new) = (folder.join(name), folder.join(format!(".{name}.new")));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&new, text))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))
}

/// The table, and what must be known to read it.
pub fn table(results: &Results) -> String {
    let mut text = String::from("# kubestrap and kubeadm 1.20.2 side by side\n\n");
    if let Some(facts) = results.machine.as_object() {
        let facts: Vec<String> = facts
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let _ = writeln!(text, "{}\n", facts.join(" · "));
    }
    text.push_str("| | kubestrap | kubeadm | ratio | target | holds |\n|---|---|---|---|---|---|\n");
    for row in ROWS.iter().filter(|row| row.is_measured(results)) {
        let cell = |by: &str| told(&results.values(row.figure, by, row.value), row.value);
        let (ours, theirs) = if results.values(row.figure, "floor", row.value).is_empty() {
            (cell("kubestrap"), cell("kubeadm"))
        } else {
            (cell("floor"), String::new())
        };
        let ratio = results.ratio(row.figure, row.value).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let (target, holds) = row.judged(results).unwrap_or_default();
        let holds = holds.map_or("", |holds| if holds { "yes" } else { "**no**" });
        let _ = writeln!(text, "| {} | {ours} | {theirs} | {ratio} | {target} | {holds} |", row.title);
    }
    for command in super::requests::COMMANDS {
        let requests = |tool: &str| results.requests[tool][command]["requests"].as_u64();
        if let (Some(ours), Some(theirs)) = (requests("kubestrap"), requests("kubeadm")) {
            let ratio = if theirs > 0 { format!("{:.2}", ours as f64 / theirs as f64) } else { String::new() };
            let _ = writeln!(text, "| requests to the API server, {command} | {ours} | {theirs} | {ratio} | | |");
        }
    }
    let _ = write!(text, "\n{NOTES}");
    text
}

fn told(values: &[f64], name: &str) -> String {
    let (Some(middle), Some(least), Some(most)) = (super::results::median(values), values.first(), values.last())
    else {
        return String::new();
    };
    let middle = shown(name, middle);
    if least == most { middle } else { format!("{middle} ({} – {})", shown(name, *least), shown(name, *most)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(rows: &[(Figure, &str, &str, f64)]) -> Results {
        let mut results = Results::default();
        for (figure, by, name, value) in rows {
            results.add(*figure, by, 1, [((*name).to_owned(), *value)].into());
        }
        results
    }

    fn judgements(results: &Results) -> Vec<(&'static str, &'static str, Option<bool>)> {
        let measured = ROWS.iter().filter(|row| row.is_measured(results));
        measured.filter_map(|row| Some((row.figure.name(), row.value, row.judged(results)?.1))).collect()
    }

    #[test]
    fn a_target_holds_when_the_medians_say_so() {
        let seen = results(&[
            (Figure::Init, "kubestrap", "returned", 12.0),
            (Figure::Init, "kubeadm", "returned", 18.0),
            (Figure::Floor, "floor", "readyz", 10.0),
            (Figure::Help, "kubestrap", "returned", 0.009),
            (Figure::Reset, "kubestrap", "returned", 1.0),
        ]);
        assert_eq!(
            judgements(&seen),
            [
                ("init", "returned", Some(true)),
                ("init", "returned", Some(false)),
                ("reset", "returned", None),
                ("help", "returned", Some(true)),
            ]
        );
        let text = table(&seen);
        assert!(
            text.contains("| init, until it returned | 12.00 s | 18.00 s | 0.67 | ≤ 0.72 of kubeadm | yes |"),
            "{text}"
        );
        assert!(text.contains("= 11.50 s | **no** |"), "{text}");
    }

    #[test]
    fn what_was_not_measured_has_no_line() {
        let text = table(&results(&[(Figure::Help, "kubeadm", "returned", 0.05)]));
        assert!(!text.contains("init phase certs all"), "{text}");
        assert!(text.contains("| --help |  | 50.0 ms |"), "{text}");
    }
}
