//! The list of API endpoints, `ClusterStatus`, that releases up to 1.21 keep in the ConfigMap `kubeadm-config`. kubeadm of
//! these finds the other control-plane nodes by it.
//!
//! Whoever changes it touches the entry of one node alone: all else is kept, also what another node writes meanwhile.

use serde_json::{Value, json};

use crate::config::{ApiEndpoint, NodeName, encode_cluster_status};
use crate::objects;
use crate::problem::Problem;
use crate::world::{Identity, ObjectRef, World};
use crate::yaml;

/// The ConfigMap that holds it.
pub(crate) fn config_map() -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", "kube-system", "kubeadm-config")
}

/// The status that is there with the endpoint of one node laid over; a status that cannot be read is made anew.
pub(crate) fn with(found: Option<&String>, (name, endpoint): (&NodeName, &ApiEndpoint)) -> String {
    laid_over(found.map(String::as_str), encode_cluster_status(name, endpoint))
}

fn laid_over(found: Option<&str>, ours: String) -> String {
    let read = |text: &str| yaml::parse::<Value>(text).ok();
    let (Some(mut merged), Some(new)) = (found.and_then(read), read(&ours)) else { return ours };
    let (Some(endpoints), Some(new)) = (merged["apiEndpoints"].as_object_mut(), new["apiEndpoints"].as_object()) else {
        return ours;
    };
    endpoints.extend(new.clone());
    yaml::write(&merged)
}

/// The status that is there without a node; `None` where the node is not in it.
fn without(found: &str, name: &str) -> Option<String> {
    let mut status = yaml::parse::<Value>(found).ok()?;
    status["apiEndpoints"].as_object_mut()?.remove(name)?;
    Some(yaml::write(&status))
}

/// Adds a control-plane node.
///
/// # Errors
/// When the API server cannot be asked or refuses; when there is no `kubeadm-config`.
pub(crate) fn add(
    (name, endpoint): (&NodeName, &ApiEndpoint),
    world: &World<'_>,
    identity: &Identity,
) -> Result<(), Problem> {
    objects::amend(world, identity, &config_map(), |found| {
        if found["data"].is_null() {
            return Err(Problem::new("config-map-missing", "the cluster has no ConfigMap kube-system/kubeadm-config")
                .why("somebody has removed it since this run began")
                .fix("on a control-plane node: kubestrap init phase upload-config all"));
        }
        let written = found["data"]["ClusterStatus"].as_str().map(str::to_owned);
        let status = with(written.as_ref(), (name, endpoint));
        Ok((written.as_ref() != Some(&status)).then(|| patch(&status)))
    })
}

/// Removes a node, where it is in the status, and says whether it was.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub(crate) fn remove(name: &NodeName, world: &World<'_>, identity: &Identity) -> Result<bool, Problem> {
    let before = world.journal().changes();
    objects::amend(world, identity, &config_map(), |found| {
        let status = found["data"]["ClusterStatus"].as_str();
        Ok(status.and_then(|status| without(status, name.as_str())).map(|left| patch(&left)))
    })?;
    Ok(world.journal().changes() > before)
}

fn patch(status: &str) -> Value {
    json!({"data": {"ClusterStatus": status}})
}

#[cfg(test)]
#[path = "cluster_status_tests.rs"]
mod tests;
