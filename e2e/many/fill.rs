//! Fills a cluster with Nodes, bootstrap tokens and ConfigMaps: curl on the control-plane node sends them with the
//! administrator's certificate, many at once over one connection.

use crate::cluster::Cluster;
use crate::failure::{Failure, expect};
use crate::nodes::Node;
use crate::wait::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

/// How much is in the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub nodes: u32,
    pub tokens: u32,
    pub config_maps: u32,
}

const FOLDER: &str = "/run/kubestrap-e2e/fill";
const PATIENCE: Duration = Duration::from_secs(300);

/// The administrator's certificate and key as files, for curl.
const CREDENTIALS: &str = r#"mkdir -p "$1"; umask 077; cd "$1"
for part in certificate key; do
  sed -n "s/^ *client-$part-data: *//p" /etc/kubernetes/admin.conf | base64 -d >$part.pem
done"#;

/// Makes all of them, and waits until the control plane has signed cluster-info for every token.
pub fn fill(cluster: &Cluster, crowd: Crowd) -> Result<(), Failure> {
    let node = &cluster.control_plane;
    node.ok(&["sh", "-euc", CREDENTIALS, "sh", FOLDER])?;
    for (path, objects) in [
        ("/api/v1/nodes", (0..crowd.nodes).map(a_node).collect::<Vec<_>>()),
        ("/api/v1/namespaces/kube-system/secrets", (0..crowd.tokens).map(a_token).collect()),
        ("/api/v1/namespaces/default/configmaps", (0..crowd.config_maps).map(a_config_map).collect()),
    ] {
        send(node, path, &objects)?;
    }
    wait_for("cluster-info to be signed for all tokens", PATIENCE, || {
        let found = cluster.object(&["get", "configmap", "cluster-info", "--namespace", "kube-public"])?;
        let signed = found["data"].as_object().map_or(0, serde_json::Map::len).saturating_sub(1);
        expect(signed > crowd.tokens as usize, "it is signed for fewer", signed)
    })
}

fn send(node: &Node, path: &str, objects: &[Value]) -> Result<(), Failure> {
    let requests: Vec<String> = objects.iter().map(|object| request(node, path, object)).collect();
    let config = format!("{FOLDER}/requests");
    // Each forgets all that was said for the one before it.
    let text = requests.join("next\n");
    let write = ["sh", "-euc", "umask 077; cat >\"$1\"", "sh", &config];
    node.run_with(&write, text.as_bytes(), PATIENCE)?.success()?;
    let curl = ["curl", "--silent", "--show-error", "--parallel", "--parallel-max", "50", "--config", &config];
    let codes = node.run_with(&curl, b"", PATIENCE)?.success()?.stdout;
    let made = codes.lines().filter(|code| *code == "201").count();
    expect(made == objects.len(), format!("not all objects below {path} were made"), format!("{made} {codes:.2000}"))
}

/// One request in a configuration file of curl.
fn request(node: &Node, path: &str, object: &Value) -> String {
    let text = object.to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "url = \"https://{}:6443{path}\"\nheader = \"Content-Type: application/json\"\ndata = \"{text}\"\n\
         cacert = /etc/kubernetes/pki/ca.crt\ncert = {FOLDER}/certificate.pem\nkey = {FOLDER}/key.pem\n\
         output = /dev/null\nwrite-out = \"%{{http_code}}\\n\"\n",
        node.address
    )
}

/// As a kubelet's, but without the label of an operating system: kube-proxy's DaemonSet leaves it alone.
fn a_node(number: u32) -> Value {
    let name = format!("crowd-{number:04}");
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "Stand-in", "message": "nobody runs this node",
               "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "example.com/stand-in": "true"}},
        "status": {
            "addresses": [{"type": "Hostname", "address": name}],
            "capacity": {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "90Gi", "pods": "110"},
            "nodeInfo": {"machineID": format!("{number:032x}"), "systemUUID": format!("{number:032x}"), "bootID": "",
                         "kernelVersion": "6.1.0", "osImage": "a stand-in for a node", "architecture": "amd64",
                         "containerRuntimeVersion": "containerd://1.6.20", "kubeletVersion": "v1.20.2",
                         "kubeProxyVersion": "v1.20.2", "operatingSystem": "linux"},
            "conditions": [condition("MemoryPressure", "False"), condition("DiskPressure", "False"),
                           condition("PIDPressure", "False"), condition("Ready", "True")],
        },
    })
}

/// As `token create` makes it.
fn a_token(number: u32) -> Value {
    let id = format!("{number:06}");
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": format!("bootstrap-token-{id}"), "namespace": "kube-system"},
        "stringData": {
            "token-id": id, "token-secret": format!("{number:016}"), "expiration": "2099-01-01T00:00:00Z",
            "usage-bootstrap-signing": "true", "usage-bootstrap-authentication": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            "description": "one of many",
        },
    })
}

fn a_config_map(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("crowd-{number:04}"), "namespace": "default"},
        "data": {"text": "one of many ".repeat(20)},
    })
}
