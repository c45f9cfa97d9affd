//! `init`, `init` again and `reset` of a control-plane node: the second `init` changes nothing, and after `reset` the
//! node is what it was before, other people's things included.

use crate::{events, foreign, scenario};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::Tool;

/// Files of the control plane, without what its components write while they run.
const CONTROL_PLANE_FILES: [&str; 4] = [
    "file /etc/",
    "content /etc/",
    "content /var/lib/kubelet/config.yaml",
    "content /var/lib/kubelet/kubeadm-flags.env",
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_control_plane_node_is_as_before_after_reset_and_starts_again() {
    scenario("a_control_plane_node_is_as_before_after_reset_and_starts_again", |run| {
        let tool = Tool::from_environment()?;
        let node = Node::create(run, "is-reset")?;
        foreign::lay(&node)?;
        let before = Snapshot::take(&node)?;
        let cluster = Cluster::init(run, tool, node)?;
        let node = &cluster.control_plane;
        if tool == Tool::Kubestrap {
            init_again_changes_nothing(node)?;
        }
        let output = tool.reset(node, &[])?.success()?;
        say(&format!("{tool} reset on {}: {:.1} s", node.name, output.took.as_secs_f32()));
        foreign::works(node)?;
        let after = Snapshot::take(node)?;
        let left: Vec<String> = before.differences(&after).into_iter().filter(|line| !is_known(tool, line)).collect();
        expect(left.is_empty(), "reset did not restore the node", left.join("\n"))?;

        tool.reset(node, &[])?.success()?;
        let again = after.differences(&Snapshot::take(node)?);
        let again: Vec<String> = again.into_iter().filter(|line| !is_kubelet(line)).collect();
        expect(again.is_empty(), "a second reset changed the node", again.join("\n"))?;

        let cluster = Cluster::init(run, tool, cluster.control_plane)?;
        let ready = cluster.kubectl(&["get", "--raw", "/readyz"])?;
        expect(ready.stdout == "ok", "/readyz does not say ok", ready)?;
        cluster.destroy()
    });
}

fn init_again_changes_nothing(node: &Node) -> Result<(), Failure> {
    let before = Snapshot::take(node)?.only(&CONTROL_PLANE_FILES);
    let output = Tool::Kubestrap.init(node, &["-o", "json"])?.success()?;
    say(&format!("init again on {}: {:.1} s", node.name, output.took.as_secs_f32()));
    let differ = before.differences(&Snapshot::take(node)?.only(&CONTROL_PLANE_FILES));
    expect(differ.is_empty(), "a second init changed files", differ.join("\n"))?;
    let changed = events::changes(&output)?;
    expect(changed.is_empty(), "a second init says that it changed things", changed.join("\n"))
}

/// Differences with reasons.
fn is_known(tool: Tool, difference: &str) -> bool {
    // What kubeadm leaves is in `reset`; here it only shows that the scenario itself works.
    is_kubelet(difference) || tool == Tool::Kubeadm
}

/// The kubelet's unit tries every 10 s whether there is a configuration; whether it runs in this moment is chance.
pub(crate) fn is_kubelet(difference: &str) -> bool {
    difference.contains(" process kubelet") || difference.contains(" process (kubelet)")
}
