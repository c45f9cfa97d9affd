//! Objects: what the tool makes in the cluster means the same as what a real kubeadm 1.20.2 made there with the same
//! input, nothing is missing and nothing is there besides. What servers fill in is not compared.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::{self, Accepted, golden, golden_text};
use serde_json::Value;
use std::fs;

/// Every difference that is meant to be.
const ACCEPTED: &[Accepted] = &[];

/// Golden files of objects that `init` does not make here, by the beginning of their names.
const OF_OTHERS: [(&str, &str); 8] = [
    ("csr-", "made by kubelets"),
    ("node-", "compared in a test of its own"),
    ("secret-bootstrap-token-", "compared in a test of its own"),
    ("secret-kubeadm-certs", "made by --upload-certs"),
    ("role-kubeadm_kubeadm-certs", "made by --upload-certs"),
    ("rolebinding-kubeadm_kubeadm-certs", "made by --upload-certs"),
    ("serviceaccount-kube-proxy", ""),
    ("serviceaccount-coredns", ""),
];

/// Kinds whose objects all come from the tool in these namespaces, and objects of others among them.
const KINDS: &str = "configmaps,roles,rolebindings,services,deployments,daemonsets,serviceaccounts";
const CLUSTER_KINDS: &str = "clusterroles,clusterrolebindings";
const NOT_OF_THE_TOOL: [&str; 3] = ["kube-root-ca.crt", "extension-apiserver-authentication", "system:"];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_object_means_what_kubeadm_makes() {
    scenario("every_object_means_what_kubeadm_makes", |run| {
        let lines = differences(shared_cluster(run)?)?;
        expect(lines.is_empty(), "objects do not mean what kubeadm makes", lines.join("\n"))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn no_object_is_there_that_kubeadm_does_not_make() {
    scenario("no_object_is_there_that_kubeadm_does_not_make", |run| {
        let more = additions(shared_cluster(run)?)?;
        expect(more.is_empty(), "these objects are not kubeadm's", more.join("\n"))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_control_plane_node_is_marked_as_kubeadm_marks_it() {
    scenario("the_control_plane_node_is_marked_as_kubeadm_marks_it", |run| {
        let cluster = shared_cluster(run)?;
        let marks = |node: &Value| {
            let (meta, spec) = (&node["metadata"], &node["spec"]);
            serde_json::json!({"labels": meta["labels"], "annotations": meta["annotations"], "taints": spec["taints"]})
        };
        let expected = golden_object("cluster/cluster-scope/node-m1.yaml", cluster)?;
        let found = cluster.object(&["get", "node", &cluster.control_plane.name])?;
        let lines = meaning::differences(&marks(&expected), &marks(&found));
        expect(lines.is_empty(), "the Node is marked otherwise", lines.join("\n"))
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_bootstrap_token_may_do_what_kubeadms_may() {
    scenario("the_bootstrap_token_may_do_what_kubeadms_may", |run| {
        let cluster = shared_cluster(run)?;
        let expected = golden_object("cluster/kube-system/secret-bootstrap-token-dtizca.yaml", cluster)?;
        let position = cluster.join.arguments.iter().position(|word| word == "--token");
        let token = position.and_then(|at| cluster.join.arguments.get(at + 1)).map_or("", String::as_str);
        let id = token.split('.').next().unwrap_or_default();
        let found =
            cluster.object(&["--namespace", "kube-system", "get", "secret", &format!("bootstrap-token-{id}")])?;
        let rights = |secret: &Value| {
            let mut data = secret["data"].clone();
            for own in ["token-id", "token-secret", "expiration"] {
                data[own] = Value::from(data[own].is_string());
            }
            serde_json::json!({"data": data, "type": secret["type"]})
        };
        let lines = meaning::differences(&rights(&expected), &rights(&found));
        expect(lines.is_empty(), "the token's Secret differs", lines.join("\n"))
    });
}

/// What the objects of a cluster, made with the input of all scenarios, mean otherwise than kubeadm's.
pub(crate) fn differences(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let found = objects(cluster)?;
    let mut lines = Vec::new();
    for (file, expected) in golden_objects(cluster)? {
        let ours = found.iter().find(|object| title(object) == title(&expected));
        let Some(ours) = ours else {
            lines.push(format!("{file}: the cluster has no {}", title(&expected)));
            continue;
        };
        let differ = meaning::differences(&essence(&expected), &essence(ours));
        lines.extend(differ.into_iter().map(|line| format!("{file}{line}")));
    }
    Ok(meaning::unexpected(lines, ACCEPTED))
}

/// The objects that kubeadm does not make.
pub(crate) fn additions(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let expected: Vec<String> = golden_objects(cluster)?.iter().map(|(_, object)| title(object)).collect();
    let all = objects(cluster)?;
    let more = all.iter().filter(|object| !is_foreign(object)).map(title);
    Ok(more.filter(|title| !expected.contains(title)).collect())
}

/// A line for each object of the tool's: its name, and its meaning.
pub(crate) fn meanings(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let all = objects(cluster)?;
    let ours = all.iter().filter(|object| !is_foreign(object) || is_account_of_the_tool(object));
    Ok(ours.map(|object| format!("{} {}", title(object), essence(object))).collect())
}

/// Controllers have accounts of their own; these are of the addons.
fn is_account_of_the_tool(object: &Value) -> bool {
    object["kind"] == "ServiceAccount"
        && ["kube-proxy", "coredns"].iter().any(|name| object["metadata"]["name"] == *name)
}

fn is_foreign(object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    object["kind"] == "ServiceAccount"
        || NOT_OF_THE_TOOL.iter().any(|known| name.starts_with(known))
        || object["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
}

/// All objects in which the tool's are found.
fn objects(cluster: &Cluster) -> Result<Vec<Value>, Failure> {
    let lists = [
        cluster.object(&["--namespace", "kube-system", "get", KINDS])?,
        cluster.object(&["--namespace", "kube-public", "get", KINDS])?,
        cluster.object(&["get", CLUSTER_KINDS])?,
    ];
    let items = lists.iter().filter_map(|list| list["items"].as_array());
    Ok(items.flatten().cloned().collect())
}

/// What kubeadm's `init` made: the file's name and the object, with our cluster's names.
fn golden_objects(cluster: &Cluster) -> Result<Vec<(String, Value)>, Failure> {
    let mut objects = Vec::new();
    for folder in ["cluster/kube-system", "cluster/kube-public", "cluster/cluster-scope"] {
        let entries =
            fs::read_dir(golden(folder)).map_err(|error| Failure::new(format!("cannot list {folder}"), error))?;
        let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for file in files.filter(|file| is_made_by_init(file)) {
            objects.push((file.clone(), golden_object(&format!("{folder}/{file}"), cluster)?));
        }
    }
    Ok(objects)
}

fn is_made_by_init(file: &str) -> bool {
    match OF_OTHERS.iter().find(|(start, _)| file.starts_with(start)) {
        Some((_, reason)) => reason.is_empty(),
        // Controllers have accounts of their own; kube-controller-manager makes them.
        None => !file.starts_with("serviceaccount-"),
    }
}

fn golden_object(path: &str, cluster: &Cluster) -> Result<Value, Failure> {
    let address = cluster.control_plane.address.to_string();
    let names = [("m1", cluster.control_plane.name.as_str()), ("10.77.0.21", &address)];
    meaning::yaml(&golden(path), &golden_text(path, &names)?)
}

fn title(object: &Value) -> String {
    let meta = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}/{}", text(&object["kind"]), text(&meta["namespace"]), text(&meta["name"]))
}

/// The object without what servers fill in, and without what is random.
fn essence(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(meta) = object["metadata"].as_object_mut() {
        for filled in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"] {
            meta.remove(filled);
        }
        // Written by the Deployment's controller, a moment after the object.
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
        }
        meta.retain(|_, value| value.as_object().is_none_or(|fields| !fields.is_empty()));
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if fields.get("kind").is_some_and(|kind| kind == "ServiceAccount") {
            fields.remove("secrets");
        }
    }
    if let Some(data) = object["data"].as_object_mut() {
        // One signature per token.
        data.retain(|key, _| !key.starts_with("jws-kubeconfig-"));
        for value in data.values_mut() {
            if let Some(text) = value.as_str().filter(|text| text.contains("certificate-authority-data")) {
                *value = Value::from(without_authority(text));
            }
        }
    }
    object
}

fn without_authority(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("certificate-authority-data: ") {
        Some((indent, data)) if !data.is_empty() => format!("{indent}certificate-authority-data: (data)\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}
