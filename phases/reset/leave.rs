//! The Kubernetes half of reset: drain, the Node object. Skipped with a note when the cluster is gone.

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

/// Whether this node has the cluster's only API server. That of a node that has just joined may not be known yet.
fn holds_the_cluster(job: &Reset, identity: &Identity, world: &World<'_>) -> Result<bool, Problem> {
    if world.host().stat(&job.node.layout.manifest("kube-apiserver"))?.is_none() {
        return Ok(false);
    }
    let nodes = pods_of_component("kube-apiserver", identity, world)?;
    Ok(nodes.iter().all(|node| node == job.node.name.as_str()))
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
    use crate::world::Overlay;

    #[test]
    fn the_cluster_ends_with_the_node_that_has_the_only_api_server() {
        for (nodes, ends) in [(&["n1"][..], true), (&["n1", "n2"], false), (&["n2"], false)] {
            let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
            let mut overlay = Overlay::default().with_file(manifest, "", 0o600);
            overlay.facts.host_name = "n1".to_owned();
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
            assert_eq!(found, ends, "API servers known on {nodes:?}");
        }
    }
}
