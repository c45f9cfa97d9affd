//! Requests for certificates that are signed elsewhere: `certs generate-csr`, and `--csr-only` of older releases.
//!
//! Writes `<name>.key` and `<name>.csr` (0600) for each leaf, and for each kubeconfig the file itself with the key in it and
//! `<file>.csr` beside it. A key that is there is used, a certificate that is there needs no request, and nothing is ever
//! replaced but a request that asks for something else.

use std::path::{Path, PathBuf};

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;

use super::certificate::PrivateKey;
use super::found::{self, Ca, PairFiles};
use super::table::{self, CertSpec};
use super::{KEY_MODE, issue, new_key, warn_of_unusable};
use crate::config::{Etcd, OnControlPlane};
use crate::kubeconfig::{self, KubeconfigSpec};
use crate::plan::{Phase, Step, Verdict};
use crate::problem::Problem;
use crate::world::{Content, KeyAlgorithm, World};

/// Folder of requests is for root alone, as kubeadm makes it.
const FOLDER_MODE: u32 = 0o700;

/// A request for a certificate of the table.
pub struct Request(pub &'static CertSpec);

/// A kubeconfig that waits for its certificate, and the request for that.
pub struct KubeconfigRequest(pub &'static KubeconfigSpec);

static REQUESTS: [Request; 7] = [
    Request(&table::APISERVER),
    Request(&table::APISERVER_KUBELET_CLIENT),
    Request(&table::FRONT_PROXY_CLIENT),
    Request(&table::ETCD_SERVER),
    Request(&table::ETCD_PEER),
    Request(&table::ETCD_HEALTHCHECK_CLIENT),
    Request(&table::APISERVER_ETCD_CLIENT),
];

static KUBECONFIG_REQUESTS: [KubeconfigRequest; 5] = [
    KubeconfigRequest(&kubeconfig::ADMIN),
    KubeconfigRequest(&kubeconfig::SUPER_ADMIN),
    KubeconfigRequest(&kubeconfig::KUBELET),
    KubeconfigRequest(&kubeconfig::CONTROLLER_MANAGER),
    KubeconfigRequest(&kubeconfig::SCHEDULER),
];

impl<J: OnControlPlane> Step<J> {
    /// Requests for all leaf certificates, under the names of the phases that would make the certificates.
    pub const CERTIFICATE_REQUESTS: Self = Self::Group {
        name: "certs",
        about: "requests for the certificates of the control plane",
        steps: &[
            Self::Phase(&REQUESTS[0]),
            Self::Phase(&REQUESTS[1]),
            Self::Phase(&REQUESTS[2]),
            Self::Phase(&REQUESTS[3]),
            Self::Phase(&REQUESTS[4]),
            Self::Phase(&REQUESTS[5]),
            Self::Phase(&REQUESTS[6]),
        ],
    };

    /// The kubeconfigs of `init`, each with a request.
    pub const KUBECONFIG_REQUESTS: Self = Self::Group {
        name: "kubeconfig",
        about: "kubeconfigs without certificate, and requests for these",
        steps: &[
            Self::Phase(&KUBECONFIG_REQUESTS[0]),
            Self::Phase(&KUBECONFIG_REQUESTS[1]),
            Self::Phase(&KUBECONFIG_REQUESTS[2]),
            Self::Phase(&KUBECONFIG_REQUESTS[3]),
            Self::Phase(&KUBECONFIG_REQUESTS[4]),
        ],
    };
}

impl<J: OnControlPlane> Phase<J> for Request {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn about(&self) -> &'static str {
        self.0.about
    }

    fn verdict(&self, job: &J) -> Verdict {
        match job.cluster().etcd {
            Etcd::External(_) if self.0.ca == Ca::Etcd => Verdict::Skip("etcd is external".to_owned()),
            _ => Verdict::Run,
        }
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let Some(leaf) = self.0.leaf(job) else { return Ok(()) };
        let layout = &job.node().layout;
        let files = PairFiles::request(layout.certificates(), self.0.file);
        let certificate = PairFiles::of(layout, self.0.file).certificate;
        if world.host().stat(&certificate)?.is_some() {
            world.note(&format!("{} is there", certificate.display()));
            return Ok(());
        }
        warn_of_unusable(world, &leaf.names.unusable, self.0.about);
        put(world, &files, job.cluster().key_algorithm, |key| issue::request(&leaf, key))
    }
}

impl<J: OnControlPlane> Phase<J> for KubeconfigRequest {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn about(&self) -> &'static str {
        self.0.about
    }

    fn verdict(&self, job: &J) -> Verdict {
        Phase::<J>::verdict(self.0, job)
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let Some(key) = self.0.put_without_certificate(job, world)? else {
            world.note(&format!("{} has its certificate", self.0.file));
            return Ok(());
        };
        put_request(world, &csr(job.node().layout.kubeconfigs(), self.0.file), issue::request(&self.0.leaf(job), &key)?)
    }
}

impl PairFiles {
    /// A request with its key: `<name>.csr` and `<name>.key` in a folder.
    pub(super) fn request(folder: &Path, name: &str) -> Self {
        Self { certificate: csr(folder, name), key: folder.join(format!("{name}.key")) }
    }
}

fn csr(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.csr"))
}

/// Writes a request, for the key that is there or for a new one.
pub(super) fn put(
    world: &World<'_>,
    files: &PairFiles,
    algorithm: KeyAlgorithm,
    write: impl FnOnce(&PrivateKey) -> Result<String, Problem>,
) -> Result<(), Problem> {
    let (key, is_new) = match found::key(world.host(), files)? {
        Some(key) => (key, false),
        None => (new_key(algorithm, world)?, true),
    };
    let text = write(&key).map_err(|problem| problem.at(files.certificate.display().to_string()))?;
    if is_new {
        put_folder_of(world, &files.key)?;
        world.put_file(&files.key, Content::new(key.pem().reveal().as_str()), KEY_MODE)?;
    }
    put_request(world, &files.certificate, text)
}

/// A request that asks for the same is kept: an ECDSA signature is another one each time.
fn put_request(world: &World<'_>, path: &Path, text: String) -> Result<(), Problem> {
    let found = world.host().read(path)?.unwrap_or_default();
    if asked(&found).is_some_and(|found| Some(found) == asked(text.as_bytes())) {
        return Ok(());
    }
    put_folder_of(world, path)?;
    world.put_file(path, Content::new(text), KEY_MODE)?;
    world.note(&path.display().to_string());
    Ok(())
}

fn put_folder_of(world: &World<'_>, path: &Path) -> Result<(), Problem> {
    let Some(folder) = path.parent() else { return Ok(()) };
    world.put_folder(folder, FOLDER_MODE).map(drop)
}

/// What a request asks for: all of it but the signature.
fn asked(pem: &[u8]) -> Option<Vec<u8>> {
    let block = Pem::iter_from_buffer(pem).next()?.ok()?;
    let (_, request) = X509CertificationRequest::from_der(&block.contents).ok()?;
    Some(request.certification_request_info.raw.to_vec())
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
