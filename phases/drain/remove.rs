//! Workflow `remove NODE`, on a control-plane node: the cluster's half of taking a node away, also one that is gone.

use super::{cordon, delete_node, evict, is_alive};
use crate::config::RemoveNode;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Identity, World};

/// Phase `drain`.
pub struct Drain;

impl Phase<RemoveNode> for Drain {
    fn name(&self) -> &'static str {
        "drain"
    }

    fn about(&self) -> &'static str {
        "cordons the Node and evicts its Pods"
    }

    fn run(&self, job: &RemoveNode, world: &World<'_>) -> Result<(), Problem> {
        let identity = Identity::Kubeconfig(job.kubeconfig.clone());
        match is_alive(&job.target, &identity, world.cluster())? {
            None => Err(Problem::new("node-unknown", format!("the cluster has no Node {}", job.target))
                .why("it was removed already, or it has another name")
                .fix("see the names: kubectl get nodes")),
            Some(false) => {
                cordon(&job.target, &identity, world)?;
                world.note("its kubelet does not report; its Pods end when the Node is deleted");
                Ok(())
            }
            Some(true) => {
                cordon(&job.target, &identity, world)?;
                let drained = evict(&job.target, job.drain_timeout, &identity, world)?;
                world.note(&drained.to_string());
                Ok(())
            }
        }
    }
}

/// Phase `delete-node`.
pub struct DeleteNode;

impl Phase<RemoveNode> for DeleteNode {
    fn name(&self) -> &'static str {
        "delete-node"
    }

    fn about(&self) -> &'static str {
        "deletes the Node from the cluster"
    }

    fn run(&self, job: &RemoveNode, world: &World<'_>) -> Result<(), Problem> {
        let identity = Identity::Kubeconfig(job.kubeconfig.clone());
        if delete_node(&job.target, &identity, world)? {
            world.note(&format!("Node {} deleted", job.target));
            return Ok(());
        }
        Err(Problem::new("api-forbidden", format!("these credentials may not delete Node {}", job.target))
            .at(job.kubeconfig.display().to_string())
            .fix(format!("on a control-plane node: kubestrap remove {}", job.target)))
    }
}
