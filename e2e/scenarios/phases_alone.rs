//! `init`, phase by phase: each phase alone, in the order of kubeadm 1.20, makes the same cluster as the whole, and changes
//! nothing when it runs a second time. Before that, `init --dry-run` leaves the node as it was.

use crate::{events, golden_objects, only_kubestrap, scenario};
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};
use kubestrap_e2e::wait::wait_for;

/// As a user types them.
const PHASES: [&str; 13] = [
    "preflight",
    "certs all",
    "kubeconfig all",
    "kubelet-start",
    "control-plane all",
    "etcd local",
    "wait-control-plane",
    "upload-config all",
    "mark-control-plane",
    "bootstrap-token",
    "kubelet-finalize all",
    "addon all",
    "show-join-command",
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn phases_one_by_one_make_the_same_cluster_and_change_nothing_the_second_time() {
    if !only_kubestrap() {
        return;
    }
    scenario("phases_one_by_one_make_the_same_cluster_and_change_nothing_the_second_time", |run| {
        let mut nodes = Node::create_all(run, &["by-phases", "joins-phases"])?.into_iter();
        let (Some(node), Some(worker)) = (nodes.next(), nodes.next()) else {
            return Err(Failure::new("there are no nodes", ""));
        };
        let flags = Tool::Kubestrap.init_flags(&node)?;
        let mut wrong: Vec<String> = dry_run_changes_nothing(&node).err().iter().map(ToString::to_string).collect();
        let mut last = String::new();
        for phase in PHASES {
            let words: Vec<&str> = ["kubestrap", "init", "phase"].into_iter().chain(phase.split(' ')).collect();
            let words = [&words[..], &flags].concat();
            last = node.run_with(&words, b"", PATIENCE)?.success()?.stdout;
            let again = node.run_with(&[&words[..], &["-o", "json"]].concat(), b"", PATIENCE)?.success()?;
            wrong.extend(events::changes(&again)?);
        }
        let join = JoinCommand::parse(&last)?;
        let mut cluster = Cluster::adopt(run, node, join)?;
        expect(cluster.kubectl(&["get", "--raw", "/readyz"])?.stdout == "ok", "/readyz does not say ok", "")?;
        let joined = cluster.join_worker(Tool::Kubestrap, worker).and_then(|()| {
            wait_for("two Nodes", SETTLES, || {
                let nodes = cluster.kubectl(&["get", "nodes", "--output", "name"])?;
                expect(nodes.stdout.lines().count() == 2, "there are not two", nodes)
            })
        });
        wrong.extend(golden_objects::differences(&cluster)?);
        wrong.extend(golden_objects::additions(&cluster)?);
        wrong.extend(joined.err().iter().map(ToString::to_string));
        cluster.destroy()?;
        expect(wrong.is_empty(), "phases alone are not what the whole is", wrong.join("\n"))
    });
}

fn dry_run_changes_nothing(node: &Node) -> Result<(), Failure> {
    node.script("iptables-save; ctr -n k8s.io containers ls")?;
    let before = Snapshot::take(node)?;
    let output = Tool::Kubestrap.init(node, &["--dry-run"])?.success()?;
    let is_kubelet = |line: &String| line.contains(" process kubelet") || line.contains(" process (kubelet)");
    let differ: Vec<String> =
        before.differences(&Snapshot::take(node)?).into_iter().filter(|l| !is_kubelet(l)).collect();
    expect(differ.is_empty(), "a dry run changed the node", differ.join("\n"))?;
    expect(output.stdout.contains("kube-apiserver.yaml"), "a dry run does not show what it would change", output)
}
