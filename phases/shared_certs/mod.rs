//! What all control-plane nodes of a cluster share: the CAs, the service account's key pair, and the client files of an
//! external etcd.
//!
//! They come to a further node by hand, or sealed through the Secret `kubeadm-certs`: `upload` and `download` are the
//! phases, `seal` the form. Decides which files these are; reads and writes nothing itself.

mod download;
mod seal;
mod upload;

pub use download::DownloadCerts;
pub use seal::Sealer;
pub use upload::UploadCerts;

use std::path::PathBuf;

use crate::certs::{ServiceAccountKeys, table};
use crate::config::{ClusterConfig, Etcd, JoinControlPlane, Layout};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::world::World;

/// The Secret with the sealed files, in kube-system.
const SECRET: &str = "kubeadm-certs";
/// The command that uploads them.
pub(crate) const UPLOAD: &str = "on a control-plane node: kubestrap init phase upload-certs --upload-certs";

/// A file that all control-plane nodes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    /// Its key in the Secret.
    pub entry: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Where it lies; empty where an external etcd has none.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// Whether no control-plane node can do without. The key of a CA may be kept elsewhere.
    pub is_needed: bool,
}

/// All files that the control-plane nodes of a cluster share.
pub fn shared_files(cluster: &ClusterConfig, layout: &Layout) -> Vec<SharedFile> {
    let file = |entry, about, name: &str, is_needed| {
        let mode = if name.ends_with(".crt") { 0o644 } else { 0o600 };
        SharedFile { entry, about, path: layout.certificate(name), mode, is_needed }
    };
    let mut files = vec![
        file("ca.crt", "the certificate of the Kubernetes CA", "ca.crt", true),
        file("ca.key", "the key of the Kubernetes CA", "ca.key", false),
        file("front-proxy-ca.crt", "the certificate of the front-proxy CA", "front-proxy-ca.crt", true),
        file("front-proxy-ca.key", "the key of the front-proxy CA", "front-proxy-ca.key", false),
        file("sa.pub", "the key that checks service account tokens", "sa.pub", true),
        file("sa.key", "the key that signs service account tokens", "sa.key", true),
    ];
    match &cluster.etcd {
        Etcd::Local(_) => files.extend([
            file("etcd-ca.crt", "the certificate of the etcd CA", "etcd/ca.crt", true),
            file("etcd-ca.key", "the key of the etcd CA", "etcd/ca.key", false),
        ]),
        Etcd::External(etcd) => {
            let external = |entry, about, path: &PathBuf, mode| {
                let is_needed = !path.as_os_str().is_empty();
                SharedFile { entry, about, path: path.clone(), mode, is_needed }
            };
            files.extend([
                external("external-etcd-ca.crt", "the CA certificate of the external etcd", &etcd.ca_file, 0o644),
                external("external-etcd.crt", "the client certificate for the external etcd", &etcd.cert_file, 0o644),
                external("external-etcd.key", "the client key for the external etcd", &etcd.key_file, 0o600),
            ]);
        }
    }
    files
}

/// Those that no control-plane node can do without, as what a phase needs or makes.
pub fn needed(cluster: &ClusterConfig, layout: &Layout) -> Vec<Artifact> {
    let files = shared_files(cluster, layout).into_iter().filter(|file| file.is_needed);
    files.map(|file| Artifact::file(file.about, file.path)).collect()
}

/// In a dry run, puts new files in place of shared ones that cannot be had, so that what they sign can be listed.
///
/// # Errors
/// When the machine cannot be looked at.
pub(crate) fn stand_in(job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
    let Some(dry) = world.dry_run() else { return Ok(()) };
    let phases: [&dyn Phase<JoinControlPlane>; 4] =
        [&table::CA, &table::FRONT_PROXY_CA, &table::ETCD_CA, &ServiceAccountKeys];
    for phase in phases.into_iter().filter(|phase| phase.verdict(job) == Verdict::Run) {
        for made in phase.makes(job) {
            if world.host().stat(&made.path)?.is_none() {
                dry.assume(format!("{} is not there: a new one stands in for it", made.path.display()));
                dry.suppose(|| phase.run(job, world))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
