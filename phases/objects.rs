//! Objects of the cluster: putting one there only where it differs, patching a Node, reading templates.
//!
//! Reads the live object first and compares the fields we set, so that a second run sends nothing. What the API server
//! fills in, and what others have added, is not compared. Writes that fail for a reason that passes are tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::NodeName;
use crate::problem::Problem;
use crate::world::{Change, Content, Identity, ObjectChange, ObjectRef, Probe, Verb, Wait, WaitError, World};
use crate::yaml;

/// How many times as long the kubelet may take to register its Node as the API server for a call. kubeadm waits 2 min in 1.20
/// and 1 min in 1.36.
const NODE_FACTOR: u32 = 2;
const PAUSE: Duration = Duration::from_millis(500);

/// Creates an object, or replaces it where a field that we set has another value. Says whether anything was changed.
///
/// # Errors
/// When the API server cannot be asked or refuses the object for a reason that does not pass within a minute.
pub fn put(world: &World<'_>, identity: &Identity, object: &impl Serialize) -> Result<bool, Problem> {
    let wanted = value(object);
    let reference = ObjectRef::of(&wanted);
    insist(world, &format!("the API server to take {reference}"), || {
        let found = world.cluster().get(identity, &reference)?;
        if found.as_ref().is_some_and(|found| covers(found, &wanted)) {
            return Ok(false);
        }
        let mut body = wanted.clone();
        if found.is_some() && reference.kind == "Service" {
            // Without it, an update of a Service is invalid; "0" stands for any version. The server keeps the address
            // that it has allocated, and refuses another one.
            body["metadata"]["resourceVersion"] = json!("0");
        }
        send(world, identity, reference.clone(), Verb::Put, &body)?;
        Ok(true)
    })
}

/// Puts all objects of a template there as they are, in its order.
///
/// # Errors
/// As `put`.
pub fn put_all(world: &World<'_>, identity: &Identity, template: &str) -> Result<bool, Problem> {
    let mut changed = false;
    for object in documents(template) {
        changed |= put(world, identity, &object)?;
    }
    Ok(changed)
}

/// Merges a patch into an object.
///
/// # Errors
/// As `put`.
pub fn patch(world: &World<'_>, identity: &Identity, object: &ObjectRef, patch: &Value) -> Result<(), Problem> {
    let what = format!("the API server to take a patch of {object}");
    insist(world, &what, || send(world, identity, object.clone(), Verb::Patch, patch))
}

