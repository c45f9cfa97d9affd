//! Phase `control-plane/apiserver`: the manifest of kube-apiserver.
//!
//! Decides its flags, volumes and probes from the job; writes `manifests/kube-apiserver.yaml`.

use std::path::{Path, PathBuf};

use super::pod::{self, ProbeTarget, StaticPod, read_only};
use crate::config::{Etcd, ExternalEtcd, HostPort, OnControlPlane};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::releases::{Image, ProbePaths};
use crate::rootless;
use crate::world::World;

const NAME: &str = "kube-apiserver";
const TEMPLATE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/static-pods/kube-apiserver.yaml"));

/// Phase `control-plane/apiserver`.
pub struct ApiServer;

impl<J: OnControlPlane> Phase<J> for ApiServer {
    fn name(&self) -> &'static str {
        "apiserver"
    }

    fn about(&self) -> &'static str {
        "manifest of kube-apiserver"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        let layout = &job.node().layout;
        vec![
            Artifact::file("the certificate with which the API server serves", layout.certificate("apiserver.crt")),
            Artifact::file("the key that signs service account tokens", layout.certificate("sa.key")),
        ]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the manifest of kube-apiserver", job.node().layout.manifest(NAME))]
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
    Ok(fill(pod, job)?.finish(&job.cluster().api_server))
}

pub(super) fn fill<'j>(mut pod: StaticPod<'j>, job: &'j dyn OnControlPlane) -> Result<StaticPod<'j>, Problem> {
    let (cluster, endpoint) = (job.cluster(), job.endpoint());
    let address = endpoint.address.to_string();
    pod.image(Image::ApiServer.reference(cluster));
    pod.annotation(
        "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint",
        HostPort::new(address.clone(), endpoint.port).to_string(),
    );
    flags(&mut pod, job);
    pod.mount(&read_only("k8s-certs", job.node().layout.certificates().display().to_string(), "DirectoryOrCreate"));
    pod.mount_ca_folders(job.node());
    if let Etcd::External(etcd) = &cluster.etcd {
        for (index, folder) in external_etcd_folders(etcd, job).iter().enumerate() {
            pod.mount(&read_only(format!("etcd-certs-{index}"), folder.display().to_string(), "DirectoryOrCreate"));
        }
    }
    for mount in &cluster.api_server.extra_volumes {
        pod.mount(mount);
    }
    pod.sort_mounts();
    pod.run_as(job.node(), NAME);
    pod.environment(&job.node().proxies, &cluster.api_server)?;
    pod.probes(&ProbeTarget {
        host: pod::probe_host(&address),
        port: endpoint.port,
        scheme: "HTTPS",
        paths: ProbePaths { liveness: "/livez", readiness: Some("/readyz"), startup: "/livez" },
        startup_within: cluster.control_plane_timeout,
    });
    Ok(pod)
}

fn flags(pod: &mut StaticPod<'_>, job: &dyn OnControlPlane) {
    let (cluster, endpoint, layout) = (job.cluster(), job.endpoint(), &job.node().layout);
    pod.flag("advertise-address", endpoint.address.to_string());
    pod.flag("secure-port", endpoint.port.to_string());
    pod.flag("service-cluster-ip-range", cluster.networking.service_text());
    pod.flag("service-account-issuer", format!("https://kubernetes.default.svc.{}", cluster.networking.dns_domain));
    for (flag, file) in [
        ("client-ca-file", "ca.crt"),
        ("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
        ("kubelet-client-key", "apiserver-kubelet-client.key"),
        ("proxy-client-cert-file", "front-proxy-client.crt"),
        ("proxy-client-key-file", "front-proxy-client.key"),
        ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ("service-account-key-file", "sa.pub"),
        ("service-account-signing-key-file", "sa.key"),
        ("tls-cert-file", "apiserver.crt"),
        ("tls-private-key-file", "apiserver.key"),
    ] {
        pod.path_flag(flag, &layout.certificate(file));
    }
    // A file with authorizers and the flag with modes exclude each other.
    if pod::user_flag(&cluster.api_server, "authorization-config").is_none() {
        pod.flag("authorization-mode", "Node,RBAC");
    }
    if cluster.release.api_server_has_insecure_port() {
        pod.flag("insecure-port", "0");
    }
    if let Some(gate) = pod::dual_stack_gate(&cluster.feature_gates, &cluster.release) {
        pod.flag("feature-gates", gate);
    }
    etcd_flags(pod, job);
}

fn etcd_flags(pod: &mut StaticPod<'_>, job: &dyn OnControlPlane) {
    let layout = &job.node().layout;
    match &job.cluster().etcd {
        Etcd::Local(etcd) => {
            let loopback =
                if job.endpoint().address.is_ipv6() { "https://[::1]:2379" } else { "https://127.0.0.1:2379" };
            let servers = pod::user_flag(&etcd.component, "advertise-client-urls").unwrap_or(loopback);
            pod.flag("etcd-servers", servers);
            pod.path_flag("etcd-cafile", &layout.certificate("etcd/ca.crt"));
            pod.path_flag("etcd-certfile", &layout.certificate("apiserver-etcd-client.crt"));
            pod.path_flag("etcd-keyfile", &layout.certificate("apiserver-etcd-client.key"));
        }
        Etcd::External(etcd) => {
            pod.flag("etcd-servers", etcd.endpoints.join(","));
            let files =
                [("etcd-cafile", &etcd.ca_file), ("etcd-certfile", &etcd.cert_file), ("etcd-keyfile", &etcd.key_file)];
            for (flag, file) in files {
                if !file.as_os_str().is_empty() {
                    pod.path_flag(flag, file);
                }
            }
        }
    }
}

/// Folders with the files for an external etcd that are not mounted anyway; outermost ones only.
fn external_etcd_folders(etcd: &ExternalEtcd, job: &dyn OnControlPlane) -> Vec<PathBuf> {
    let node = job.node();
    let is_covered = |folder: &Path| {
        folder.starts_with(node.layout.certificates())
            || folder.starts_with("/etc/ssl/certs")
            || node.ca_folders.iter().any(|covered| folder.starts_with(covered))
    };
    let files = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file];
    let mut folders: Vec<PathBuf> = files
        .into_iter()
        .filter_map(|file| file.parent())
        .filter(|folder| !folder.as_os_str().is_empty() && !is_covered(folder))
        .map(Path::to_owned)
        .collect();
    folders.sort();
    folders.dedup_by(|inner, outer| inner.starts_with(outer));
    folders
}
