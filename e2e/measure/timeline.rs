//! Where init, joins and reset spend their time: kubestrap's own events, the components' milestones below them, as pictures.
//! The commands run once more for it, with `-o json`, outside the series.

use super::control_plane;
use super::milestones;
use super::pair::name;
use super::process::Cost;
use super::report::write;
use super::subject::{Bench, add_pod_network, init_words, join_words, reset_words, settled};
use super::svg::{Bar, Lane, Picture};
use super::watch::{Sight, Watch};
use crate::cluster::{Cluster, SETTLES};
use crate::failure::Failure;
use crate::nodes::Node;
use crate::say;
use crate::tool::{JoinCommand, Tool};
use serde_json::Value;
use std::path::Path;

const TOOL: Tool = Tool::Kubestrap;

/// Writes timeline-init.svg, timeline-join-at-once.svg, timeline-join.svg and timeline-reset.svg, and the events beside them.
pub(super) fn draw(bench: &Bench<'_>, out: &Path) -> Result<(), Failure> {
    let names = ["cp", "1", "2"].map(|role| name(TOOL, 0, &format!("line-{role}")));
    let mut nodes = bench.nodes(TOOL, &names)?.into_iter();
    let (Some(first), Some(one), Some(two)) = (nodes.next(), nodes.next(), nodes.next()) else {
        return Err(Failure::new("there are no nodes", ""));
    };
    for worker in [&one, &two] {
        add_pod_network(worker)?;
    }
    let watch = Watch::begin(&first);
    let init = bench.on(&first, &told(init_words(TOOL, &first)?))?;
    let events = events(&init.stdout)?;
    let results: Vec<&str> = events.iter().filter_map(|event| event["text"].as_str()).collect();
    let join = JoinCommand::parse(&results.join("\n"))?;
    let at_once = bench.on(&one, &told(join_words(TOOL, &join)))?;
    let readyz = watch.wait(&Sight::Readyz, SETTLES)? - init.began;
    let mut shown = Shown::of("init", "kubestrap init", &init).registered(&first, &watch)?;
    shown.moments.push((readyz, "/readyz".to_owned()));
    shown.lanes = milestones::lanes(&first, init.began, init.began_at, true)?;
    shown.draw(out)?;
    let mut cluster = Cluster::adopt(bench.run, first, join)?;
    let title = "kubestrap join, right after init";
    let mut shown = Shown::of("join-at-once", title, &at_once).registered(&one, &watch)?;
    shown.lanes = milestones::lanes(&one, at_once.began, at_once.began_at, false)?;
    shown.lanes.push(milestones::controllers(&cluster.control_plane, at_once.began, at_once.began_at)?);
    shown.draw(out)?;
    cluster.workers.push(one);
    let join = settled(&cluster, TOOL)?;
    let later = bench.on(&two, &told(join_words(TOOL, &join)))?;
    let mut shown =
        Shown::of("join", "kubestrap join, when the cluster has settled", &later).registered(&two, &watch)?;
    shown.lanes = milestones::lanes(&two, later.began, later.began_at, false)?;
    shown.draw(out)?;
    settled(&cluster, TOOL)?;
    let reset = bench.on(&two, &told(reset_words(TOOL)))?;
    let mut shown = Shown::of("reset", "kubestrap reset of a worker, without drain", &reset);
    shown.lanes = milestones::endings(&two, reset.began_at)?;
    shown.draw(out)?;
    cluster.workers.push(two);
    cluster.destroy()
}

/// Writes timeline-join-control-plane.svg, and the events beside it.
pub(super) fn draw_control_plane_join(bench: &Bench<'_>, out: &Path) -> Result<(), Failure> {
    let names = ["one", "two"].map(|role| name(TOOL, 0, &format!("line-{role}")));
    let (mut cluster, watch, two, join) = control_plane::prepared(bench, TOOL, &names)?;
    let cost = bench.on(&two, &told(join_words(TOOL, &join)))?;
    let mut shown =
        Shown::of("join-control-plane", "kubestrap join --control-plane", &cost).registered(&two, &watch)?;
    shown.lanes = milestones::lanes(&two, cost.began, cost.began_at, true)?;
    shown.draw(out)?;
    drop(watch);
    cluster.workers.push(two);
    cluster.destroy()
}

fn told(mut words: Vec<String>) -> Vec<String> {
    words.extend(["-o", "json"].map(str::to_owned));
    words
}

/// A command of which there is a picture.
struct Shown<'a> {
    file: &'static str,
    title: &'static str,
    cost: &'a Cost,
    /// Seconds after it began, and what came then.
    moments: Vec<(f64, String)>,
    /// Of the components.
    lanes: Vec<Lane>,
}

impl<'a> Shown<'a> {
    fn of(file: &'static str, title: &'static str, cost: &'a Cost) -> Self {
        Self { file, title, cost, moments: vec![(cost.seconds, "returned".to_owned())], lanes: Vec::new() }
    }