/// Patches an object by what it holds, and by that alone: where somebody else has written in between, the patch is worked
/// out anew. Nothing is sent where `difference` finds nothing to do.
///
/// # Errors
/// As `put`; those of `difference`, which is given null where there is no such object.
pub(crate) fn amend(
    world: &World<'_>,
    identity: &Identity,
    object: &ObjectRef,
    difference: impl Fn(&Value) -> Result<Option<Value>, Problem>,
) -> Result<(), Problem> {
    insist(world, &format!("the API server to take a patch of {object}"), || {
        let found = world.cluster().get(identity, object)?.unwrap_or_default();
        let Some(mut patch) = difference(&found)? else { return Ok(()) };
        // With it the API server refuses (409) what was worked out from an older version.
        patch["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].clone();
        send(world, identity, object.clone(), Verb::Patch, &patch)
    })
}

/// One object as its type; `None` when there is no such object.
///
/// # Errors
/// When the API server cannot be asked, or its answer is not of that type.
pub fn get<T: k8s_openapi::Resource + DeserializeOwned>(
    world: &World<'_>,
    identity: &Identity,
    namespace: &str,
    name: &str,
) -> Result<Option<T>, Problem> {
    let reference = ObjectRef::new(T::API_VERSION, T::KIND, namespace, name);
    insist(world, &format!("the API server to answer about {reference}"), || {
        let Some(found) = world.cluster().get(identity, &reference)? else { return Ok(None) };
        read(&reference, found).map(Some)
    })
}

/// An object as its type.
///
/// # Errors
/// When it is not of that type.
pub(crate) fn read<T: DeserializeOwned>(reference: &ObjectRef, found: Value) -> Result<T, Problem> {
    serde_json::from_value(found).map_err(|error| {
        let ObjectRef { kind, namespace, name, .. } = reference;
        Problem::new("object-unreadable", format!("{reference} is not what its kind should be"))
            .at(reference.to_string())
            .why(error.to_string())
            .fix(format!("look at it: kubectl get {} {name} -n {namespace} -o yaml", kind.to_lowercase()))
    })
}

/// The Node, once its kubelet has registered it and set its host name.
///
/// # Errors
/// `node-not-registered` when it is not there in time; when we may not look.
pub fn registered_node(world: &World<'_>, identity: &Identity, name: &NodeName) -> Result<Value, Problem> {
    let reference = node_ref(name);
    let mut node = Value::Null;
    let what = format!("the kubelet to register {reference}");
    let wait = Wait { what: &what, within: world.api_call_limit().saturating_mul(NODE_FACTOR), every: PAUSE };
    let mut probe = || match world.cluster().get(identity, &reference) {
        Ok(Some(found)) if found.pointer("/metadata/labels/kubernetes.io~1hostname").is_some() => {
            node = found;
            Ok(Probe::Yes)
        }
        Ok(Some(_)) => Ok(Probe::NotYet(format!("{reference} has no label kubernetes.io/hostname"))),
        Ok(None) => Ok(Probe::NotYet(format!("there is no {reference}"))),
        Err(error) if matches!(error.status(), Some(401 | 403)) => Err(error.into()),
        Err(error) => Ok(Probe::NotYet(error.reason())),
    };
    match world.time().wait(&wait, &mut probe) {
        Ok(()) => Ok(node),
        Err(error @ WaitError::TimeUp { .. }) => Err(error
            .into_problem("node-not-registered", &format!("the kubelet has to register {reference}"))
            .at(reference.to_string())
            .why("the kubelet does not run, cannot reach the API server, or registers another name")
            .fix("see what it says: journalctl -u kubelet -n 50 --no-pager")
            .fix("see which Nodes there are: kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes")),
        Err(error) => Err(error.into_problem("node-not-registered", &what)),
    }
}

/// Reference of a Node.
pub fn node_ref(name: &NodeName) -> ObjectRef {
    ObjectRef::new("v1", "Node", "", name.as_str())
}

/// A ConfigMap.
pub fn config_map(namespace: &str, name: &str, data: BTreeMap<String, String>) -> ConfigMap {
    ConfigMap { metadata: metadata(namespace, name), data: Some(data), ..ConfigMap::default() }
}

/// An object as JSON.
pub(crate) fn value(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("objects have text keys only")
}

/// Namespace and name.
pub(crate) fn metadata(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(name.to_owned()), ..ObjectMeta::default() }
}

/// The first object of a type in a template.
pub(crate) fn template<T: k8s_openapi::Resource + DeserializeOwned>(text: &str) -> T {
    let is_kind = |object: &Value| object["kind"] == T::KIND && object["apiVersion"] == T::API_VERSION;
    let found = documents(text).into_iter().find(is_kind).expect("a test reads every template");
    serde_json::from_value(found).expect("a test reads every template")
}

/// All objects of a template.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    yaml::documents(text).expect("a test reads every template")
}

/// Tries until it works, while what keeps it from working may pass: right after its start an API server refuses
/// connections, and does not know its own namespaces yet.
pub(crate) fn insist<T>(
    world: &World<'_>,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut outcome = attempt();
    if !outcome.as_ref().is_err_and(may_pass) {
        return outcome;
    }
    let mut probe = || {
        outcome = attempt();
        match &outcome {
            Err(problem) if may_pass(problem) => Ok(Probe::NotYet(problem.why.clone())),
            Err(problem) => Err(problem.clone()),
            Ok(_) => Ok(Probe::Yes),
        }
    };
    match world.time().wait(&Wait { what, within: world.api_call_limit(), every: PAUSE }, &mut probe) {
        Err(error @ WaitError::Interrupted) => Err(error.into_problem("interrupted", what)),
        // The last problem says more than that time is up.
        _ => outcome,
    }
}

/// Whether the same request may succeed a moment later.
pub(crate) fn may_pass(problem: &Problem) -> bool {
    problem.id == "api-unreachable" || problem.id == "api-refused"
}

fn send(world: &World<'_>, identity: &Identity, object: ObjectRef, verb: Verb, body: &Value) -> Result<(), Problem> {
    let body = Content::new(body.to_string());
    world.change(&Change::Object(ObjectChange { identity: identity.clone(), object, verb, body }))
}

/// Whether every field of one value is in the other with the same value. Empty fields need not be there: the API server
/// leaves them out.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| match found.get(name) {
            Some(found) => covers(found, wanted),
            None => is_empty(wanted),
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
        }
        _ => found == wanted || (is_empty(found) && is_empty(wanted)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
