//! Last part of resolving `join --control-plane`: whether the cluster can have another control-plane node, and whether
//! what all of them share is at hand.

use crate::certs::found::pins;
use crate::config::findings::Findings;
use crate::config::{ControlPlaneRequest, Discovered, JoinControlPlane, JoinWorker, Layout};
use crate::patches;
use crate::problem::Problem;
use crate::rootless;
use crate::shared_certs::{UPLOAD, shared_files};
use crate::world::{DryRun, Host};

/// The problem of a machine without them.
const MISSING: &str = "shared-certificates-missing";

/// Completes the job of a worker to that of a control-plane node.
///
/// # Errors
/// When the cluster has no control-plane endpoint; without a certificate key, when shared files are missing or belong to
/// another cluster. A dry run goes on without.
pub fn read_control_plane(
    request: &ControlPlaneRequest,
    mut worker: JoinWorker,
    host: &dyn Host,
    dry: Option<&DryRun>,
) -> Result<JoinControlPlane, Problem> {
    if worker.cluster.control_plane_endpoint.is_none() {
        return Err(no_stable_endpoint());
    }
    worker.node.layout = Layout::new(&worker.cluster.certificates_dir);
    worker.node.accounts = rootless::accounts(&worker.cluster, host)?;
    if let Some(timeout) = request.timeout {
        worker.cluster.control_plane_timeout = timeout;
    }
    if request.certificate_key.is_none()
        && let Err(problem) = check_shared_files(&worker, host)
    {
        match dry.filter(|_| problem.id == MISSING) {
            // The phase that needs them says that it would stop.
            Some(dry) => dry.assume(problem.what),
            None => return Err(problem),
        }
    }
    let job = JoinControlPlane {
        worker,
        endpoint: request.endpoint.clone(),
        certificate_key: request.certificate_key.clone(),
    };
    // The patches are applied for trial, before anything is changed.
    let mut findings = Findings::default();
    patches::check_control_plane(&job, &mut findings);
    findings.finish(Some(job), "config-invalid", "the patches cannot be used")
}

fn no_stable_endpoint() -> Problem {
    Problem::new("no-control-plane-endpoint", "the cluster cannot have a second control-plane node")
        .at("controlPlaneEndpoint of ConfigMap kube-system/kubeadm-config")
        .why("it was made without a control-plane endpoint, the stable address by which all nodes find the API servers")
        .fix("make the cluster with one: kubestrap init --control-plane-endpoint HOST[:PORT]")
        .fix(
            "or, where the API server's certificate names such an address, on the control-plane node set it: kubectl \
             -n kube-system edit configmap kubeadm-config",
        )
}

/// Copied by hand: all of them, and of this cluster.
fn check_shared_files(worker: &JoinWorker, host: &dyn Host) -> Result<(), Problem> {
    let files = shared_files(&worker.cluster, &worker.node.layout);
    let mut missing = Vec::new();
    for file in files.iter().filter(|file| file.is_needed) {
        if host.stat(&file.path)?.is_none() {
            missing.push(file.path.display().to_string());
        }
    }
    if !missing.is_empty() {
        let all: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
        let count = crate::counted(missing.len(), "file");
        return Err(Problem::new(
            MISSING,
            format!("{count} that all control-plane nodes share are not on this machine"),
        )
        .saw(format!("missing: {}", missing.join(", ")))
        .why("there is no certificate key to fetch them with, and without it they have to be copied beforehand")
        .fix(format!("{UPLOAD}; then here, with the key that it prints: --certificate-key KEY"))
        .fix(format!("or copy them from a control-plane node: {}", all.join(" "))));
    }
    check_ca(&worker.discovery, &worker.node.layout, host)
}

fn check_ca(discovery: &Discovered, layout: &Layout, host: &dyn Host) -> Result<(), Problem> {
    let path = layout.certificate("ca.crt");
    let pem = host.read(&path)?.unwrap_or_default();
    let trusted = pins(&discovery.ca_pem)?;
    let found = pins(&String::from_utf8_lossy(&pem)).map_err(|problem| problem.at(path.display().to_string()))?;
    if found.iter().any(|pin| trusted.contains(pin)) {
        return Ok(());
    }
    Err(Problem::new("certificates-other-ca", "the CA on this machine is not that of the cluster to join")
        .at(path.display().to_string())
        .why("it was copied from another cluster, or is left from an earlier life of this machine")
        .fix("copy ca.crt and ca.key of the cluster to join")
        .fix("or remove what an earlier life has left: kubestrap reset"))
}