    /// Waits for the node's Node.
    fn registered(mut self, node: &Node, watch: &Watch) -> Result<Self, Failure> {
        let registered = watch.wait(&Sight::Registered(node.name.clone()), SETTLES)?;
        self.moments.push((registered - self.cost.began, "Node registered".to_owned()));
        Ok(self)
    }

    fn draw(mut self, out: &Path) -> Result<(), Failure> {
        let (file, seconds) = (self.file, self.cost.seconds);
        let events = events(&self.cost.stdout)?;
        self.moments.sort_by(|one, other| one.0.total_cmp(&other.0));
        let lanes = [phases(&events, &self.cost.own_cpu_at), self.lanes].concat();
        let cpu = self.cost.own_cpu;
        let title = format!("{}: {seconds:.2} s, {cpu:.3} s of own processor time (Kubernetes 1.20.2)", self.title);
        write(out, &format!("timeline-{file}.svg"), &Picture { title, lanes, moments: self.moments }.drawn())?;
        write(out, &format!("timeline-{file}.jsonl"), &without_secrets(&events))?;
        say(&format!("timeline of {file}: {seconds:.2} s"));
        Ok(())
    }
}

fn events(stdout: &str) -> Result<Vec<Value>, Failure> {
    let lines = stdout.lines().map(serde_json::from_str::<Value>).collect::<Result<_, _>>();
    lines.map_err(|error| Failure::new(format!("kubestrap told no events: {error}"), stdout))
}

/// Results hold the token; the nodes are gone by the time anybody reads it, and yet.
fn without_secrets(events: &[Value]) -> String {
    events.iter().filter(|event| event["event"] != "result").map(|event| format!("{event}\n")).collect()
}

/// A lane per phase or group, with its time and the tool's own processor time meanwhile. What comes before the first phase is
/// reading and resolving.
fn phases(events: &[Value], own_cpu_at: &[f64]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut costs: Vec<f64> = Vec::new();
    let mut began = None;
    for (event, &cpu) in events.iter().zip(own_cpu_at) {
        let (Some(at), Some(path)) = (event["at"].as_f64(), event["phase"].as_str()) else { continue };
        match event["event"].as_str() {
            Some("phase-started") => {
                if lanes.is_empty() {
                    let bar = Bar { from: 0.0, to: at, title: "before the first phase".into() };
                    lanes.push(Lane {
                        name: "reads and resolves".into(),
                        bars: vec![bar],
                        is_own: true,
                        ..Lane::default()
                    });
                    costs.push(cpu);
                }
                began = Some((at, cpu));
            }
            Some("phase-finished") => {
                let (from, before) = began.take().unwrap_or((at, cpu));
                let bar = Bar { from, to: at, title: path.to_owned() };
                let group = path.split('/').next().unwrap_or(path);
                match (lanes.last_mut(), costs.last_mut()) {
                    (Some(lane), Some(cost)) if lane.name == group => {
                        lane.bars.push(bar);
                        *cost += cpu - before;
                    }
                    _ => {
                        lanes.push(Lane { name: group.into(), bars: vec![bar], is_own: true, ..Lane::default() });
                        costs.push(cpu - before);
                    }
                }
            }
            _ => {}
        }
    }
    for (lane, cost) in lanes.iter_mut().zip(costs) {
        let seconds: f64 = lane.bars.iter().map(|bar| bar.to - bar.from).sum();
        lane.note = format!("{seconds:.2} s, processor {:.0} ms", cost * 1e3);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_a_group_share_a_lane() {
        let events = events(
            r#"{"event":"started","command":"init","at":0.1}
{"event":"phase-started","phase":"certs/ca","at":0.2}
{"event":"phase-finished","phase":"certs/ca","changes":2,"seconds":0.1,"at":0.3}
{"event":"phase-started","phase":"certs/sa","at":0.3}
{"event":"phase-finished","phase":"certs/sa","changes":2,"seconds":0.2,"at":0.5}
{"event":"phase-skipped","phase":"upload-certs","why":"not asked for","at":0.5}
{"event":"result","text":"kubeadm join … --token abc","at":0.6}"#,
        )
        .unwrap();
        let lanes: Vec<(String, usize, String)> = phases(&events, &[0.01, 0.02, 0.05, 0.06, 0.1, 0.1, 0.1])
            .into_iter()
            .map(|lane| (lane.name, lane.bars.len(), lane.note))
            .collect();
        let expected = [("reads and resolves", 1, "0.20 s, processor 20 ms"), ("certs", 2, "0.30 s, processor 70 ms")];
        assert_eq!(lanes, expected.map(|(name, bars, note)| (name.to_owned(), bars, note.to_owned())));
        assert!(!without_secrets(&events).contains("--token"));
    }
}
