//! `undo` and `--restart`: a node on which a run was done, or broken off, is afterwards as before it.

use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};

/// Files of other people where a run writes, and beside it.
const SENTINELS: [&str; 3] = ["/etc/kubernetes/notes.txt", "/var/lib/kubelet/config.yaml", "/var/lib/etcd/notes.txt"];

/// Breaks a command off with SIGKILL once a file is there.
const KILL_WHEN: &str = r#"
path=$1; shift
"$@" >/dev/null 2>&1 & pid=$!
until [ -e "$path" ]; do kill -0 $pid 2>/dev/null || break; done
kill -KILL $pid 2>/dev/null && echo killed || echo finished
wait $pid || true"#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_run_of_init_is_taken_back_whole_and_broken_off() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_run_of_init_is_taken_back_whole_and_broken_off", |run| {
        let node = Node::create(run, "init-undone")?;
        let before = prepared(&node)?;
        let flags = Tool::Kubestrap.init_flags(&node)?;
        let init = [&["kubestrap", "init"], &flags[..]].concat();

        node.run_with(&init, b"", PATIENCE)?.success()?;
        undo(&node, &before)?;

        let started = "/etc/kubernetes/manifests/kube-scheduler.yaml";
        let output = node.run_with(&[&["sh", "-c", KILL_WHEN, "sh", started], &init[..]].concat(), b"", PATIENCE)?;
        expect(output.line() == "killed", "init was over before it could be killed", output)?;
        let other = [&init[..], &["--service-dns-domain", "corp.local"]].concat();
        let refused = node.run_with(&other, b"", PATIENCE)?;
        let names_it = refused.stderr.contains("networking.dnsDomain: was cluster.local, is corp.local");
        expect(names_it, "another configuration is not refused by name", &refused)?;
        let status = node.ok(&["kubestrap", "status"])?;
        expect(status.stdout.contains("init of "), "status does not tell of the unfinished run", &status)?;

        let output = Tool::Kubestrap.init(&node, &["--service-dns-domain", "corp.local", "--restart"])?.success()?;
        let cluster = Cluster::adopt(run, node, JoinCommand::parse(&output.stdout)?)?;
        let config = cluster.kubectl(&["-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "yaml"])?;
        expect(config.stdout.contains("dnsDomain: corp.local"), "--restart has not begun anew", config)?;
        undo(&cluster.control_plane, &before)?;
        cluster.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_run_of_join_is_taken_back() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_run_of_join_is_taken_back", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "join-undone")?;
        let before = prepared(&node)?;
        cluster.join_again(Tool::Kubestrap, &node)?;
        cluster.wait_node_ready(&node.name)?;
        undo(&node, &before)?;
        cluster.kubectl(&["delete", "node", &node.name])?;
        node.destroy()
    });
}

fn prepared(node: &Node) -> Result<Snapshot, Failure> {
    for path in SENTINELS {
        node.write(path, "mine: true\n", "0640")?;
        node.ok(&["chown", "1234:1234", path])?;
    }
    Snapshot::take(node)
}

fn undo(node: &Node, before: &Snapshot) -> Result<(), Failure> {
    node.run_with(&["kubestrap", "undo", "--force"], b"", PATIENCE)?.success()?;
    let after = Snapshot::take(node)?;
    // The kubelet's unit tries every 10 s whether there is a configuration, so it may be there, or have been there, by chance.
    let left: Vec<String> =
        before.differences(&after).into_iter().filter(|line| !line.contains("process kubelet")).collect();
    expect(left.is_empty(), "undo did not restore the node", left.join("\n"))?;
    let unit = |node: &Node| node.run_with(&["systemctl", "is-active", "kubelet"], b"", PATIENCE);
    let state = unit(node)?;
    expect(state.line() != "active", "the kubelet still runs", state)
}
