//! Phase `control-plane/scheduler`: the manifest of kube-scheduler.
//!
//! Writes `manifests/kube-scheduler.yaml`.

use super::pod::{self, ProbeTarget, StaticPod};
use crate::config::OnControlPlane;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::releases::Image;
use crate::rootless;
use crate::world::World;

const NAME: &str = "kube-scheduler";
const TEMPLATE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/static-pods/kube-scheduler.yaml"));

/// Phase `control-plane/scheduler`.
pub struct Scheduler;

impl<J: OnControlPlane> Phase<J> for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn about(&self) -> &'static str {
        "manifest of kube-scheduler"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("kubeconfig of kube-scheduler", job.node().layout.kubeconfig("scheduler.conf"))]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the manifest of kube-scheduler", job.node().layout.manifest(NAME))]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        rootless::hand_over(job, NAME, world)?;
        pod::put(world, job.node(), NAME, manifest(job)?)
    }
}

/// The text of the manifest.
///
/// # Errors
/// When an environment variable of the configuration is none.
pub fn manifest(job: &dyn OnControlPlane) -> Result<String, Problem> {
    let pod = StaticPod::from_template(TEMPLATE, &job.cluster().release);
    Ok(fill(pod, job)?.finish(&job.cluster().scheduler))
}

pub(super) fn fill<'j>(mut pod: StaticPod<'j>, job: &'j dyn OnControlPlane) -> Result<StaticPod<'j>, Problem> {
    let cluster = job.cluster();
    let component = &cluster.scheduler;
    pod.image(Image::Scheduler.reference(cluster));
    if cluster.release.components_have_insecure_port() {
        pod.flag("port", "0");
    }
    if let Some(gate) = pod::dual_stack_gate(&cluster.feature_gates, &cluster.release) {
        pod.flag("feature-gates", gate);
    }
    for mount in &component.extra_volumes {
        pod.mount(mount);
    }
    pod.sort_mounts();
    pod.run_as(job.node(), NAME);
    pod.environment(&job.node().proxies, component)?;
    pod.probes(&ProbeTarget {
        host: pod::probe_host(pod::user_flag(component, "bind-address").unwrap_or("127.0.0.1")),
        port: 10259,
        scheme: "HTTPS",
        paths: cluster.release.scheduler_probes(),
        startup_within: cluster.control_plane_timeout,
    });
    Ok(pod)
}
