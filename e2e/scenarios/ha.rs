//! Several control-plane nodes: a second one joins, the cluster outlives the API server of the first, and a reset of one
//! leaves the other working. Either tool joins what the other has made.
//!
//! The stable endpoint is a name in each node's /etc/hosts, which is moved from one node to the other by hand.

use crate::scenario;
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::{self, Node};
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{JoinCommand, Tool};
use kubestrap_e2e::wait::wait_for;

pub(crate) const ENDPOINT: &str = "k8s.e2e.test";

/// Where the endpoint leads on a node.
pub(crate) fn point_to(node: &Node, target: &Node) -> Result<(), Failure> {
    // Not renamed over it: containers see the file itself.
    let script = r#"hosts=$(grep -v " $2\$" /etc/hosts || true); printf '%s\n%s %s\n' "$hosts" "$1" "$2" >/etc/hosts"#;
    node.ok(&["sh", "-euc", script, "sh", &target.address.to_string(), ENDPOINT]).map(|_| ())
}

/// A cluster of two control-plane nodes, the first made by one tool, the second by another.
fn two_control_planes(run: &Run, first: Tool, second: Tool, names: [&str; 2]) -> Result<(Cluster, Node), Failure> {
    let mut made = Node::create_all(run, &names)?.into_iter();
    let (Some(one), Some(other)) = (made.next(), made.next()) else {
        return Err(Failure::new("no nodes were made", ""));
    };
    point_to(&one, &one)?;
    point_to(&other, &one)?;
    let output = first.init_with_endpoint(&one, &format!("{ENDPOINT}:6443"))?.success()?;
    say(&format!("{first} init on {}: {:.1} s", one.name, output.took.as_secs_f32()));
    let join = JoinCommand::parse_control_plane(&output.stdout)?;
    let cluster = Cluster::adopt(run, one, JoinCommand::parse(&output.stdout)?)?;
    let output = second.join_control_plane(&other, &join)?.success()?;
    say(&format!("{second} join --control-plane on {}: {:.1} s", other.name, output.took.as_secs_f32()));
    Ok((cluster, other))
}

/// kubectl at one node's own API server.
pub(crate) fn at<'c>(cluster: &'c Cluster, node: &Node) -> impl Fn(&[&str]) -> Result<String, Failure> + 'c {
    let server = format!("https://{}:6443", node.address);
    move |arguments| Ok(cluster.kubectl(&[&["--server", &server], arguments].concat())?.stdout)
}

pub(crate) fn serves(cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    wait_for(&format!("the API server of {}", node.name), SETTLES, || {
        let ready = at(cluster, node)(&["get", "--raw", "/readyz"])?;
        expect(ready == "ok", "/readyz does not say ok", ready)
    })
}

/// Writes an object through a node's API server, and reads it there.
fn can_be_written(cluster: &Cluster, node: &Node, name: &str) -> Result<(), Failure> {
    wait_for(&format!("a write through {}", node.name), SETTLES, || {
        let kubectl = at(cluster, node);
        if kubectl(&["get", "configmap", name]).is_err() {
            kubectl(&["create", "configmap", name, "--from-literal=through=it"])?;
        }
        kubectl(&["get", "configmap", name]).map(|_| ())
    })
}

/// What the cluster knows of its control plane.
pub(crate) fn is_known(cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    let object = cluster.object(&["--server", &format!("https://{}:6443", node.address), "get", "node", &node.name])?;
    let labels = &object["metadata"]["labels"];
    expect(labels["node-role.kubernetes.io/control-plane"] == "", "the Node has no label", labels)?;
    let taints = object["spec"]["taints"].to_string();
    expect(taints.contains("node-role.kubernetes.io/master"), "the Node has no taint", taints)?;
    let status = at(cluster, node)(&["-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "yaml"])?;
    let address = format!("advertiseAddress: {}", node.address);
    expect(status.contains(&address), "ClusterStatus does not know the node", status)
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_cluster_outlives_either_of_two_control_plane_nodes() {
    scenario("a_cluster_outlives_either_of_two_control_plane_nodes", |run| {
        let tool = Tool::from_environment()?;
        let (mut cluster, second) = two_control_planes(run, tool, tool, ["ha-1", "ha-2"])?;
        // From here on the name is known on the nodes only.
        for node in [&cluster.control_plane, &second] {
            serves(&cluster, node)?;
            is_known(&cluster, node)?;
        }
        let first = &cluster.control_plane;
        first.script("mv /etc/kubernetes/manifests/kube-apiserver.yaml /run/")?;
        wait_for("the first API server to end", SETTLES, || {
            let answer = at(&cluster, first)(&["get", "--raw", "/livez"]);
            expect(answer.is_err(), "it still answers", answer.unwrap_or_default())
        })?;
        can_be_written(&cluster, &second, "while-the-first-is-away")?;
        for node in [first, &second] {
            point_to(node, &second)?;
        }
        wait_for("the first node's kubelet to go on through the second API server", SETTLES, || {
            let lease = ["-n", "kube-node-lease", "get", "lease", &first.name, "-o", "jsonpath={.spec.renewTime}"];
            let before = at(&cluster, &second)(&lease)?;
            wait_for("a heartbeat", SETTLES, || {
                let now = at(&cluster, &second)(&lease)?;
                expect(now != before, "the lease is not renewed", now)
            })
        })?;
        // A worker comes in by the second node alone.
        let worker = Node::create(run, "ha-worker")?;
        point_to(&worker, &second)?;
        tool.join(&worker, &cluster.join, &[])?.success()?;
        at(&cluster, &second)(&["get", "node", &worker.name])?;

        first.script("mv /run/kube-apiserver.yaml /etc/kubernetes/manifests/")?;
        serves(&cluster, first)?;
        for node in [first, &second, &worker] {
            point_to(node, first)?;
        }
        let output = tool.reset(&second, &[])?.success()?;
        say(&format!("{tool} reset on {}: {:.1} s", second.name, output.took.as_secs_f32()));
        can_be_written(&cluster, first, "after-the-reset-of-the-second")?;
        second.destroy()?;
        cluster.workers.push(worker);
        cluster.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn either_tool_joins_the_control_plane_that_the_other_has_made() {
    if nodes::kubestrap_program().is_none() {
        say("skipped: there is no kubestrap program");
        return;
    }
    scenario("either_tool_joins_the_control_plane_that_the_other_has_made", |run| {
        for (first, second, names) in [
            (Tool::Kubestrap, Tool::Kubeadm, ["by-strap-1", "by-adm-2"]),
            (Tool::Kubeadm, Tool::Kubestrap, ["by-adm-1", "by-strap-2"]),
        ] {
            let (cluster, other) = two_control_planes(run, first, second, names)?;
            for node in [&cluster.control_plane, &other] {
                serves(&cluster, node)?;
                is_known(&cluster, node)?;
                can_be_written(&cluster, node, &format!("through-{}", node.name))?;
            }
            other.destroy()?;
            cluster.destroy()?;
        }
        Ok(())
    });
}
