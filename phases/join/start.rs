//! Phase `kubelet-start` of join: writes the kubelet's configuration and flags, and starts it.

use crate::config::JoinWorker;
use crate::kubelet;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::World;

/// The phase.
pub struct KubeletStart;

impl Phase<JoinWorker> for KubeletStart {
    fn name(&self) -> &'static str {
        "kubelet-start"
    }

    fn about(&self) -> &'static str {
        "writes the kubelet's configuration and starts it"
    }

    fn needs(&self, job: &JoinWorker) -> Vec<Artifact> {
        vec![Artifact::file("the cluster's CA certificate", &job.discovery.ca_cert_path)]
    }

    fn makes(&self, job: &JoinWorker) -> Vec<Artifact> {
        vec![Artifact::file("the kubelet's configuration", job.node.layout.kubelet_config())]
    }

    fn run(&self, job: &JoinWorker, world: &World<'_>) -> Result<(), Problem> {
        let changed = kubelet::write_kubelet_files(&job.cluster, &job.node, true, world)?;
        kubelet::run_kubelet(changed, world)
    }
}
