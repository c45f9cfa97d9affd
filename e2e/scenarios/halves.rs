//! `init` with half of its phases done by kubeadm 1.20.2 and half by kubestrap, in kubeadm's order, both ways round: the
//! cluster is the same. (`mixed` joins workers of one tool to a cluster of the other.)

use crate::{golden_objects, only_kubestrap, scenario};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::{self, Accepted};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};

/// Phases that both tools have, as a user types them.
const SHARED: [&str; 10] = [
    "certs all",
    "kubeconfig all",
    "kubelet-start",
    "control-plane all",
    "etcd local",
    "upload-config all",
    "mark-control-plane",
    "bootstrap-token",
    "kubelet-finalize all",
    "addon all",
];

/// What kubeadm's own phases alone make otherwise than its whole `init`, whose output the golden files are.
const ACCEPTED: &[Accepted] = &[Accepted {
    line: r#".apiServer.extraArgs: {"authorization-mode":"Node,RBAC"} -> nothing"#,
    reason: "kubeadm's control-plane phase sets it in memory, so that upload-config in another process does not see it",
}];

/// kubeadm waits inside `init` only, so that kubestrap has to do it before the first phase that talks to the cluster.
const WAIT_BEFORE: &str = "upload-config all";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_second_phase_by_kubeadm_makes_the_same_cluster() {
    if !only_kubestrap() {
        return;
    }
    scenario("every_second_phase_by_kubeadm_makes_the_same_cluster", |run| shared_out(run, 0));
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_other_phases_by_kubeadm_make_the_same_cluster() {
    if !only_kubestrap() {
        return;
    }
    scenario("the_other_phases_by_kubeadm_make_the_same_cluster", |run| shared_out(run, 1));
}

/// kubeadm does the phases with an even number, or with an odd one, kubestrap the others.
fn shared_out(run: &Run, rest: usize) -> Result<(), Failure> {
    let node = Node::create(run, &format!("halves-{rest}"))?;
    for (number, phase) in SHARED.into_iter().enumerate() {
        if phase == WAIT_BEFORE {
            alone(&node, Tool::Kubestrap, "wait-control-plane")?;
        }
        alone(&node, if number % 2 == rest { Tool::Kubeadm } else { Tool::Kubestrap }, phase)?;
    }
    let shown = alone(&node, Tool::Kubestrap, "show-join-command")?;
    let cluster = Cluster::adopt(run, node, JoinCommand::parse(&shown)?)?;
    let differ = meaning::unexpected(golden_objects::differences(&cluster)?, ACCEPTED);
    let wrong = [differ, golden_objects::additions(&cluster)?].concat();
    cluster.destroy()?;
    expect(wrong.is_empty(), "the cluster is not what kubeadm alone makes", wrong.join("\n"))
}

fn alone(node: &Node, tool: Tool, phase: &str) -> Result<String, Failure> {
    let words: Vec<&str> = [tool.program(), "init", "phase"].into_iter().chain(phase.split(' ')).collect();
    let flags = tool.init_flags(node)?;
    Ok(node.run_with(&[&words[..], &flags].concat(), b"", PATIENCE)?.success()?.stdout)
}
