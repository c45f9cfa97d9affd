//! Kubeconfigs that are there already: whether one can be kept, and kubeconfigs that still wait for their certificate.
//!
//! Kept is what trusts the cluster's CA and has a client certificate of it that is valid, whoever it is for. Another server
//! is told and kept, as kubeadm does: it may be a load balancer that only the user knows of.

use super::{Credentials, KubeconfigSpec, MODE, Source, Target, parse, render_with_key};
use crate::certs::certificate::{Certificate, PrivateKey};
use crate::certs::found::{self, Ca, CaPair};
use crate::config::OnControlPlane;
use crate::plan::damage;
use crate::problem::Problem;
use crate::world::{Clock, Content, Secret, World};

impl KubeconfigSpec {
    /// Whether the file that is there can be kept, and what is to be said of it; `None` when it is not there.
    pub(crate) fn fit(
        &self,
        job: &dyn OnControlPlane,
        world: &World<'_>,
        ca: &CaPair,
    ) -> Result<Option<Vec<Problem>>, Problem> {
        let path = job.node().layout.kubeconfig(self.file);
        if damage::is_lost(&path, &world.journal().inventory()?, world.host())? {
            return Ok(None);
        }
        let Some(bytes) = world.host().read(&path)? else { return Ok(None) };
        let place = path.display().to_string();
        let again = format!("have it made anew: rm {place}, then run the same command again");
        let found = parse(&String::from_utf8_lossy(&bytes))
            .map_err(|problem| Problem { fixes: Vec::new(), ..problem }.at(&place).fix(&again))?;
        if found.credentials == Credentials::None && has_key(&bytes) {
            return Err(no_credentials(&place, &again, true));
        }
        let trusted = found.ca_pem().and_then(|pem| Certificate::parse_all(pem).ok()).unwrap_or_default();
        // Where the CA is given as a file it is the owner's business.
        let names_a_file = matches!(found.ca, Some(Source::File(_)));
        if !names_a_file && !trusted.first().is_some_and(|first| ca.certificates.contains(first)) {
            let (what, why) = match found.ca {
                Some(_) => (
                    "trusts another CA than this cluster's",
                    "it was made for another cluster, or the CA was replaced since",
                ),
                None => {
                    ("does not name this cluster's CA", "without certificate-authority-data nobody knows whom to trust")
                }
            };
            return Err(Problem::new("kubeconfig-other-ca", format!("{place} {what}")).at(&place).why(why).fix(again));
        }
        let server = self.server(job);
        let mut warnings = Vec::new();
        if found.server != server {
            let what = format!("{place} leads to {}, not to {server}", found.server);
            let problem = Problem::new("kubeconfig-other-server", what).at(&place);
            warnings.push(problem.why("it was there before and is kept").fix(&again));
        }
        match &found.credentials {
            Credentials::Certificate { certificate: Source::Text(pem), key } => {
                let client = Client { place: &place, again: &again, now: world.time().now() };
                let chain = certificates(&place, pem.reveal(), &again)?;
                // A component with a CA of its own for clients accepts others than this CA's.
                let signer = (!trusts_other_clients(job)).then_some(ca);
                warnings.extend(client.check(&chain, key, signer)?.map(|problem| match self.file {
                    "kubelet.conf" => problem,
                    file => problem.fix(format!("kubestrap certs renew {file}")),
                }));
            }
            Credentials::None => return Err(no_credentials(&place, &again, false)),
            Credentials::Certificate { .. } | Credentials::Token(_) => {}
        }
        Ok(Some(warnings))
    }

