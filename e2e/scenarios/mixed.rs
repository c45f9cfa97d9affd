//! Clusters of two tools: what one makes, the other joins.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::nodes::{self, Node};
use kubestrap_e2e::say;
use kubestrap_e2e::tool::Tool;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn kubeadm_joins_a_worker_to_the_shared_cluster() {
    scenario("kubeadm_joins_a_worker_to_the_shared_cluster", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "by-kubeadm")?;
        cluster.join_again(Tool::Kubeadm, &node)?;
        cluster.lay_pod_network_with(&node)?;
        cluster.wait_node_ready(&node.name)?;
        cluster.kubectl(&["delete", "node", &node.name])?;
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn kubestrap_joins_a_worker_to_a_cluster_made_by_kubeadm() {
    if nodes::kubestrap_program().is_none() {
        say("skipped: there is no kubestrap program");
        return;
    }
    scenario("kubestrap_joins_a_worker_to_a_cluster_made_by_kubeadm", |run| {
        let mut cluster = Cluster::init(run, Tool::Kubeadm, Node::create(run, "kubeadm-cp")?)?;
        cluster.join_worker(Tool::Kubestrap, Node::create(run, "by-kubestrap")?)?;
        cluster.lay_pod_network()?;
        cluster.wait_nodes_ready()?;
        cluster.destroy()
    });
}
