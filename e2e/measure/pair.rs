//! One tool's half of a pair, on fresh nodes: init, a worker that joins as soon as init has returned, a worker that joins
//! when the cluster has settled, and that worker's reset.

use super::floor;
use super::milestones;
use super::process::Cost;
use super::results::{Figure, Results};
use super::small::TOOLS;
use super::subject::{Bench, add_pod_network, init_words, join_words, reset_words, settled};
use super::watch::{Sight, Watch};
use crate::cluster::{Cluster, SETTLES};
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::{JoinCommand, Tool};
use std::collections::BTreeSet;

/// Nodes that are up and wait for their half.
#[derive(Debug)]
pub struct Half {
    tool: Tool,
    pair: usize,
    control_plane: Node,
    first: Option<Node>,
}

/// A half that has been measured, whose control plane may not be Ready yet.
#[derive(Debug)]
pub struct Measured {
    cluster: Cluster,
    watch: Watch,
    pair: usize,
    /// The number of its measurement, and when it began.
    init: (usize, f64),
}

impl Half {
    /// Makes the nodes.
    pub fn prepare(bench: &Bench<'_>, tool: Tool, pair: usize, wants: &BTreeSet<Figure>) -> Result<Self, Failure> {
        let mut names = vec![name(tool, pair, "cp")];
        if wants.contains(&Figure::JoinAtOnce) {
            names.push(name(tool, pair, "1"));
        }
        let mut nodes = bench.nodes(tool, &names)?.into_iter();
        let control_plane = nodes.next().ok_or_else(|| Failure::new("there is no node", ""))?;
        let first = nodes.next();
        first.as_ref().map_or(Ok(()), add_pod_network)?;
        Ok(Self { tool, pair, control_plane, first })
    }

    /// Measures everything but how long the control plane's Pods take to be Ready.
    pub fn measure(
        self,
        bench: &Bench<'_>,
        wants: &BTreeSet<Figure>,
        results: &mut Results,
    ) -> Result<Measured, Failure> {
        let Self { tool, pair, control_plane, first } = self;
        let watch = Watch::begin(&control_plane);
        let words = init_words(tool, &control_plane)?;
        let init = bench.on(&control_plane, &words)?;
        let join = JoinCommand::parse(&init.stdout)?;
        let at_once = first.as_ref().map(|node| bench.on(node, &join_words(tool, &join))).transpose()?;

        let began = init.began;
        let mut values = init.values();
        values.insert("readyz".into(), watch.wait(&Sight::Readyz, SETTLES)? - began);
        let registered = Sight::Registered(control_plane.name.clone());
        values.insert("registered".into(), watch.wait(&registered, SETTLES)? - began);
        let init = results.add(Figure::Init, tool.program(), pair, values);
        let mut cluster = Cluster::adopt(bench.run, control_plane, join)?;
        if let (Some(node), Some(cost)) = (first, at_once) {
            let number = add_join(bench, results, (Figure::JoinAtOnce, tool, pair), &watch, (&node, &cost))?;
            if let Some(signs) = milestones::signs(&cluster.control_plane)? {
                results.amend(number, "signs", signs - cost.began_at);
            }
            cluster.workers.push(node);
        }
        if wants.contains(&Figure::JoinLater) || wants.contains(&Figure::Reset) {
            let node = bench.worker(tool, name(tool, pair, "2"))?;
            let join = settled(&cluster, tool)?;
            let cost = bench.on(&node, &join_words(tool, &join))?;
            add_join(bench, results, (Figure::JoinLater, tool, pair), &watch, (&node, &cost))?;
            if wants.contains(&Figure::Reset) {
                reset(bench, &cluster, (tool, pair), &node, results)?;
            }
            cluster.workers.push(node);
        }
        // The kubelet's own start is the same with both; kubestrap's phases prepare it.
        if wants.contains(&Figure::JoinFloor) && tool == Tool::Kubestrap {
            let node = floor::join(bench, &cluster, pair, &watch, results)?;
            cluster.workers.push(node);
        }
        Ok(Measured { cluster, watch, pair, init: (init, began) })
    }
}

impl Measured {
    /// Waits for the control plane's Pods, and takes the nodes away.
    pub fn finish(self, bench: &Bench<'_>, results: &mut Results) -> Result<(), Failure> {
        if self.pair <= bench.ready_pairs {
            let name = self.cluster.control_plane.name.clone();
            let ready = self.watch.wait(&Sight::ControlPlaneReady(name), 2 * SETTLES)?;
            results.amend(self.init.0, "pods-ready", ready - self.init.1);
        }
        drop(self.watch);
        self.cluster.destroy()
    }
}

/// No two nodes of a series have the same name.
pub(super) fn name(tool: Tool, pair: usize, role: &str) -> String {
    let tool = if tool == Tool::Kubestrap { "s" } else { "a" };
    format!("{tool}{pair}-{role}")
}

/// Takes a join in, with when its Node came, and gives its number.
pub(super) fn add_join(
    bench: &Bench<'_>,
    results: &mut Results,
    (figure, tool, pair): (Figure, Tool, usize),
    watch: &Watch,
    (node, cost): (&Node, &Cost),
) -> Result<usize, Failure> {
    let mut values = cost.values();
    let registered = Sight::Registered(node.name.clone());
    values.insert("registered".into(), watch.wait(&registered, SETTLES)? - cost.began);
    if pair <= bench.ready_pairs {
        let ready = Sight::Ready(node.name.clone());
        values.insert("ready".into(), watch.wait(&ready, SETTLES)? - cost.began);
    }
    Ok(results.add(figure, tool.program(), pair, values))
}

/// Of a worker whose Pods run.
fn reset(
    bench: &Bench<'_>,
    cluster: &Cluster,
    (tool, pair): (Tool, usize),
    node: &Node,
    results: &mut Results,
) -> Result<(), Failure> {
    settled(cluster, tool)?;
    let cost = bench.on(node, &reset_words(tool))?;
    let left = node.ok(&["ctr", "--namespace", "k8s.io", "tasks", "ls", "--quiet"])?;
    let mut values = cost.values();
    values.insert("containers-left".into(), left.stdout.lines().count() as f64);
    results.add(Figure::Reset, tool.program(), pair, values);
    cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"])?;
    Ok(())
}

/// Init without its preflight, of both tools.
pub(super) fn without_preflight(bench: &Bench<'_>, pair: usize, results: &mut Results) -> Result<(), Failure> {
    for tool in TOOLS {
        let node = bench.node(tool, name(tool, pair, "bare"))?;
        let mut words = init_words(tool, &node)?;
        words.push("--skip-phases=preflight".to_owned());
        let cost = bench.on(&node, &words)?;
        results.add(Figure::InitWithoutPreflight, tool.program(), pair, cost.values());
        node.destroy()?;
    }
    Ok(())
}
