//! Phase `control-plane/controller-manager`: the manifest of kube-controller-manager.
//!
//! Looks whether the CA's key is on the node; writes `manifests/kube-controller-manager.yaml`.

use super::pod::{self, ProbeTarget, StaticPod, read_only};
use crate::config::{HostPathMount, Layout, OnControlPlane};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::releases::{Image, ProbePaths};
use crate::rootless;
use crate::world::World;

const NAME: &str = "kube-controller-manager";
const TEMPLATE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/static-pods/kube-controller-manager.yaml"));

/// Phase `control-plane/controller-manager`.
pub struct ControllerManager;

impl<J: OnControlPlane> Phase<J> for ControllerManager {
    fn name(&self) -> &'static str {
        "controller-manager"
    }

    fn about(&self) -> &'static str {
        "manifest of kube-controller-manager"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        let layout = &job.node().layout;
        vec![
            Artifact::file("the certificate of the Kubernetes CA", layout.certificate("ca.crt")),
            Artifact::file("kubeconfig of kube-controller-manager", layout.kubeconfig("controller-manager.conf")),
        ]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the manifest of kube-controller-manager", job.node().layout.manifest(NAME))]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let layout = &job.node().layout;
        let is_there = |file: &str| world.host().stat(&layout.certificate(file)).map(|found| found.is_some());
        let ca_is_external = is_there("ca.crt")? && !is_there("ca.key")?;
        rootless::hand_over(job, NAME, world)?;
        pod::put(world, job.node(), NAME, manifest(job, ca_is_external)?)
    }
}

/// The text of the manifest; with an external CA it signs no certificates.
///
/// # Errors
/// When an environment variable of the configuration is none.
pub fn manifest(job: &dyn OnControlPlane, ca_is_external: bool) -> Result<String, Problem> {
    let pod = StaticPod::from_template(TEMPLATE, &job.cluster().release);
    Ok(fill(pod, job, ca_is_external)?.finish(&job.cluster().controller_manager))
}

pub(super) fn fill<'j>(
    mut pod: StaticPod<'j>,
    job: &'j dyn OnControlPlane,
    ca_is_external: bool,
) -> Result<StaticPod<'j>, Problem> {
    let (cluster, layout) = (job.cluster(), &job.node().layout);
    let component = &cluster.controller_manager;
    pod.image(Image::ControllerManager.reference(cluster));
    flags(&mut pod, job, ca_is_external);
    pod.mount(&read_only("k8s-certs", layout.certificates().display().to_string(), "DirectoryOrCreate"));
    pod.mount_ca_folders(job.node());
    if cluster.release.mounts_flex_volumes() {
        let folder = pod::user_flag(component, "flex-volume-plugin-dir").unwrap_or(Layout::FLEX_VOLUMES);
        let mount = read_only("flexvolume-dir", folder, "DirectoryOrCreate");
        pod.mount(&HostPathMount { read_only: false, ..mount });
    }
    for mount in &component.extra_volumes {
        pod.mount(mount);
    }
    pod.sort_mounts();
    pod.run_as(job.node(), NAME);
    pod.environment(&job.node().proxies, component)?;
    pod.probes(&ProbeTarget {
        host: pod::probe_host(pod::user_flag(component, "bind-address").unwrap_or("127.0.0.1")),
        port: 10257,
        scheme: "HTTPS",
        paths: ProbePaths { liveness: "/healthz", readiness: None, startup: "/healthz" },
        startup_within: cluster.control_plane_timeout,
    });
    Ok(pod)
}

fn flags(pod: &mut StaticPod<'_>, job: &dyn OnControlPlane, ca_is_external: bool) {
    let (cluster, layout) = (job.cluster(), &job.node().layout);
    pod.flag("cluster-name", cluster.name.as_str());
    for (flag, file) in [
        ("client-ca-file", "ca.crt"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("root-ca-file", "ca.crt"),
        ("service-account-private-key-file", "sa.key"),
    ] {
        pod.path_flag(flag, &layout.certificate(file));
    }
    for (flag, file) in [("cluster-signing-cert-file", "ca.crt"), ("cluster-signing-key-file", "ca.key")] {
        if ca_is_external {
            pod.flag(flag, "");
        } else {
            pod.path_flag(flag, &layout.certificate(file));
        }
    }
    if !cluster.networking.pod_subnets.is_empty() {
        pod.flag("allocate-node-cidrs", "true");
        pod.flag("cluster-cidr", cluster.networking.pod_text());
        pod.flag("service-cluster-ip-range", cluster.networking.service_text());
    }
    if cluster.release.components_have_insecure_port() {
        pod.flag("port", "0");
    }
    if let Some(gate) = pod::dual_stack_gate(&cluster.feature_gates, &cluster.release) {
        pod.flag("feature-gates", gate);
    }
}
