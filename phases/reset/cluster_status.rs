//! Phase `update-cluster-status`: takes this node's API endpoint out of `kubeadm-config`, where a release up to 1.21 keeps
//! one. What cannot be reached is warned of and holds nothing up.

use super::leave::holds_the_cluster;
use super::reachable;
use crate::cluster_status::{config_map, remove};
use crate::config::Reset;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Event, World};

/// Phase `update-cluster-status`.
pub struct UpdateClusterStatus;

impl Phase<Reset> for UpdateClusterStatus {
    fn name(&self) -> &'static str {
        "update-cluster-status"
    }

    fn about(&self) -> &'static str {
        "takes this node's API endpoint out of kubeadm-config, up to 1.21"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        if world.host().stat(&job.node.layout.manifest("kube-apiserver"))?.is_none() {
            world.note("no API server here");
            return Ok(());
        }
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
        let name = &job.node.name;
        match remove(name, world, &identity) {
            Ok(true) => world.note(&format!("{name} taken out")),
            Ok(false) => world.note("this node is not in it"),
            Err(problem) if problem.id == "interrupted" => return Err(problem),
            Err(problem) => {
                let map = config_map();
                let left = Problem::new("cluster-status-left", format!("{name} stays in ClusterStatus of {map}"))
                    .why(problem.to_string())
                    .fix(format!("on a control-plane node: kubectl -n {} edit configmap {}", map.namespace, map.name));
                world.tell(Event::Warning(&left));
            }
        }
        Ok(())
    }
}
