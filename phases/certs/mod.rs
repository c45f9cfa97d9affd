//! Phases `certs/*`: the certificates and keys of a control-plane node, and the key pair of service account tokens.
//!
//! Reads what is in the certificate folder and keeps it where it fits; writes `<name>.key` (0600), then `<name>.crt`
//! (0644), and `sa.key`, `sa.pub` (0600). A key without certificate is used: it is what a power cut leaves behind.

pub mod certificate;
pub mod expiration;
pub(crate) mod external;
pub mod found;
mod groups;
pub mod issue;
mod likeness;
pub mod managed;
pub mod renewal;
pub mod request;
pub mod settings;
pub mod table;

use certificate::PrivateKey;
use found::{Ca, CaPair, PairFiles};
use table::CertSpec;

use crate::config::{Etcd, OnControlPlane};
use crate::plan::{Artifact, Phase, Step, Verdict};
use crate::problem::Problem;
use crate::world::{Content, Event, KeyAlgorithm, World};

const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

impl<J: OnControlPlane> Step<J> {
    /// Certificates and service account keys.
    pub const CERTS: Self = Self::Group {
        name: "certs",
        about: "certificates of the control plane",
        steps: &[
            Self::Phase(&table::CA),
            Self::Phase(&table::APISERVER),
            Self::Phase(&table::APISERVER_KUBELET_CLIENT),
            Self::Phase(&table::FRONT_PROXY_CA),
            Self::Phase(&table::FRONT_PROXY_CLIENT),
            Self::Phase(&table::ETCD_CA),
            Self::Phase(&table::ETCD_SERVER),
            Self::Phase(&table::ETCD_PEER),
            Self::Phase(&table::ETCD_HEALTHCHECK_CLIENT),
            Self::Phase(&table::APISERVER_ETCD_CLIENT),
            Self::Phase(&ServiceAccountKeys),
        ],
    };
}

impl<J: OnControlPlane> Phase<J> for CertSpec {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        if self.is_authority() {
            return Vec::new();
        }
        let signer = PairFiles::of(&job.node().layout, self.ca.file());
        vec![Artifact::file(format!("the certificate of {}", self.ca.title()), signer.certificate)]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        let files = PairFiles::of(&job.node().layout, self.file);
        vec![
            Artifact::file(self.about, files.certificate),
            Artifact::with_key(format!("{}: its key", self.about), files.key),
        ]
    }

    fn verdict(&self, job: &J) -> Verdict {
        match job.cluster().etcd {
            Etcd::External(_) if self.ca == Ca::Etcd => Verdict::Skip("etcd is external".to_owned()),
            _ => Verdict::Run,
        }
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        self.put(job, world)
    }
}

impl CertSpec {
    fn put(&self, job: &dyn OnControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let files = PairFiles::of(&job.node().layout, self.file);
        let Some(leaf) = self.leaf(job) else {
            found::refuse_lost_authority(self.ca.title(), &files, world)?;
            if found::certificates(world.host(), &files)?.is_some() {
                return self.keep_authority(job, world);
            }
            return make(world, &files, job, |key| issue::authority(self.ca.common_name(), key, job.cluster(), world));
        };
        let signer = found::ca(world, &job.node().layout, self.ca)?;
        if signer.is_external() {
            external::check(job, world)?;
        }
        if found::is_lost(&files.key, world)? {
            return make_anew(world, &files, job, |key| issue::leaf(&leaf, key, &signer, job.cluster(), world));
        }
        if let Some(warnings) = self.fit(job, world, &signer)? {
            warnings.iter().for_each(|warning| world.tell(Event::Warning(warning)));
            return Ok(());
        }
        warn_of_unusable(world, &leaf.names.unusable, self.about);
        make(world, &files, job, |key| issue::leaf(&leaf, key, &signer, job.cluster(), world))?;
        if leaf.names != issue::Names::default() {
            world.note(&format!("for {}", leaf.names.texts().join(", ")));
        }
        Ok(())
    }

    /// Whether what is there can be kept, and what is to be said of it; `None` when it is not there.
    fn fit(
        &self,
        job: &dyn OnControlPlane,
        world: &World<'_>,
        signer: &CaPair,
    ) -> Result<Option<Vec<Problem>>, Problem> {
        let files = PairFiles::of(&job.node().layout, self.file);
        if found::is_lost(&files.certificate, world)? {
            return Ok(None);
        }
        let (Some(leaf), Some(chain)) = (self.leaf(job), found::certificates(world.host(), &files)?) else {
            return Ok(None);
        };
        let Some(key) = found::key(world.host(), &files)? else { return Err(key_missing(&files)) };
        found::check_pair(world, &files, &chain[0], Some(&key))?;
        found::check_signer(&files, &chain, signer, self.ca)?;
        let subject = format!("the certificate {}", files.certificate.display());
        let renew = format!("kubestrap certs renew {}", self.name);
        let soon = found::expires_soon(&subject, &chain[0], world.time().now(), &renew);
        let soon = soon.map(|problem| problem.at(files.certificate.display().to_string()));
        Ok(Some(missing_names(&files, &leaf.names.texts(), &chain[0].names).into_iter().chain(soon).collect()))
    }

    /// A CA that is there is never replaced; without its key it is an external one.
    fn keep_authority(&self, job: &dyn OnControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let pair = found::ca(world, &job.node().layout, self.ca)?;
        if pair.is_external() {
            external::check(job, world)?;
            world.note("its key is kept elsewhere: all it signs has to be there already");
        }
        Ok(())
    }
}

