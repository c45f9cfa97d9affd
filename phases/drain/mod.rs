//! Drain: cordons a Node and evicts its Pods, respecting PodDisruptionBudgets, within a time limit.
//!
//! DaemonSet and mirror Pods stay: their owners would make them again at once. Used by `reset` and `remove`.

pub mod remove;

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::NodeName;
use crate::counted;
use crate::objects;
use crate::problem::Problem;
use crate::world::{
    Change, Cluster, ClusterError, Content, Identity, ObjectChange, ObjectRef, Probe, Verb, Wait, World,
};

/// What a drain has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drained {
    /// Pods evicted.
    pub evicted: usize,
    /// DaemonSet Pods that stay.
    pub left: usize,
}

impl std::fmt::Display for Drained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} evicted, {} left", counted(self.evicted, "Pod"), counted(self.left, "DaemonSet Pod"))
    }
}

/// On Nodes that were cordoned here; a machine that comes back under its old Node is let in again. Somebody else's
/// cordon has no such mark and stays.
const CORDONED: &str = "kubestrap.io/cordoned";

/// Keeps new Pods away from a Node, and marks that it was us.
///
/// # Errors
/// When the API server refuses; a Node that is gone is fine.
pub fn cordon(name: &NodeName, identity: &Identity, world: &World<'_>) -> Result<(), Problem> {
    let reference = node(name);
    let Some(found) = world.cluster().get(identity, &reference)? else { return Ok(()) };
    if found["spec"]["unschedulable"] == true {
        return Ok(());
    }
    let patch = json!({"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": true}});
    objects::patch(world, identity, &reference, &patch)
}

/// Takes back what `cordon` did to this Node in an earlier life of the machine.
///
/// # Errors
/// When the API server refuses.
pub fn uncordon(name: &NodeName, identity: &Identity, world: &World<'_>) -> Result<(), Problem> {
    let reference = node(name);
    let found = world.cluster().get(identity, &reference)?;
    if found.is_none_or(|node| node["metadata"]["annotations"][CORDONED] != "true") {
        return Ok(());
    }
    let patch = json!({"metadata": {"annotations": {CORDONED: null}}, "spec": {"unschedulable": null}});
    objects::patch(world, identity, &reference, &patch)
}

/// Evicts what runs on a Node and waits until it is gone.
///
/// # Errors
/// When Pods are still there after the limit: names them and what keeps them.
pub fn evict(name: &NodeName, within: Duration, identity: &Identity, world: &World<'_>) -> Result<Drained, Problem> {
    let mut drained = Drained::default();
    let mut asked: Vec<ObjectRef> = Vec::new();
    let what = format!("the Pods of {name} to go");
    let wait = Wait { what: &what, within, every: Duration::from_millis(500) };
    let outcome = world.time().wait(&wait, &mut || {
        let pods = pods_of(name, world.cluster(), identity)?;
        drained.left = pods.iter().filter(|pod| belongs_to_daemon_set(pod)).count();
        let mut blocked = Vec::new();
        let mut going = 0;
        for pod in pods.iter().filter(|pod| !stays(pod)) {
            let reference = ObjectRef::of(pod);
            if pod["metadata"]["deletionTimestamp"].is_string() || asked.contains(&reference) {
                going += 1;
                continue;
            }
            match eviction(&reference, identity, world)? {
                None => {
                    going += 1;
                    drained.evicted += 1;
                    asked.push(reference);
                }
                Some(reason) => blocked.push(format!("{}/{}: {reason}", reference.namespace, reference.name)),
            }
        }
        Ok(match (going, blocked.as_slice()) {
            (0, []) => Probe::Yes,
            (_, []) => Probe::NotYet(format!("{} ending", counted(going, "Pod"))),
            (_, blocked) => Probe::NotYet(blocked.join("; ")),
        })
    });
    match outcome {
        Ok(()) => Ok(drained),
        Err(error) => {
            let problem = error.into_problem("drain", &format!("{name} is not drained"));
            if problem.id != "drain" {
                return Err(problem);
            }
            Err(problem
                .why("the Pods above do not end, or a PodDisruptionBudget does not let them go")
                .fix("give their replacements time and room, then run the same command again")
                .fix("or wait longer: --drain-timeout 10m")
                .fix("or leave them where they are: --skip-drain"))
        }
    }
}

/// Deletes the Node object. Says whether that was allowed.
///
/// # Errors
/// When the API server cannot be reached or fails for another reason than missing rights.
pub fn delete_node(name: &NodeName, identity: &Identity, world: &World<'_>) -> Result<bool, Problem> {
    let change =
        ObjectChange { identity: identity.clone(), object: node(name), verb: Verb::Delete, body: Content::new("") };
    match world.change(&Change::Object(change)) {
        Ok(()) => Ok(true),
        Err(problem) if problem.id == "api-forbidden" => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// Whether the Node's kubelet reports; without it, Pods never end.
///
/// # Errors
/// When the API server cannot be asked.
pub fn is_alive(name: &NodeName, identity: &Identity, cluster: &dyn Cluster) -> Result<Option<bool>, ClusterError> {
    let found = cluster.get(identity, &node(name))?;
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] != "Unknown";
    Ok(found
        .map(|node| node["status"]["conditions"].as_array().is_some_and(|conditions| conditions.iter().any(is_ready))))
}

fn node(name: &NodeName) -> ObjectRef {
    ObjectRef::new("v1", "Node", "", name.as_str())
}

/// `None` when the Pod goes; the reason when a PodDisruptionBudget holds it.
fn eviction(pod: &ObjectRef, identity: &Identity, world: &World<'_>) -> Result<Option<String>, Problem> {
    let change =
        ObjectChange { identity: identity.clone(), object: pod.clone(), verb: Verb::Evict, body: Content::new("") };
    match world.change(&Change::Object(change)) {
        Ok(()) => Ok(None),
        Err(problem) if problem.why.starts_with("429") => Ok(Some(problem.why)),
        Err(problem) => Err(problem),
    }
}

fn pods_of(name: &NodeName, cluster: &dyn Cluster, identity: &Identity) -> Result<Vec<Value>, Problem> {
    let query = format!("fieldSelector=spec.nodeName%3D{name}");
    let pods = cluster.list(identity, &ObjectRef::new("v1", "Pod", "", ""), &query)?;
    // The in-memory cluster knows no field selectors.
    Ok(pods.into_iter().filter(|pod| pod["spec"]["nodeName"] == name.as_str()).collect())
}

fn stays(pod: &Value) -> bool {
    let is_mirror = pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string();
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    is_mirror || belongs_to_daemon_set(pod) || phase == "Succeeded" || phase == "Failed"
}

fn belongs_to_daemon_set(pod: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.is_some_and(|owners| owners.iter().any(|owner| owner["kind"] == "DaemonSet" && owner["controller"] == true))
}
