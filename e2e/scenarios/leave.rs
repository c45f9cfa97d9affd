//! Leaving a cluster that runs work: `reset` drains and respects PodDisruptionBudgets, `remove` does the cluster's half
//! for a machine that is gone.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::Tool;
use kubestrap_e2e::wait::wait_for;
use std::time::Duration;

/// A Pod that wants to be on the node called `leaves`, and can be elsewhere.
const GUARDED: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: guarded}
spec:
  replicas: 1
  selector: {matchLabels: {app: guarded}}
  template:
    metadata: {labels: {app: guarded}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [leaves]}]}
      containers:
      - name: web
        image: e2e/web:1
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: guarded}
spec: {minAvailable: 1, selector: {matchLabels: {app: guarded}}}
";

/// The controller manager takes a node for gone 40 s after its last word.
const GONE: Duration = Duration::from_secs(90);

fn start_guarded_on(cluster: &Cluster, node: &str) -> Result<(), Failure> {
    cluster.kubectl_with(&["apply", "--filename", "-"], GUARDED)?;
    cluster.kubectl(&["rollout", "status", "deployment/guarded", "--timeout=50s"])?;
    wait_for(&format!("the guarded Pod to run on {node} and its budget to be counted"), GONE, || {
        let budget = cluster.object(&["get", "poddisruptionbudget", "guarded"])?;
        expect(guarded_is_on(cluster, node)? && budget["status"]["currentHealthy"] == 1, "not yet", &budget["status"])
    })
}

fn guarded_is_on(cluster: &Cluster, node: &str) -> Result<bool, Failure> {
    let pods = cluster.object(&["get", "pods", "--selector", "app=guarded"])?;
    let found = pods["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(found.iter().any(|pod| pod["spec"]["nodeName"] == node && pod["status"]["phase"] == "Running"))
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_node_leaves_when_its_pods_may_and_is_removed_when_it_is_gone() {
    scenario("a_node_leaves_when_its_pods_may_and_is_removed_when_it_is_gone", |run| {
        let tool = Tool::from_environment()?;
        if tool == Tool::Kubeadm {
            // kubeadm neither drains nor removes.
            return Ok(());
        }
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "leaves")?;
        cluster.join_again(tool, &node)?;
        cluster.lay_pod_network_with(&node)?;
        cluster.wait_node_ready(&node.name)?;
        start_guarded_on(cluster, &node.name)?;

        let refused = tool.reset(&node, &["--drain-timeout", "3s"])?;
        expect(refused.code == Some(1), "reset went on although a budget forbids it", &refused)?;
        expect(refused.stderr.contains("disruption budget"), "the budget is not named", &refused)?;
        expect(guarded_is_on(cluster, &node.name)?, "the guarded Pod is gone", &refused)?;
        expect(node.exists("/etc/kubernetes/kubelet.conf")?, "files were removed", &refused)?;

        cluster.kubectl(&["delete", "poddisruptionbudget", "guarded"])?;
        tool.reset(&node, &[])?.success()?;
        wait_for("the Pod to run elsewhere", GONE, || {
            expect(!guarded_is_on(cluster, &node.name)?, "it is still there", "")?;
            cluster.kubectl(&["rollout", "status", "deployment/guarded", "--timeout=1s"]).map(|_| ())
        })?;

        // The same machine comes back under its old Node, without anybody's help.
        cluster.join_again(tool, &node)?;
        let back = cluster.object(&["get", "node", &node.name])?;
        expect(back["spec"]["unschedulable"] != true, "the Node is still cordoned", &back["spec"])?;
        node.cut_power()?;
        wait_for("the Node to be known as gone", GONE, || {
            let found = cluster.object(&["get", "node", &node.name])?;
            expect(!kubestrap_e2e::cluster::is_ready(&found), "it is Ready", "")
        })?;
        cluster.control_plane.ok(&["kubestrap", "remove", &node.name])?;
        let nodes = cluster.kubectl(&["get", "nodes", "--output", "name"])?;
        expect(!nodes.stdout.contains(&node.name), "the Node is still there", &nodes)?;
        cluster.kubectl(&["delete", "deployment", "guarded"])?;
        node.destroy()
    });
}
