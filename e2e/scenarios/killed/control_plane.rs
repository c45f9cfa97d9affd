//! `join --control-plane`, killed: the same command again ends as an unbroken run ends, with two members of etcd that
//! both vote, and no third. The unbroken run is taken back by `undo`: node and cluster are as before it.

use super::{FULL, all_end_well, ends, kill, runs};
use crate::ha::{ENDPOINT, point_to};
use crate::undo::{prepared, undo};
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::Breaker;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::{JoinCommand, Tool};
use kubestrap_e2e::wait::wait_for;
use serde_json::Value;
use std::fs;

const NAME: &str = "cp-killed";

/// What all control-plane nodes of a cluster have in common.
const SHARED: [&str; 4] = [
    "content /etc/kubernetes/pki/ca.",
    "content /etc/kubernetes/pki/etcd/ca.",
    "content /etc/kubernetes/pki/front-proxy-ca.",
    "content /etc/kubernetes/pki/sa.",
];

/// etcd's own list, through its JSON gateway.
const MEMBERS: &str = "curl --silent --show-error --fail --request POST --data '{}' \
    --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/healthcheck-client.crt \
    --key /etc/kubernetes/pki/etcd/healthcheck-client.key https://127.0.0.1:2379/v3/cluster/member/list";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn join_of_a_control_plane_node_goes_on_wherever_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("join_of_a_control_plane_node_goes_on_wherever_it_was_killed", |run| {
        let breaker = Breaker::build(run)?;
        let (cluster, join) = first_of_several(run)?;
        let command: Vec<&str> =
            ["kubestrap", "join"].into_iter().chain(join.arguments.iter().map(String::as_str)).collect();
        let node = made(run, &cluster)?;
        let (before, alone) = (Snapshot::take(&node)?, ends::of_cluster(&cluster)?);
        let (output, lines) = breaker.count(&node, &command)?;
        say(&format!("unbroken: {:.1} s, {lines} lines of the journal", output.took.as_secs_f32()));
        let unbroken = found(&cluster, &node)?;
        let undone = undo(&node, &before)?;
        is_alone(&cluster)?;
        ends::same("after undo, the cluster is", &alone, &ends::of_cluster(&cluster)?)
            .map_err(|failure| Failure::new(failure.to_string(), undone))?;
        all_end_well(run, "join --control-plane", &runs(lines, 2, FULL), |points| {
            let node = present(run, &cluster)?;
            let missed = kill(&breaker, &node, &command, points)?;
            let output = Tool::Kubestrap.join_control_plane(&node, &join)?.success()?;
            say(&format!("kubestrap join --control-plane on {}: {:.1} s", node.name, output.took.as_secs_f32()));
            has_members(&cluster.control_plane, &[&cluster.control_plane.name, NAME])?;
            ends::same("the node and the cluster are", &unbroken, &found(&cluster, &node)?)?;
            leave(&cluster, &node).map(|()| missed)
        })?;
        node.destroy()?;
        cluster.destroy()
    });
}

/// A cluster whose endpoint is a name that only its nodes know.
fn first_of_several(run: &Run) -> Result<(Cluster, JoinCommand), Failure> {
    let node = Node::create(run, "cp-first")?;
    point_to(&node, &node)?;
    let output = Tool::Kubestrap.init_with_endpoint(&node, &format!("{ENDPOINT}:6443"))?.success()?;
    let join = JoinCommand::parse_control_plane(&output.stdout)?;
    let cluster = Cluster::adopt(run, node, JoinCommand::parse(&output.stdout)?)?;
    let unusable = |error: std::io::Error| Failure::new("cannot lead kubectl to the node itself", error);
    let text = fs::read_to_string(cluster.kubeconfig()).map_err(unusable)?;
    let text = text.replace(ENDPOINT, &cluster.control_plane.address.to_string());
    fs::write(cluster.kubeconfig(), text).map_err(unusable)?;
    Ok((cluster, join))
}

fn made(run: &Run, cluster: &Cluster) -> Result<Node, Failure> {
    let node = Node::create(run, NAME)?;
    point_to(&node, &cluster.control_plane)?;
    prepared(&node)?;
    Ok(node)
}

/// The node; where the last run left it in disorder, it leaves the cluster and a new one is made.
fn present(run: &Run, cluster: &Cluster) -> Result<Node, Failure> {
    let node = Node::load(&run.record, NAME)?;
    if !node.exists("/etc/kubernetes/kubelet.conf")? && !node.exists("/var/lib/kubestrap")? {
        return Ok(node);
    }
    Tool::Kubestrap.reset(&node, &[])?;
    cluster.kubectl(&["delete", "node", NAME, "--ignore-not-found"])?;
    node.destroy()?;
    made(run, cluster)
}

fn found(cluster: &Cluster, node: &Node) -> Result<Vec<String>, Failure> {
    Ok([ends::of_node(node, &SHARED)?, ends::of_cluster(cluster)?].concat())
}

fn leave(cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    Tool::Kubestrap.reset(node, &[])?.success()?;
    cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"])?;
    is_alone(cluster)
}

fn is_alone(cluster: &Cluster) -> Result<(), Failure> {
    // While a member leaves, the API server of the other may miss its etcd for a moment.
    wait_for("the first node to be alone", SETTLES, || {
        has_members(&cluster.control_plane, &[&cluster.control_plane.name])
    })
}

/// etcd has these members, and each of them votes.
fn has_members(node: &Node, names: &[&str]) -> Result<(), Failure> {
    let output = node.script(MEMBERS)?;
    let list: Value = serde_json::from_str(&output.stdout)
        .map_err(|error| Failure::new(format!("etcd gave no JSON: {error}"), &output))?;
    let members: Vec<&Value> = list["members"].as_array().into_iter().flatten().collect();
    let mut found: Vec<&str> = members.iter().filter_map(|member| member["name"].as_str()).collect();
    found.sort_unstable();
    let mut names = names.to_vec();
    names.sort_unstable();
    expect(found == names, "etcd has other members", &output)?;
    expect(members.iter().all(|member| member["isLearner"] != true), "a member of etcd is still a learner", &output)
}
