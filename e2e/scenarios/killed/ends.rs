//! What a run ends as: the files of the node, by name, mode and owner, and with their content where it is decided by the
//! command line; the cluster's objects with their meaning, Secrets by kind, and the Nodes. A list of lines to compare.

use crate::golden_objects;
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::snapshot::Snapshot;
use serde_json::{Value, json};

/// Files that belong to the run, and the kubelet's that came with it.
const FILES: [&str; 4] = ["file /etc/", "file /var/lib/etcd", "file /var/lib/kubelet", "unit "];

/// Contents that the same command makes again.
const CONTENTS: [&str; 5] = [
    "content /etc/kubernetes/manifests/",
    "content /etc/kubernetes/notes.txt",
    "content /etc/systemd/",
    "content /var/lib/kubelet/config.yaml",
    "content /var/lib/kubelet/kubeadm-flags.env",
];

/// Folders whose content is the kubelet's or etcd's own; a dot-file that we forgot in them is not.
const OF_OTHERS: [&str; 2] = ["file /var/lib/kubelet/", "file /var/lib/etcd/"];
const OURS_THERE: [&str; 3] = ["config.yaml", "kubeadm-flags.env", "pki/kubelet-client"];

/// Lines for the files of a node. `shared` are further beginnings of facts, such as the certificates of one cluster.
pub(crate) fn of_node(node: &Node, shared: &[&str]) -> Result<Vec<String>, Failure> {
    let snapshot = Snapshot::take(node)?.only(&[&FILES[..], &CONTENTS[..], shared].concat());
    let ours = snapshot.facts.iter().filter(|(name, _)| is_ours(name));
    Ok(sorted(ours.map(|(name, value)| without_time(&format!("{name} {value}"))).collect()))
}

fn is_ours(fact: &str) -> bool {
    let Some(rest) = OF_OTHERS.iter().find_map(|folder| fact.strip_prefix(folder)) else { return true };
    let name = rest.rsplit('/').next().unwrap_or_default();
    (!rest.contains('/') && name.starts_with('.')) || OURS_THERE.iter().any(|ours| rest.starts_with(ours))
}

/// The kubelet's certificates carry the moment of their making: kubelet-client-2026-01-31-12-00-00.pem.
fn without_time(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.split_once("kubelet-client-2") {
        Some((before, _)) => format!("{before}kubelet-client-TIME.pem"),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Lines for the objects of a cluster.
pub(crate) fn of_cluster(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let mut lines = golden_objects::meanings(cluster)?;
    for namespace in ["kube-system", "kube-public"] {
        let secrets = cluster.object(&["--namespace", namespace, "get", "secrets"])?;
        lines.extend(items(&secrets).filter(|secret| !is_of_controllers(secret)).map(secret_line));
    }
    lines.extend(items(&cluster.object(&["get", "nodes"])?).map(node_line));
    Ok(sorted(lines))
}

/// Every difference is named: what an unbroken run has and this one has not (-), and the other way round (+).
pub(crate) fn same(what: &str, unbroken: &[String], found: &[String]) -> Result<(), Failure> {
    let lacking = |from: &[String], other: &[String], sign: char| {
        let mut other = other.to_vec();
        let mut lines = Vec::new();
        for line in from {
            match other.iter().position(|known| known == line) {
                Some(index) => drop(other.swap_remove(index)),
                None => lines.push(format!("{sign} {line}")),
            }
        }
        lines
    };
    let lines = [lacking(unbroken, found, '-'), lacking(found, unbroken, '+')].concat();
    expect(lines.is_empty(), format!("{what} not as after an unbroken run"), lines.join("\n"))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

/// kube-controller-manager makes a token for each service account.
fn is_of_controllers(secret: &Value) -> bool {
    secret["type"] == "kubernetes.io/service-account-token"
}

/// Names of tokens are random; that there is one, and what it has, is not.
fn secret_line(secret: &Value) -> String {
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    let name = if name.starts_with("bootstrap-token-") { "bootstrap-token-ID" } else { name };
    let keys: Vec<&String> = secret["data"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
    format!("Secret {}/{name} {} {keys:?}", secret["metadata"]["namespace"], secret["type"])
}

/// What of a Node comes from the tools; the rest is the kubelet's and the controllers', and comes in time.
fn node_line(node: &Value) -> String {
    let (meta, spec) = (&node["metadata"], &node["spec"]);
    let taints = spec["taints"].as_array().into_iter().flatten();
    let roles: Vec<&Value> = taints.filter(|taint| is_role(&taint["key"])).collect();
    let socket = &meta["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"];
    format!("Node {} {}", meta["name"], json!({"labels": meta["labels"], "taints": roles, "socket": socket}))
}

fn is_role(key: &Value) -> bool {
    key.as_str().is_some_and(|key| key.starts_with("node-role."))
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_token_and_a_lost_file_are_both_named() {
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        let failure = same("it is", &lines(&["Secret", "file a"]), &lines(&["Secret", "Secret"])).unwrap_err();
        assert_eq!(failure.to_string(), "it is not as after an unbroken run\n    - file a\n    + Secret");
    }

    #[test]
    fn what_the_kubelet_keeps_is_its_own() {
        assert!(is_ours("file /var/lib/kubelet/config.yaml") && is_ours("file /var/lib/kubelet/.config.yaml.new"));
        assert!(!is_ours("file /var/lib/kubelet/cpu_manager_state") && !is_ours("file /var/lib/kubelet/pods/.x"));
        let line = "file /a/kubelet-client-current.pem l /a/kubelet-client-2026-01-31-12-00-00.pem";
        assert_eq!(without_time(line), "file /a/kubelet-client-current.pem l /a/kubelet-client-TIME.pem");
    }
}
