//! Second half of resolving `join`: reads the cluster's ConfigMaps with the token, and whether the Node name is free.

use serde_json::Value;

use crate::config::{ClusterConfig, Discovered, JoinRequest, JoinWorker, NodeConfig, cluster_from_config_maps};
use crate::kubelet;
use crate::problem::{Exit, Problem};
use crate::world::{Cluster, ClusterError, Facts, Host, Identity, ObjectRef};

/// Completes a join request with what the cluster says of itself.
///
/// # Errors
/// When the token is refused, a ConfigMap is missing or unreadable, or a ready Node has this name already.
pub fn read_cluster(
    request: &JoinRequest,
    discovery: Discovered,
    cluster: &dyn Cluster,
    host: &dyn Host,
) -> Result<JoinWorker, Problem> {
    let identity = discovery.identity();
    let read = |name: &str, key: &str| config_map(cluster, &identity, &discovery, name, key);
    let Some(kubeadm) = read("kubeadm-config", "ClusterConfiguration")? else {
        return Err(missing("kubeadm-config"));
    };
    // Two names are in use: one with the minor release up to 1.23, one without from 1.23 on.
    let release = cluster_from_config_maps(&kubeadm, "{}", None)?.release;
    let versioned = format!("kubelet-config-1.{}", release.minor());
    let kubelet = match read(&release.kubelet_config_map(), "kubelet")? {
        Some(text) => text,
        None => read(&versioned, "kubelet")?.ok_or_else(|| missing(&release.kubelet_config_map()))?,
    };
    let proxy = read("kube-proxy", "config.conf")?;
    let config = cluster_from_config_maps(&kubeadm, &kubelet, proxy.as_deref())?;
    let has_own_credentials = host.stat(&request.node.layout.kubeconfig("kubelet.conf"))?.is_some();
    if !has_own_credentials {
        name_is_free(&request.node, cluster, &identity, &host.facts()?)?;
    }
    let node = NodeConfig { patches: request.node.patches.clone().of_release(&config.release), ..request.node.clone() };
    patches_fit(&config, &node)?;
    Ok(JoinWorker { cluster: config, node, discovery })
}

/// The patches are applied for trial, before anything is changed.
fn patches_fit(cluster: &ClusterConfig, node: &NodeConfig) -> Result<(), Problem> {
    match kubelet::config::files(cluster, node, true, None) {
        Ok(_) => Ok(()),
        Err(problem) => Err(problem.exit(Exit::Invalid)),
    }
}

fn config_map(
    cluster: &dyn Cluster,
    identity: &Identity,
    discovery: &Discovered,
    name: &str,
    key: &str,
) -> Result<Option<String>, Problem> {
    let reference = ObjectRef::new("v1", "ConfigMap", "kube-system", name);
    match cluster.get(identity, &reference) {
        Ok(found) => Ok(found.and_then(|map| map["data"][key].as_str().map(str::to_owned))),
        Err(ClusterError::Refused { status: 401, .. }) => Err(refused_token(discovery)),
        Err(ClusterError::Refused { status: 403, .. }) if name == "kube-proxy" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn refused_token(discovery: &Discovered) -> Problem {
    Problem::new("token-refused", format!("the API server does not accept {}", discovery.bootstrap))
        .at(discovery.server.clone())
        .why("the token has expired a moment ago, or may not be used for authentication")
        .fix("on a control-plane node, get a fresh line: kubestrap token create --print-join-command")
}

fn missing(name: &str) -> Problem {
    Problem::new("config-map-missing", format!("the cluster has no ConfigMap kube-system/{name} that can be read"))
        .why("the cluster was made by another tool, or its upload-config phase has not run")
        .fix("on a control-plane node: kubestrap init phase upload-config all")
}

/// The Node of this very machine, as a reset leaves it behind, is in nobody's way.
fn name_is_free(node: &NodeConfig, cluster: &dyn Cluster, identity: &Identity, facts: &Facts) -> Result<(), Problem> {
    let found = cluster.get(identity, &ObjectRef::new("v1", "Node", "", node.name.as_str()))?;
    if found.as_ref().is_some_and(|node| is_this_machine(node, facts)) {
        return Ok(());
    }
    let conditions = found.as_ref().and_then(|node| node["status"]["conditions"].as_array());
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    if conditions.is_some_and(|conditions| conditions.iter().any(is_ready)) {
        return Err(Problem::new("node-name-taken", format!("the cluster has a ready Node {} already", node.name))
            .why("two machines with one name would take each other's Pods")
            .fix("choose another name: --node-name")
            .fix(format!("or, if that machine is gone, on a control-plane node: kubestrap remove {}", node.name)));
    }
    Ok(())
}

/// Clones of one disk share their machine ID, machines behind the same address translation their addresses; both at once
/// are shared by nobody but the machine itself.
pub(crate) fn is_this_machine(node: &Value, facts: &Facts) -> bool {
    let is_ours = |address: &Value| {
        let text = address["address"].as_str().unwrap_or_default();
        facts.interfaces.iter().any(|interface| interface.addresses.iter().any(|own| own.to_string() == text))
    };
    let addresses = node["status"]["addresses"].as_array();
    !facts.machine_id.is_empty()
        && node["status"]["nodeInfo"]["machineID"] == facts.machine_id.as_str()
        && addresses.is_some_and(|all| all.iter().any(|address| address["type"] == "InternalIP" && is_ours(address)))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;
    use crate::world::Interface;

    #[test]
    fn a_node_is_this_machine_when_both_its_id_and_its_address_are_ours() {
        let address: IpAddr = "10.0.0.5".parse().unwrap();
        let interfaces = vec![Interface { name: "eth0".to_owned(), addresses: vec![address], mtu: 1500 }];
        let facts = Facts { machine_id: "abc".to_owned(), interfaces, ..Facts::default() };
        for (id, address, expected) in
            [("abc", "10.0.0.5", true), ("abc", "10.0.0.6", false), ("abd", "10.0.0.5", false)]
        {
            let addresses = [json!({"type": "InternalIP", "address": address})];
            let node = json!({"status": {"nodeInfo": {"machineID": id}, "addresses": addresses}});
            assert_eq!(is_this_machine(&node, &facts), expected, "{id} {address}");
        }
    }
}
