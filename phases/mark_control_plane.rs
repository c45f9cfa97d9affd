//! Marks this Node as one of the control plane.
//!
//! Waits for the Node, then patches in one go what is missing of its labels and taints. Taints that others have set are
//! kept, after ours.

use serde_json::{Map, Value, json};

use crate::cluster_admins::{self, administrator};
use crate::config::{Init, JoinControlPlane, NodeConfig, Release};
use crate::objects;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Identity, World};

/// Phase `mark-control-plane`.
pub struct MarkControlPlane;

impl Phase<Init> for MarkControlPlane {
    fn name(&self) -> &'static str {
        "mark-control-plane"
    }

    fn about(&self) -> &'static str {
        "label and taint the Node as one of the control plane"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        mark(&job.cluster.release, &job.node, world, &administrator(job, world)?)
    }
}

impl Phase<JoinControlPlane> for MarkControlPlane {
    fn name(&self) -> &'static str {
        "mark-control-plane"
    }

    fn about(&self) -> &'static str {
        "label and taint the Node as one of the control plane"
    }

    fn needs(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        crate::join::administrator(job)
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let node = &job.worker.node;
        let admin = Identity::Kubeconfig(node.layout.kubeconfig("admin.conf"));
        mark(&job.worker.cluster.release, node, world, &admin)
    }
}

/// Labels and taints a Node as one of the control plane.
///
/// # Errors
/// When the kubelet has not registered the Node in time; when the API server refuses.
pub fn mark(release: &Release, node: &NodeConfig, world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    let found = objects::registered_node(world, identity, &node.name)?;
    match missing(release, node, &found) {
        Some(patch) => objects::patch(world, identity, &objects::node_ref(&node.name), &patch),
        None => Ok(()),
    }
}

/// The patch for a Node, or nothing when all is there.
fn missing(release: &Release, node: &NodeConfig, found: &Value) -> Option<Value> {
    let mut patch = Map::new();
    let labels: Map<String, Value> = release
        .control_plane_labels()
        .iter()
        .filter(|&&label| found["metadata"]["labels"][label] != "")
        .map(|&label| (label.to_owned(), json!("")))
        .collect();
    if !labels.is_empty() {
        patch.insert("metadata".to_owned(), json!({ "labels": labels }));
    }
    let present = found["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let wanted = taints(release, node);
    // A list of taints is replaced as a whole, so the others go along.
    if !wanted.iter().all(|taint| present.iter().any(|other| is_same_taint(taint, other))) {
        let foreign = present.into_iter().filter(|other| !wanted.iter().any(|taint| is_same_taint(taint, other)));
        let all: Vec<Value> = wanted.iter().cloned().chain(foreign).collect();
        patch.insert("spec".to_owned(), json!({ "taints": all }));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The taints that the configuration asks for, else those of a control-plane node.
fn taints(release: &Release, node: &NodeConfig) -> Vec<Value> {
    let default =
        || release.control_plane_taints().iter().map(|key| json!({"key": key, "effect": "NoSchedule"})).collect();
    node.taints.clone().unwrap_or_else(default)
}

fn is_same_taint(a: &Value, b: &Value) -> bool {
    let text = |taint: &Value, field: &str| taint[field].as_str().unwrap_or_default().to_owned();
    ["key", "value", "effect"].iter().all(|field| text(a, field) == text(b, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::jobs::{V1_20, V1_36, default_init};

    #[test]
    fn labels_and_taints_are_those_of_the_release() {
        for (release, labels, taint) in [
            (
                V1_20,
                vec!["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"],
                "node-role.kubernetes.io/master",
            ),
            (
                V1_36,
                vec![
                    "node-role.kubernetes.io/control-plane",
                    "node.kubernetes.io/exclude-from-external-load-balancers",
                ],
                "node-role.kubernetes.io/control-plane",
            ),
        ] {
            let job = default_init(release.clone());
            let patch = missing(&release, &job.node, &Value::Null).unwrap();
            let sent: Vec<&String> = patch["metadata"]["labels"].as_object().unwrap().keys().collect();
            assert_eq!(sent, labels, "{release}");
            assert_eq!(patch["spec"]["taints"], json!([{"key": taint, "effect": "NoSchedule"}]), "{release}");
        }
    }

    #[test]
    fn taints_of_others_are_kept_after_ours() {
        let mut job = default_init(V1_20);
        let foreign =
            json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z"});
        let node = json!({"spec": {"taints": [foreign]}});
        let patch = missing(&V1_20, &job.node, &node).unwrap();
        assert_eq!(
            patch["spec"]["taints"],
            json!([{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}, foreign])
        );

        job.node.taints = Some(Vec::new());
        let patch = missing(&V1_20, &job.node, &node).unwrap();
        assert!(patch.get("spec").is_none(), "no taints wanted, none touched");
    }

    #[test]
    fn a_node_that_has_everything_is_left_alone() {
        let job = default_init(V1_36);
        let node = json!({
            "metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}},
            "spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]},
        });
        assert_eq!(missing(&V1_36, &job.node, &node), None);
    }
}
