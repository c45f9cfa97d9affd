//! `reset` of a worker: what the tool made is gone, what was there before is untouched, and the node joins again.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::failure::expect;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::Tool;

/// Files of other people in the folders that the tools write to.
const SENTINELS: [&str; 5] = [
    "/etc/kubernetes/notes.txt",
    "/var/lib/kubelet/notes.txt",
    "/etc/cni/net.d/99-foreign.conf",
    "/opt/notes.txt",
    "/var/lib/etcd/notes.txt",
];

/// A container that somebody started beside Kubernetes, in its containerd namespace.
const FOREIGN_CONTAINER: &str = "foreign";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_worker_is_as_before_after_reset_and_joins_again() {
    scenario("a_worker_is_as_before_after_reset_and_joins_again", |run| {
        let tool = Tool::from_environment()?;
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "comes-back")?;
        for path in SENTINELS {
            node.write(path, "{\"cniVersion\": \"0.4.0\", \"name\": \"foreign\", \"type\": \"loopback\"}\n", "0640")?;
        }
        node.ok(&["ctr", "--namespace", "k8s.io", "run", "--detach", "docker.io/e2e/web:1", FOREIGN_CONTAINER])?;
        let before = Snapshot::take(&node)?;
        cluster.join_again(tool, &node)?;
        cluster.wait_node_ready(&node.name)?;

        let output = tool.reset(&node, &[])?.success()?;
        say(&format!("{tool} reset on {}: {:.1} s", node.name, output.took.as_secs_f32()));
        cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"])?;
        let tasks = node.ok(&["ctr", "--namespace", "k8s.io", "tasks", "ls"])?;
        let runs = |line: &str| line.starts_with(FOREIGN_CONTAINER) && line.contains("RUNNING");
        expect(tasks.stdout.lines().any(runs), "the foreign container does not run any more", &tasks)?;
        let after = Snapshot::take(&node)?;
        let left: Vec<String> = before.differences(&after).into_iter().filter(|line| !is_known(tool, line)).collect();
        expect(left.is_empty(), "reset did not restore the node", left.join("\n"))?;

        cluster.join_again(tool, &node)?;
        cluster.wait_node_ready(&node.name)?;
        cluster.kubectl(&["delete", "node", &node.name])?;
        node.destroy()
    });
}

/// What kubeadm is known to leave behind, or to take along.
fn is_known(tool: Tool, difference: &str) -> bool {
    // The kubelet's unit tries every 10 s whether there is a configuration, so it may have been there by chance.
    if difference.starts_with("- process kubelet") {
        return true;
    }
    let words = match tool {
        Tool::Kubestrap => &[][..],
        Tool::Kubeadm => &[
            // It cannot ask the container runtime without crictl, so everything that runs goes on running.
            "+ process ",
            "+ container ",
            "+ link ",
            "+ route ",
            "+ mount ",
            "~ process containerd-shim",
            "+ file /var/log/",
            "+ content /var/log/",
            // It says so itself: iptables rules are not cleaned up.
            "+ chain ",
            "+ rule ",
            "+ file /etc/kubernetes/",
            // The kubelet made these, for plug-ins.
            "+ file /usr/libexec/kubernetes",
            "+ file /var/lib/cni",
            "+ file /var/lib/kubelet",
            // It empties /var/lib/kubelet, other people's files included.
            "- file /var/lib/kubelet/notes.txt",
            "- content /var/lib/kubelet/notes.txt",
        ],
    };
    words.iter().any(|known| difference.starts_with(known))
}
