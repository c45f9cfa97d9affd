//! `join` of a worker to the cluster that scenarios share.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::failure::expect;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::{JoinCommand, Tool};

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn both_workers_are_ready() {
    scenario("both_workers_are_ready", |run| {
        let cluster = shared_cluster(run)?;
        cluster.workers.iter().try_for_each(|node| cluster.wait_node_ready(&node.name))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_wrong_pin_is_refused_before_the_kubelet_gets_anything() {
    scenario("a_wrong_pin_is_refused_before_the_kubelet_gets_anything", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "refused")?;
        let wrong = |word: &String| match word.strip_prefix("sha256:") {
            Some(pin) => format!("sha256:{}", "0".repeat(pin.len())),
            None => word.clone(),
        };
        let join = JoinCommand { arguments: cluster.join.arguments.iter().map(wrong).collect() };
        let output = Tool::from_environment()?.join(&node, &join, &[])?;
        expect(output.code == Some(1), "join did not fail with exit code 1", &output)?;
        for path in
            ["/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/config.yaml"]
        {
            expect(!node.exists(path)?, format!("{path} was written"), &output)?;
        }
        node.destroy()
    });
}
