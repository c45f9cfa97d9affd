//! `kubestrap reset` of a worker that kubeadm has made, with things of others all around: no journal tells what is whose. The
//! node is afterwards as before `kubeadm join`.
//!
//! Nodes have no `nft`: the tables of others in nftables are those that iptables' tools make, of three families. Their kernel
//! has no IPVS.

use crate::control_plane_reset::is_kubelet;
use crate::{foreign, only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::{Node, SOON};
use kubestrap_e2e::say;
use kubestrap_e2e::snapshot::Snapshot;
use kubestrap_e2e::tool::Tool;

/// More things of others: a container in a containerd namespace of its own, tables of nftables.
const MORE: &str = r#"
ctr --namespace k8s.io images export /run/web.tar docker.io/e2e/web:1
ctr --namespace mine images import /run/web.tar; rm /run/web.tar
ctr --namespace mine run --detach docker.io/e2e/web:1 mine
iptables-nft -t raw -N MINE-RAW; ip6tables-nft -N MINE-6; ebtables-nft -N MINE-BRIDGE
"#;

const MORE_WORKS: &str = r#"
ctr --namespace mine tasks ls | grep -q '^mine .*RUNNING'
iptables-nft -t raw -S MINE-RAW; ip6tables-nft -S MINE-6; ebtables-nft -L MINE-BRIDGE
"#;

/// Made by the kubelet and empty now; without a journal nobody knows whether they were there before.
const EMPTY_FOLDERS: [&str; 3] =
    ["+ file /usr/libexec/kubernetes", "+ file /var/log/pods d", "+ file /var/log/containers d"];

/// Calls the runtime over CRI: nodes have no crictl. $1: the method; the message comes on standard input.
const CALL: &str = r#"curl --silent --show-error --fail --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock \
    --header 'content-type: application/grpc' --header 'te: trailers' --data-binary @- --output - \
    "http://localhost/runtime.v1alpha2.RuntimeService/$1""#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_worker_of_kubeadms_is_as_before_after_kubestraps_reset() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_worker_of_kubeadms_is_as_before_after_kubestraps_reset", |run| {
        let cluster = shared_cluster(run)?;
        let node = Node::create(run, "kubeadms")?;
        foreign::lay(&node)?;
        node.script(MORE)?;
        let before = Snapshot::take(&node)?;
        cluster.join_again(Tool::Kubeadm, &node)?;
        cluster.wait_node_ready(&node.name)?;
        // A kubelet ends all sandboxes of its runtime that it does not know.
        node.ok(&["systemctl", "stop", "kubelet"])?;
        let sandbox = run_foreign_sandbox(&node)?;

        let output = Tool::Kubestrap.reset(&node, &[])?.success()?;
        say(&format!("kubestrap reset of a node of kubeadm's: {:.1} s", output.took.as_secs_f32()));
        foreign::works(&node)?;
        node.script(MORE_WORKS)?;
        let tasks = node.ok(&["ctr", "--namespace", "k8s.io", "tasks", "ls"])?;
        let runs = |line: &str| line.starts_with(&sandbox) && line.contains("RUNNING");
        expect(tasks.stdout.lines().any(runs), "the sandbox of others does not run any more", &tasks)?;
        expect(output.stderr.contains("others/foreign-pod"), "the sandbox of others is not in the list", &output)?;
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            call(&node, method, &text(1, &sandbox))?;
        }
        let mut left = before.differences(&Snapshot::take(&node)?);
        left.retain(|line| !is_kubelet(line) && !EMPTY_FOLDERS.iter().any(|folder| line.starts_with(folder)));
        expect(left.is_empty(), "reset did not restore the node", left.join("\n"))?;
        cluster.kubectl(&["delete", "node", &node.name, "--ignore-not-found"])?;
        node.destroy()
    });
}

/// A Pod's sandbox that somebody made over CRI: like the kubelet's, but without its labels. Gives its id.
fn run_foreign_sandbox(node: &Node) -> Result<String, Failure> {
    const ON_THE_HOSTS_NETWORK: [u8; 2] = [0x08, 2];
    let metadata = [text(1, "foreign-pod"), text(2, "0a1b2c3d"), text(3, "others")].concat();
    let security = part(2, &part(1, &ON_THE_HOSTS_NETWORK));
    let config = [part(1, &metadata), text(3, "/run/foreign-pod"), part(8, &security)].concat();
    let request = part(1, &config);
    let output = call(node, "RunPodSandbox", &request)?;
    // A field of 64 bytes, whose length is written as @.
    let id: String = output.stdout.rsplit('@').next().unwrap_or_default().trim().to_owned();
    expect(id.len() == 64, "the runtime has told no id", &output)?;
    Ok(id)
}

fn call(node: &Node, method: &str, message: &[u8]) -> Result<Output, Failure> {
    // gRPC's frame: not compressed, length.
    let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
    let framed = [&[0], &length[..], message].concat();
    node.run_with(&["sh", "-euc", CALL, "sh", method], &framed, SOON)?.success()
}

/// A field of protobuf that has parts.
fn part(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("messages here are short");
    [&[number << 3 | 2, length], bytes].concat()
}

fn text(number: u8, value: &str) -> Vec<u8> {
    part(number, value.as_bytes())
}
