//! `join` of a worker, killed: the same command again ends as an unbroken run ends, with one Node, and changes nothing
//! else in the cluster.

use super::{FULL, all_end_well, ends, kill, runs};
use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::kill::Breaker;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::tool::Tool;

const NAME: &str = "join-killed";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn join_goes_on_wherever_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("join_goes_on_wherever_it_was_killed", |run| {
        let cluster = shared_cluster(run)?;
        let breaker = Breaker::build(run)?;
        let command = command(cluster);
        let node = Node::create(run, NAME)?;
        let (_, lines) = breaker.count(&node, &command)?;
        let unbroken = found(cluster, &node)?;
        leave(cluster, &node)?;
        all_end_well(run, "join", &runs(lines, 4, FULL), |points| {
            let attempt = |node: &Node| {
                let missed = kill(&breaker, node, &command, points)?;
                cluster.join_again(Tool::Kubestrap, node)?;
                ends::same("the node and the cluster are", &unbroken, &found(cluster, node)?)?;
                leave(cluster, node).map(|()| missed)
            };
            attempt(&present(run)?)
        })?;
        node.destroy()
    });
}

/// The node; a new one where the last was left in disorder.
fn present(run: &Run) -> Result<Node, Failure> {
    let node = Node::load(&run.record, NAME)?;
    if !node.exists("/etc/kubernetes/kubelet.conf")? && !node.exists("/var/lib/kubestrap")? {
        return Ok(node);
    }
    node.destroy()?;
    Node::create(run, NAME)
}

fn command(cluster: &Cluster) -> Vec<&str> {
    ["kubestrap", "join"].into_iter().chain(cluster.join.arguments.iter().map(String::as_str)).collect()
}

fn found(cluster: &Cluster, node: &Node) -> Result<Vec<String>, Failure> {
    Ok([ends::of_node(node, &["content /etc/kubernetes/pki/ca.crt"])?, ends::of_cluster(cluster)?].concat())
}

fn leave(cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    Tool::Kubestrap.reset(node, &[])?.success()?;
    cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"]).map(|_| ())
}