/// Makes a certificate for the key that is there, or for a new one. The key is written first: a certificate whose key is
/// lost is worth nothing, a key without certificate gets one on the next run.
fn make(
    world: &World<'_>,
    files: &PairFiles,
    job: &dyn OnControlPlane,
    issue: impl FnOnce(&PrivateKey) -> Result<String, Problem>,
) -> Result<(), Problem> {
    let (key, is_new) = match found::key(world.host(), files)? {
        Some(key) => (key, false),
        None => (new_key(job.cluster().key_algorithm, world)?, true),
    };
    let certificate = issue(&key).map_err(|problem| problem.at(files.certificate.display().to_string()))?;
    if is_new {
        world.put_file(&files.key, Content::new(key.pem().reveal().as_str()), KEY_MODE)?;
    }
    world.put_file(&files.certificate, Content::new(certificate), CERTIFICATE_MODE)?;
    Ok(())
}

/// Makes a pair anew whose key has lost its content. The key is written last: as long as it is empty, this is done again.
fn make_anew(
    world: &World<'_>,
    files: &PairFiles,
    job: &dyn OnControlPlane,
    issue: impl FnOnce(&PrivateKey) -> Result<String, Problem>,
) -> Result<(), Problem> {
    let key = new_key(job.cluster().key_algorithm, world)?;
    let certificate = issue(&key).map_err(|problem| problem.at(files.certificate.display().to_string()))?;
    world.put_file(&files.certificate, Content::new(certificate), CERTIFICATE_MODE)?;
    world.put_file(&files.key, Content::new(key.pem().reveal().as_str()), KEY_MODE)?;
    Ok(())
}

/// A new key.
///
/// # Errors
/// When the source of keys hands out something that is no key.
pub(crate) fn new_key(algorithm: KeyAlgorithm, world: &World<'_>) -> Result<PrivateKey, Problem> {
    let pem = world.entropy().key_pem(algorithm);
    PrivateKey::parse(pem.reveal()).map_err(|error| {
        Problem::new("key-unusable", "cannot use a key that was just made")
            .why(error.to_string())
            .fix("run the same command again; if it fails again, report it with this output")
    })
}

fn key_missing(files: &PairFiles) -> Problem {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    Problem::new("certificate-key-missing", format!("the key of {certificate} is not there"))
        .at(key.to_string())
        .why("the certificate is there without its key, and nobody can serve with it")
        .fix(format!("put its key in place: {key}"))
        .fix(format!("or have both made anew: rm {certificate}, then run the same command again"))
}

/// kubeadm warns of these as well and goes on.
fn warn_of_unusable(world: &World<'_>, unusable: &[String], about: &str) {
    if !unusable.is_empty() {
        let what = format!("{about} is made without {}", unusable.join(", "));
        let problem = Problem::new("san-unusable", what)
            .why("a subject alternative name is an IP address or a DNS name")
            .fix("correct certSANs, or --apiserver-cert-extra-sans");
        world.tell(Event::Warning(&problem));
    }
}

fn missing_names(files: &PairFiles, wanted: &[String], found: &[String]) -> Option<Problem> {
    let missing: Vec<&str> = wanted.iter().filter(|name| !found.contains(name)).map(String::as_str).collect();
    let (certificate, key) = (files.certificate.display(), files.key.display());
    (!missing.is_empty()).then(|| {
        Problem::new("san-missing", format!("{certificate} is not valid for {}", missing.join(", ")))
            .at(certificate.to_string())
            .why("it was there before, perhaps for another address or name of this node, and is kept")
            .fix(format!("have it made anew: rm {certificate} {key}, then run the same command again"))
    })
}

/// Phase `certs/sa`: the key pair with which service account tokens are signed and checked.
pub struct ServiceAccountKeys;

impl<J: OnControlPlane> Phase<J> for ServiceAccountKeys {
    fn name(&self) -> &'static str {
        "sa"
    }

    fn about(&self) -> &'static str {
        "the key pair that signs service account tokens"
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        let layout = &job.node().layout;
        vec![
            Artifact::with_key("the key that signs service account tokens", layout.certificate("sa.key")),
            Artifact::file("the key that checks service account tokens", layout.certificate("sa.pub")),
        ]
    }

    /// An existing private key decides; its public half is written where it is missing, and kept where it is there.
    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let layout = &job.node().layout;
        let files = PairFiles { certificate: layout.certificate("sa.pub"), key: layout.certificate("sa.key") };
        if found::is_lost(&files.key, world)? {
            return Err(found::lost("the key that signs service account tokens,", &files.key));
        }
        let is_public_lost = found::is_lost(&files.certificate, world)?;
        let key = match found::key(world.host(), &files)? {
            Some(key) => key,
            None if world.host().stat(&files.certificate)?.is_some() => return Err(key_missing(&files)),
            None => {
                let key = new_key(job.cluster().key_algorithm, world)?;
                world.put_file(&files.key, Content::new(key.pem().reveal().as_str()), KEY_MODE)?;
                key
            }
        };
        let public = world.host().read(&files.certificate)?;
        match public.filter(|_| !is_public_lost) {
            None => {
                world.put_file(&files.certificate, Content::new(key.public_pem()), KEY_MODE)?;
            }
            Some(text) if !String::from_utf8_lossy(&text).contains("-----BEGIN") => {
                let path = files.certificate.display().to_string();
                return Err(Problem::new("certificate-damaged", format!("cannot use the key {path}"))
                    .at(path.as_str())
                    .why("it is empty or no PEM, so that no service account token could be checked")
                    .fix(format!("have it made from sa.key: rm {path}, then run the same command again")));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "certs_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "placed_tests.rs"]
mod placed;
