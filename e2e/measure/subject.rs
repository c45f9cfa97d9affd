//! Who is measured: a tool with what it needs on its nodes, and the words of its commands. Both tools get the same
//! configuration and run all their phases, preflight too: kubeadm's nodes get the stand-in for crictl, without which its
//! preflight and its reset cannot work.

use super::process::{Cost, Meter};
use crate::cluster::{Cluster, SETTLES};
use crate::failure::{Failure, expect};
use crate::nodes::Node;
use crate::pod_network::lay_pod_network;
use crate::run::Run;
use crate::tool::{JoinCommand, Tool};
use crate::wait::wait_for;
use std::fs;

/// What workers' Pods get their addresses from. It is there before the join, so that the Node can become Ready.
const POD_SUBNET_OF_WORKERS: &str = "10.244.201.0/24";

/// Where measurements are made.
#[derive(Debug)]
pub struct Bench<'r> {
    pub run: &'r Run,
    pub meter: Meter,
    /// In how many pairs, the first ones, what comes long after a command is waited for: Nodes and Pods that become Ready.
    pub ready_pairs: usize,
}

impl Bench<'_> {
    /// Fresh nodes for this tool, all at the same time.
    pub(super) fn nodes(&self, tool: Tool, names: &[String]) -> Result<Vec<Node>, Failure> {
        let nodes = Node::create_all(self.run, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
        for node in &nodes {
            self.meter.install(node)?;
            if tool == Tool::Kubeadm {
                install_crictl(self.run, node)?;
            }
        }
        Ok(nodes)
    }

    pub(super) fn node(&self, tool: Tool, name: String) -> Result<Node, Failure> {
        self.nodes(tool, &[name])?.pop().ok_or_else(|| Failure::new("no node was made", ""))
    }

    /// A fresh node with a Pod network.
    pub(super) fn worker(&self, tool: Tool, name: String) -> Result<Node, Failure> {
        let node = self.node(tool, name)?;
        add_pod_network(&node)?;
        Ok(node)
    }

    pub(super) fn on(&self, node: &Node, words: &[String]) -> Result<Cost, Failure> {
        self.meter.on(node, &words.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

pub(super) fn add_pod_network(worker: &Node) -> Result<(), Failure> {
    lay_pod_network(&[(worker, POD_SUBNET_OF_WORKERS.to_owned())])
}

fn install_crictl(run: &Run, node: &Node) -> Result<(), Failure> {
    let (from, to) = (run.record.prepared.join("bin/crictl-stand-in"), node.root().join("usr/bin/crictl"));
    fs::copy(&from, &to)
        .map(|_| ())
        .map_err(|error| Failure::new(format!("cannot copy {} to node {}", from.display(), node.name), error))
}

fn words(tool: Tool, command: &str, more: impl IntoIterator<Item = String>) -> Vec<String> {
    [tool.program().to_owned(), command.to_owned()].into_iter().chain(more).collect()
}

pub(super) fn init_words(tool: Tool, node: &Node) -> Result<Vec<String>, Failure> {
    Ok(words(tool, "init", tool.init_flags(node)?.into_iter().map(str::to_owned)))
}

pub(super) fn join_words(tool: Tool, join: &JoinCommand) -> Vec<String> {
    words(tool, "join", join.arguments.iter().cloned())
}

/// Without drain, which kubeadm does not do.
pub(super) fn reset_words(tool: Tool) -> Vec<String> {
    let more = match tool {
        Tool::Kubestrap => &["--force", "--skip-drain"][..],
        Tool::Kubeadm => &["--force"],
    };
    words(tool, "reset", more.iter().map(|word| (*word).to_owned()))
}

/// Waits until nothing of the cluster's making is under way any more: a token that is made now has been signed, and all Pods
/// that have a node are Ready. Gives the join command with that token.
///
/// Not waited for are the control plane's own Pods: the kubelet reports them Ready a minute later than they are.
pub(super) fn settled(cluster: &Cluster, tool: Tool) -> Result<JoinCommand, Failure> {
    let made = cluster.control_plane.ok(&[tool.program(), "token", "create"])?;
    let token = made.line().to_owned();
    let id = token.split('.').next().unwrap_or_default();
    wait_for("a new token to be signed", SETTLES, || {
        let info = cluster.object(&["--namespace", "kube-public", "get", "configmap", "cluster-info"])?;
        expect(info["data"][format!("jws-kubeconfig-{id}")].is_string(), "it is not", &info["data"])
    })?;
    wait_for("all Pods to be Ready", SETTLES, || {
        let labels = "tier!=control-plane";
        let pods = cluster.object(&["--namespace", "kube-system", "get", "pods", "--selector", labels])?;
        let pods = pods["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut placed = pods.iter().filter(|pod| pod["spec"]["nodeName"].is_string()).peekable();
        expect(placed.peek().is_some(), "there are none", "")?;
        let waiting = placed.find(|pod| !crate::cluster::is_ready(pod));
        expect(waiting.is_none(), "one is not", waiting.map_or_else(String::new, |pod| pod["status"].to_string()))
    })?;
    let mut arguments = cluster.join.arguments.clone();
    let place = arguments.iter().position(|word| word == "--token").and_then(|place| arguments.get_mut(place + 1));
    *place.ok_or_else(|| Failure::new("the join command has no token", cluster.join.arguments.join(" ")))? = token;
    Ok(JoinCommand { arguments })
}
