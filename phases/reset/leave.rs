//! The Kubernetes half of reset: drain, the Node object. Skipped with a note when the cluster is gone.

use std::net::IpAddr;

use super::reachable;
use crate::config::Reset;
use crate::drain;
use crate::plan::{Phase, Verdict};
use crate::problem::Problem;
use crate::world::{Event, Identity, ObjectRef, World};

/// Phase `drain`.
pub struct Drain;

impl Phase<Reset> for Drain {
    fn name(&self) -> &'static str {
        "drain"
    }

    fn about(&self) -> &'static str {
        "cordons the Node and evicts its Pods"
    }

    fn verdict(&self, job: &Reset) -> Verdict {
        if job.skip_drain { Verdict::Skip("--skip-drain".to_owned()) } else { Verdict::Run }
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let identity = match reachable(job, world)? {
            Ok(identity) => identity,
            Err(reason) => {
                world.note(&format!("not drained: the cluster does not answer ({reason})"));
                return Ok(());
            }
        };
        if holds_the_cluster(job, &identity, world)? {
            world.note("not drained: the cluster ends with this node");
            return Ok(());
        }
        let name = &job.node.name;
        drain::cordon(name, &identity, world)?;
        let drained = drain::evict(name, job.drain_timeout, &identity, world)?;
        world.note(&drained.to_string());
        Ok(())
    }
}

/// Whether this node has the cluster's only API server. The kubelet of a young cluster tells of its Pods only after a minute;
/// API servers themselves tell of one another at once.
pub(super) fn holds_the_cluster(job: &Reset, identity: &Identity, world: &World<'_>) -> Result<bool, Problem> {
    if world.host().stat(&job.node.layout.manifest("kube-apiserver"))?.is_none() {
        return Ok(false);
    }
    let nodes = pods_of_component("kube-apiserver", identity, world)?;
    if nodes.iter().any(|node| node != job.node.name.as_str()) {
        return Ok(false);
    }
    let own: Vec<IpAddr> = world.host().facts()?.interfaces.into_iter().flat_map(|found| found.addresses).collect();
    Ok(api_servers(identity, world)?.iter().all(|address| own.contains(address)))
}

/// The addresses of all API servers that are alive, as these keep them themselves.
fn api_servers(identity: &Identity, world: &World<'_>) -> Result<Vec<IpAddr>, Problem> {
    let found = world.cluster().get(identity, &ObjectRef::new("v1", "Endpoints", "default", "kubernetes"))?;
    let found = found.unwrap_or_default();
    let subsets = found["subsets"].as_array().into_iter().flatten();
    let addresses = subsets.flat_map(|subset| subset["addresses"].as_array().into_iter().flatten());
    Ok(addresses.filter_map(|address| address["ip"].as_str()?.parse().ok()).collect())
}

fn pods_of_component(component: &str, identity: &Identity, world: &World<'_>) -> Result<Vec<String>, Problem> {
    let query = format!("labelSelector=component%3D{component},tier%3Dcontrol-plane");
    let pods = world.cluster().list(identity, &ObjectRef::new("v1", "Pod", "kube-system", ""), &query)?;
    let named = pods.iter().filter(|pod| pod["metadata"]["labels"]["component"] == component);
    Ok(named.filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned)).collect())
}

/// Phase `delete-node`.
pub struct DeleteNode;

impl Phase<Reset> for DeleteNode {
    fn name(&self) -> &'static str {
        "delete-node"
    }

    fn about(&self) -> &'static str {
        "deletes the Node from the cluster, where these credentials may"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let name = &job.node.name;
        let identity = match reachable(job, world)? {
            Ok(identity) => identity,
            Err(reason) => {
                world.note(&format!("the cluster does not answer ({reason})"));
                return Ok(());
            }
        };
        if holds_the_cluster(job, &identity, world)? {
            world.note("the cluster ends with this node");
            return Ok(());
        }
        if drain::delete_node(name, &identity, world)? {
            world.note(&format!("Node {name} deleted"));
        } else {
            world.note("not allowed from here");
            let left = Problem::new("node-left", format!("the Node {name} stays in the cluster"))
                .why("a worker may not delete its own Node")
                .fix(format!("on a control-plane node: kubestrap remove {name}"));
            world.tell(Event::Warning(&left));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{ResetFlags, resolve_reset};
    use crate::support::Bench;
    use crate::world::{Interface, Overlay};

    #[test]
    fn the_cluster_ends_with_the_node_that_has_the_only_api_server() {
        for (nodes, addresses, ends) in [
            (&["n1"][..], &["10.0.0.1"][..], true),
            (&["n1", "n2"], &["10.0.0.1"], false),
            (&["n2"], &["10.0.0.1"], false),
            // A minute has not gone by.
            (&["n1"], &["10.0.0.1", "10.0.0.2"], false),
            (&[], &["10.0.0.2"], false),
            (&[], &[], true),
        ] {
            let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
            let mut overlay = Overlay::default().with_file(manifest, "", 0o600);
            overlay.facts.host_name = "n1".to_owned();
            let addresses_of_n1 = vec!["10.0.0.1".parse().expect("an address")];
            overlay.facts.interfaces = vec![Interface { name: "eth0".to_owned(), addresses: addresses_of_n1, mtu: 0 }];
            let ip = |address: &&str| json!({"ip": address});
            overlay = overlay.with_object(json!({
                "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kubernetes", "namespace": "default"},
                "subsets": [{"addresses": addresses.iter().map(ip).collect::<Vec<_>>()}],
            }));
            for node in nodes {
                overlay = overlay.with_object(json!({
                    "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node},
                    "metadata": {
                        "name": format!("kube-apiserver-{node}"), "namespace": "kube-system",
                        "labels": {"component": "kube-apiserver", "tier": "control-plane"},
                    },
                }));
            }
            let bench = Bench::over(overlay);
            let job = resolve_reset(&ResetFlags::default(), &bench.overlay).expect("a job");
            let admin = Identity::Kubeconfig("/etc/kubernetes/admin.conf".into());
            let found = bench.within(|world| holds_the_cluster(&job, &admin, world)).expect("looked");
            assert_eq!(found, ends, "Pods known on {nodes:?}, API servers at {addresses:?}");
        }
    }
}
