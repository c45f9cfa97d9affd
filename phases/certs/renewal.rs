//! `certs renew`: a successor for each certificate, with a new key, for the same subject, names and usages.
//!
//! Reads the certificates and kubeconfigs that are there; replaces both files of a pair, or the certificate and key inside
//! a kubeconfig. With `--csr-only` it writes a key and a request for each instead. Age does not matter: what is named is
//! renewed, as kubeadm does. The components go on with what they hold in memory until they are started again.

use std::path::Path;

use super::certificate::{Certificate, PrivateKey};
use super::found::{self, PairFiles};
use super::managed::{self, Managed};
use super::settings::Settings;
use super::{CERTIFICATE_MODE, KEY_MODE, issue, new_key, request};
use crate::config::{Layout, RenewCerts};
use crate::kubeconfig;
use crate::plan::{Phase, Selection, Verdict};
use crate::problem::Problem;
use crate::world::{Content, Event, Host, World};

/// The job of `certs renew`, for one certificate or (with `None`) all.
///
/// # Errors
/// When nothing of what is wanted can be signed on this node.
pub fn resolve(
    settings: Settings,
    name: Option<&str>,
    requests: Option<&Path>,
    host: &dyn Host,
) -> Result<RenewCerts, Problem> {
    let job = RenewCerts { cluster: settings.cluster, layout: settings.layout, requests: requests.map(Path::to_owned) };
    if job.requests.is_some() {
        return Ok(job);
    }
    let wanted: Vec<&Managed> = wanted(&job, name).collect();
    for managed in &wanted {
        if !found::is_external(managed.ca(), &job.layout, host)? {
            return Ok(job);
        }
    }
    match wanted.first() {
        Some(managed) => Err(signed_elsewhere(managed, &job.layout, wanted.len())),
        None => Ok(job),
    }
}

/// The phases that are meant: one certificate, or all.
pub fn selection(name: Option<&str>) -> Selection {
    Selection { only: name.map(str::to_owned), ..Selection::default() }
}

/// The components on this node that have to start again before they use what was renewed, in the order of their names.
///
/// # Errors
/// When the folder of the manifests cannot be looked at.
pub fn restarts(job: &RenewCerts, name: Option<&str>, host: &dyn Host) -> Result<Vec<&'static str>, Problem> {
    let mut components = Vec::new();
    for managed in wanted(job, name).filter(|_| job.requests.is_none()) {
        let Some(component) = managed.component() else { continue };
        let is_here = host.stat(&job.layout.manifest(component))?.is_some();
        let is_renewed =
            !found::is_external(managed.ca(), &job.layout, host)? && host.stat(&managed.path(&job.layout))?.is_some();
        if is_here && is_renewed && !components.contains(&component) {
            components.push(component);
        }
    }
    components.sort_unstable();
    Ok(components)
}

fn wanted<'j>(job: &'j RenewCerts, name: Option<&'j str>) -> impl Iterator<Item = &'static Managed> {
    managed::ALL.iter().filter(move |managed| {
        managed.is_left_out(&job.cluster).is_none() && name.is_none_or(|name| name == managed.name())
    })
}

impl Phase<RenewCerts> for Managed {
    fn name(&self) -> &'static str {
        self.name()
    }

    fn about(&self) -> &'static str {
        self.about()
    }

    fn verdict(&self, job: &RenewCerts) -> Verdict {
        self.is_left_out(&job.cluster).map_or(Verdict::Run, Verdict::Skip)
    }

    fn run(&self, job: &RenewCerts, world: &World<'_>) -> Result<(), Problem> {
        let Some(old) = self.found(&job.layout, world.host()).map_err(|problem| self.make_anew(problem, job))? else {
            world.note(&format!("nothing to renew: {} is not there", self.path(&job.layout).display()));
            return Ok(());
        };
        if let Some(folder) = &job.requests {
            let files = PairFiles::request(folder, self.name());
            return request::put(world, &files, job.cluster.key_algorithm, |key| {
                issue::request_for_successor(&old, key)
            });
        }
        let ca = found::ca(world, &job.layout, self.ca())?;
        if ca.is_external() {
            world.tell(Event::Warning(&signed_elsewhere(self, &job.layout, 1)));
            return Ok(());
        }
        let key = new_key(job.cluster.key_algorithm, world)?;
        let place = self.path(&job.layout);
        let pem = issue::successor(&old, (&key, &ca), &job.cluster, world)
            .map_err(|problem| problem.at(place.display().to_string()))?;
        match self {
            Self::Pair(spec) => put_pair(world, &PairFiles::of(&job.layout, spec.file), &key, &pem)?,
            Self::Kubeconfig(_) => {
                let bytes = world.host().read(&place)?.unwrap_or_default();
                let text = kubeconfig::with_successor(&String::from_utf8_lossy(&bytes), (&pem, key.pem()), &ca)
                    .map_err(|problem| problem.at(place.display().to_string()))?;
                world.put_file(&place, Content::new(text), kubeconfig::MODE)?;
            }
        }
        if let Ok([new, ..]) = Certificate::parse_all(&pem).as_deref() {
            world.note(&format!("valid until {}", new.not_after.rfc3339()));
        }
        Ok(())
    }
}

impl Managed {
    /// What cannot be read has no successor; where the CA is here, a new one can be made.
    fn make_anew(&self, problem: Problem, job: &RenewCerts) -> Problem {
        let order = match self {
            Self::Pair(spec) => {
                let files = PairFiles::of(&job.layout, spec.file);
                let (certificate, key) = (files.certificate.display(), files.key.display());
                format!("rm -f {certificate} {key} && kubestrap init phase certs {}", spec.name)
            }
            Self::Kubeconfig(spec) => {
                format!("rm {} && kubestrap init phase kubeconfig {}", self.path(&job.layout).display(), spec.name)
            }
        };
        Problem { fixes: vec![format!("have it made anew: {order}")], ..problem }
    }
}

/// The key goes first, as everywhere. Between the two the pair does not fit; a run that is killed there leaves what the
/// next one reads: the old certificate, whose successor gets a key of its own.
fn put_pair(world: &World<'_>, files: &PairFiles, key: &PrivateKey, pem: &str) -> Result<(), Problem> {
    world.put_file(&files.key, Content::new(key.pem().reveal().as_str()), KEY_MODE)?;
    world.put_file(&files.certificate, Content::new(pem), CERTIFICATE_MODE)?;
    Ok(())
}

fn signed_elsewhere(managed: &Managed, layout: &Layout, count: usize) -> Problem {
    let (name, title) = (managed.name(), managed.ca().title());
    let what = if count == 1 { name.to_owned() } else { format!("none of {count} certificates") };
    let verb = if count == 1 { "cannot" } else { "can" };
    let requested = if count == 1 { name } else { "all" };
    Problem::new("renewal-elsewhere", format!("{what} {verb} be renewed on this node"))
        .at(PairFiles::of(layout, managed.ca().file()).key.display().to_string())
        .why(format!("the key of {title} is kept elsewhere, so that nobody here can sign"))
        .fix(format!("make requests to sign there: kubestrap certs renew {requested} --csr-only --csr-dir FOLDER"))
        .fix("or put that key in place for the time of the renewal")
}

#[cfg(test)]
#[path = "renewal_tests.rs"]
mod tests;