    /// Writes the file with a key and without certificate, or finds it so; `None` when it has its certificate already.
    ///
    /// # Errors
    /// When what is there is no kubeconfig.
    pub(crate) fn put_without_certificate(
        &self,
        job: &dyn OnControlPlane,
        world: &World<'_>,
    ) -> Result<Option<PrivateKey>, Problem> {
        let layout = &job.node().layout;
        let path = layout.kubeconfig(self.file);
        if let Some(bytes) = world.host().read(&path)? {
            let text = String::from_utf8_lossy(&bytes);
            let place = path.display().to_string();
            let found = parse(&text).map_err(|problem| problem.at(&place))?;
            if found.credentials != Credentials::None {
                return Ok(None);
            }
            let again = format!("have it made anew: rm {place}, then run the same command again");
            let Some(key) = super::lone_key(&text) else { return Err(no_credentials(&place, &again, false)) };
            return PrivateKey::parse(key.reveal()).map(Some).map_err(|error| {
                Problem::new("kubeconfig-damaged", format!("cannot use the key in {place}"))
                    .at(&place)
                    .why(error.to_string())
                    .fix(again)
            });
        }
        let cluster = job.cluster();
        let key = crate::certs::new_key(cluster.key_algorithm, world)?;
        // Where the CA's certificate is here already, only the client's is left to be filled in.
        let has_ca = world.host().stat(&layout.certificate("ca.crt"))?.is_some();
        let ca_pem = if has_ca { found::ca(world, layout, Ca::Kubernetes)?.pem() } else { String::new() };
        let target = Target { cluster_name: &cluster.name, server: self.server(job), ca_pem: &ca_pem };
        let text = render_with_key(&target, &self.leaf(job).common_name, key.pem(), &cluster.release);
        world.put_folder(layout.kubeconfigs(), 0o700)?;
        world.put_file(&path, Content::new(text), MODE)?;
        Ok(Some(key))
    }
}

fn trusts_other_clients(job: &dyn OnControlPlane) -> bool {
    job.cluster().api_server.extra_args.iter().any(|(name, _)| name == "client-ca-file")
}

fn has_key(bytes: &[u8]) -> bool {
    super::lone_key(&String::from_utf8_lossy(bytes)).is_some()
}

fn no_credentials(place: &str, again: &str, has_key: bool) -> Problem {
    let problem = Problem::new("kubeconfig-no-certificate", format!("{place} has no client certificate"));
    if has_key {
        problem.at(place).why("it has its key and waits for the certificate, as generate-csr leaves it").fix(format!(
            "have {place}.csr signed, and put the certificate in it, in base64, as client-certificate-data"
        ))
    } else {
        problem.at(place).why("its current user has neither certificate nor token").fix(again)
    }
}

/// The certificates of a PEM text in a kubeconfig.
pub(super) fn certificates(place: &str, pem: &str, again: &str) -> Result<Vec<Certificate>, Problem> {
    Certificate::parse_all(pem).map_err(|error| {
        Problem::new("kubeconfig-damaged", format!("cannot use the client certificate in {place}"))
            .at(place)
            .why(error.to_string())
            .fix(again)
    })
}

/// A client certificate that is checked.
struct Client<'a> {
    place: &'a str,
    again: &'a str,
    now: Clock,
}

impl Client<'_> {
    /// One cause, or at most a warning.
    fn check(&self, chain: &[Certificate], key: &Source, ca: Option<&CaPair>) -> Result<Option<Problem>, Problem> {
        let subject = format!("the client certificate in {}", self.place);
        let leaf = &chain[0];
        if let Source::Text(pem) = key
            && !self.belongs(leaf, pem)?
        {
            return Err(self
                .problem("certificate-key-mismatch", &format!("{subject} does not belong to its key"))
                .why("the key beside it is another one"));
        }
        if let Some(ca) = ca
            && !ca.has_signed(chain)
        {
            return Err(self
                .problem("certificate-other-ca", &format!("{subject} is not signed by the Kubernetes CA"))
                .why(format!(
                    "its issuer is {:?}, and the signature was not made with the key of ca.crt",
                    leaf.issuer
                )));
        }
        if leaf.not_after <= self.now {
            return Err(self.problem("certificate-expired", &format!("{subject} has expired")).why(format!(
                "it was valid until {}; now it is {}",
                leaf.not_after.rfc3339(),
                self.now.rfc3339()
            )));
        }
        if leaf.not_before > self.now {
            return Err(found::not_yet_valid(&subject, leaf, self.now).at(self.place));
        }
        let soon = found::expires_soon(&subject, leaf, self.now, self.again);
        Ok(soon.map(|problem| problem.at(self.place)))
    }

    fn belongs(&self, leaf: &Certificate, pem: &Secret<String>) -> Result<bool, Problem> {
        let key = PrivateKey::parse(pem.reveal()).map_err(|error| {
            self.problem("kubeconfig-damaged", &format!("cannot use the key in {}", self.place)).why(error.to_string())
        })?;
        Ok(leaf.belongs_to(&key))
    }

    fn problem(&self, id: &str, what: &str) -> Problem {
        Problem::new(id, what).at(self.place).fix(self.again)
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
