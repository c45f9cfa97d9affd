//! Phase `control-plane-join/update-status`: up to 1.21, the API endpoint of this node in the ConfigMap `kubeadm-config`.
//!
//! Reads and writes `ClusterStatus` alone, as the administrator. kubeadm of these releases finds the other control-plane
//! nodes by it.

use crate::cluster_status;
use crate::config::JoinControlPlane;
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::world::{Identity, World};

/// The phase.
pub struct UpdateStatus;

impl Phase<JoinControlPlane> for UpdateStatus {
    fn name(&self) -> &'static str {
        "update-status"
    }

    fn about(&self) -> &'static str {
        "note this node's API endpoint in kubeadm-config, up to 1.21"
    }

    fn needs(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        super::administrator(job)
    }

    fn verdict(&self, job: &JoinControlPlane) -> Verdict {
        let release = &job.worker.cluster.release;
        if release.has_cluster_status() {
            Verdict::Run
        } else {
            Verdict::Skip(format!("Kubernetes {release} keeps no ClusterStatus"))
        }
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let admin = Identity::Kubeconfig(job.worker.node.layout.kubeconfig("admin.conf"));
        cluster_status::add((&job.worker.node.name, &job.endpoint), world, &admin)
    }
}
