//! What is kept of a failed test: journals, containers' logs and manifests of every node, and the cluster's own view,
//! in one folder per failure, before anything is taken away.

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::nodes::{self, Node};
use crate::run::Run;
use std::fs;
use std::path::{Path, PathBuf};

/// File name and the shell command on the node whose output goes into it.
const ON_NODE: [(&str, &str); 9] = [
    ("kubelet.log", "journalctl --no-pager -u kubelet"),
    ("containerd.log", "journalctl --no-pager -u containerd"),
    ("journal.log", "journalctl --no-pager"),
    ("units.txt", "systemctl --no-pager --failed; systemctl --no-pager status kubelet containerd"),
    ("containers.txt", "ctr -n k8s.io containers ls; ctr -n k8s.io tasks ls"),
    ("pods.log", "cd /var/log/pods && for log in */*/*.log; do echo \"==> $log\"; cat \"$log\"; done"),
    ("manifests.txt", "cd /etc/kubernetes && ls -lR . && head -n 200 manifests/*"),
    ("network.txt", "ip addr; ip route; iptables-save"),
    ("processes.txt", "ps axf"),
];

const OF_CLUSTER: [(&str, &[&str]); 3] = [
    ("objects.txt", &["get", "nodes,pods,services,endpoints,csr", "--all-namespaces", "--output", "wide"]),
    ("events.txt", &["get", "events", "--all-namespaces", "--sort-by", ".lastTimestamp"]),
    ("nodes.yaml", &["get", "nodes", "--output", "yaml"]),
];

/// Writes everything known about the run's nodes, and about the cluster if there is one, and gives the folder.
pub fn collect(run: &Run, test: &str, failure: &Failure, cluster: Option<&Cluster>) -> PathBuf {
    let folder = folder().join(format!("{test}-{}", std::process::id()));
    keep(&folder.join("failure.txt"), &failure.to_string());
    for (file, arguments) in OF_CLUSTER {
        if let Some(cluster) = cluster {
            keep(&folder.join(file), &said(cluster.kubectl(arguments).map(|output| output.stdout)));
        }
    }
    for name in nodes::names(&run.record) {
        let Ok(node) = Node::load(&run.record, &name) else { continue };
        for (file, script) in ON_NODE {
            let output = node.run(&["sh", "-c", script]).map(|output| format!("{}{}", output.stdout, output.stderr));
            keep(&folder.join(&name).join(file), &said(output));
        }
    }
    folder
}

/// Writes one more file into the folder of logs.
pub fn put(path: &str, text: &str) {
    keep(&folder().join(path), text);
}

/// KUBESTRAP_E2E_LOGS, or a folder in Cargo's target folder.
fn folder() -> PathBuf {
    std::env::var_os("KUBESTRAP_E2E_LOGS").map_or_else(|| crate::target().join("e2e-logs"), PathBuf::from)
}

fn said(outcome: Result<String, Failure>) -> String {
    outcome.unwrap_or_else(|failure| failure.to_string())
}

/// A log that cannot be written must not hide the failure it belongs to.
fn keep(path: &Path, text: &str) {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    if let Err(error) = written {
        crate::say(&format!("cannot write {}: {error}", path.display()));
    }
}
