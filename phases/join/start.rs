//! Phase `kubelet-start` of join: writes the kubelet's configuration and flags, and starts it.

use crate::config::Joining;
use crate::kubelet;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::World;

/// The phase.
pub struct KubeletStart;

impl<J: Joining> Phase<J> for KubeletStart {
    fn name(&self) -> &'static str {
        "kubelet-start"
    }

    fn about(&self) -> &'static str {
        "writes the kubelet's configuration and starts it"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the cluster's CA certificate", &job.discovery().ca_cert_path)]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the kubelet's configuration", job.node().layout.kubelet_config())]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let changed = kubelet::write_kubelet_files(job.cluster(), job.node(), job.registers_with_taints(), world)?;
        kubelet::run_kubelet(changed, world)
    }
}
