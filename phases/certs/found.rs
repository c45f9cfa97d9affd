//! What is there already: typed readers for CAs and key pairs, and whether an existing pair can be kept.
//!
//! Reads the certificate folder, writes nothing. Every complaint names the file and what to do about it.

use std::path::{Path, PathBuf};

use super::certificate::{Certificate, PemError, PrivateKey};
use crate::config::{CaPin, Layout};
use crate::plan::damage;
use crate::problem::Problem;
use crate::world::{Clock, Host, World};

/// The three certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ca {
    /// Signs for the API server, its clients and the kubelets.
    Kubernetes,
    /// Signs for the aggregation layer.
    FrontProxy,
    /// Signs for etcd's members and clients.
    Etcd,
}

impl Ca {
    /// Its files below the certificate folder, without ending.
    pub fn file(self) -> &'static str {
        match self {
            Self::Kubernetes => "ca",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd/ca",
        }
    }

    /// Common name.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd-ca",
        }
    }

    /// For people: `the Kubernetes CA`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kubernetes => "the Kubernetes CA",
            Self::FrontProxy => "the front-proxy CA",
            Self::Etcd => "the etcd CA",
        }
    }
}

/// A CA as found on the node.
#[derive(Debug)]
pub struct CaPair {
    /// Certificates of the file, at least one; the first signs.
    pub certificates: Vec<Certificate>,
    /// Its key; `None` for an external CA.
    pub key: Option<PrivateKey>,
}

impl CaPair {
    /// PEM of the certificate that signs, alone.
    pub fn pem(&self) -> String {
        self.certificates[0].pem()
    }

    /// Whether the key is kept elsewhere.
    pub fn is_external(&self) -> bool {
        self.key.is_none()
    }

    /// Whether a chain, leaf first, leads to one of its certificates.
    pub fn has_signed(&self, chain: &[Certificate]) -> bool {
        let Some((mut current, intermediates)) = chain.split_first() else { return false };
        for _ in 0..chain.len() {
            if self.certificates.iter().any(|ca| current.is_signed_by(ca)) {
                return true;
            }
            match intermediates.iter().find(|candidate| candidate.is_ca && current.is_signed_by(candidate)) {
                Some(next) => current = next,
                None => return false,
            }
        }
        false
    }
}

/// The CA with its key, where that is here; checked: readable, a CA, not expired, and the key is its own.
///
/// # Errors
/// When the certificate is missing or cannot be used.
pub fn ca(world: &World<'_>, layout: &Layout, ca: Ca) -> Result<CaPair, Problem> {
    let files = PairFiles::of(layout, ca.file());
    refuse_lost_authority(ca.title(), &files, world)?;
    let Some(certificates) = certificates(world.host(), &files)? else {
        return Err(Problem::new("ca-missing", format!("the certificate of {} is not there", ca.title()))
            .at(files.certificate.display().to_string())
            .why("the phase that makes it has not run on this node")
            .fix(format!("kubestrap init phase certs {}", ca.file().replace('/', "-")))
            .fix("or copy it with its key from an existing control-plane node"));
    };
    let key = key(world.host(), &files)?;
    let pair = CaPair { certificates, key };
    check_pair(world, &files, &pair.certificates[0], pair.key.as_ref())?;
    if !pair.certificates[0].is_ca {
        return Err(Problem::new("ca-is-no-ca", format!("the certificate of {} is not one of a CA", ca.title()))
            .at(files.certificate.display().to_string())
            .why("its basic constraints do not say CA:TRUE, so nobody accepts what it signs")
            .fix("put the certificate of a CA in its place, with its key"));
    }
    Ok(pair)
}

/// A CA is never made anew for one of its files.
///
/// # Errors
/// `certificate-lost`, when either file of ours has lost its content.
pub(super) fn refuse_lost_authority(title: &str, files: &PairFiles, world: &World<'_>) -> Result<(), Problem> {
    for (part, path) in [("the certificate of", &files.certificate), ("the key of", &files.key)] {
        if is_lost(path, world)? {
            return Err(lost(&format!("{part} {title},"), path));
        }
    }
    Ok(())
}

/// Whether a CA's certificate is here without its key.
///
/// # Errors
/// When the certificate folder cannot be looked at.
pub fn is_external(ca: Ca, layout: &Layout, host: &dyn Host) -> Result<bool, Problem> {
    let files = PairFiles::of(layout, ca.file());
    Ok(host.stat(&files.certificate)?.is_some() && host.stat(&files.key)?.is_none())
}

/// Pins of all certificates of a PEM text: SHA-256 over the DER of each public key.
///
/// # Errors
/// When there is no certificate, or one cannot be read.
pub fn pins(pem: &str) -> Result<Vec<CaPin>, Problem> {
    let found = Certificate::parse_all(pem).map_err(|error| {
        Problem::new("certificate-damaged", "cannot read the cluster's CA certificate")
            .why(error.to_string())
            .fix("look at what the cluster tells: kubectl -n kube-public get configmap cluster-info -o yaml")
    })?;
    Ok(found.into_iter().map(|certificate| CaPin::of_digest(certificate.key_sha256)).collect())
}

/// The files of a certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// `<name>.crt`.
    pub certificate: PathBuf,
    /// `<name>.key`.
    pub key: PathBuf,
}

impl PairFiles {
    /// The pair with this name below the certificate folder, such as `etcd/server`.
    pub fn of(layout: &Layout, name: &str) -> Self {
        Self {
            certificate: layout.certificate(&format!("{name}.crt")),
            key: layout.certificate(&format!("{name}.key")),
        }
    }

    /// Orders that make room for a new pair.
    fn renewal(&self) -> [String; 2] {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        [
            format!("put the right pair in place: {certificate} and {key}"),
            format!("or have it made anew: rm {certificate} {key}, then run the same command again"),
        ]
    }

    fn problem(&self, id: &str, what: String, file: &Path, why: impl Into<String>) -> Problem {
        let [first, second] = self.renewal();
        Problem::new(id, what).at(file.display().to_string()).why(why).fix(first).fix(second)
    }
}

/// The certificates of a pair; `None` when the file is not there.
pub(super) fn certificates(host: &dyn Host, files: &PairFiles) -> Result<Option<Vec<Certificate>>, Problem> {
    let Some(text) = text(host, &files.certificate)? else { return Ok(None) };
    Certificate::parse_all(&text).map(Some).map_err(|error| damaged(files, &files.certificate, "certificate", &error))
}

/// The key of a pair; `None` when the file is not there.
pub(super) fn key(host: &dyn Host, files: &PairFiles) -> Result<Option<PrivateKey>, Problem> {
    let Some(text) = text(host, &files.key)? else { return Ok(None) };
    PrivateKey::parse(&text).map(Some).map_err(|error| damaged(files, &files.key, "key", &error))
}

/// A pair that is there can be kept when the key is the certificate's own and the certificate has not expired.
pub(super) fn check_pair(
    world: &World<'_>,
    files: &PairFiles,
    certificate: &Certificate,
    key: Option<&PrivateKey>,
) -> Result<(), Problem> {
    let path = &files.certificate;
    if key.is_some_and(|key| !certificate.belongs_to(key)) {
        let what = format!("the certificate {} does not belong to its key", path.display());
        return Err(files.problem(
            "certificate-key-mismatch",
            what,
            path,
            format!("{} is another key", files.key.display()),
        ));
    }
    let now = world.time().now();
    if certificate.not_after <= now {
        let what = format!("the certificate {} has expired", path.display());
        let why = format!("it was valid until {}; now it is {}", certificate.not_after.rfc3339(), now.rfc3339());
        return Err(files.problem("certificate-expired", what, path, why));
    }
    if certificate.not_before > now {
        return Err(not_yet_valid(&format!("the certificate {}", path.display()), certificate, now)
            .at(path.display().to_string()));
    }
    Ok(())
}

/// A certificate whose validity begins later: made for later, or one of two clocks is wrong.
pub(crate) fn not_yet_valid(subject: &str, certificate: &Certificate, now: Clock) -> Problem {
    let from = certificate.not_before.rfc3339();
    Problem::new("certificate-not-yet-valid", format!("{subject} is not valid yet"))
        .why(format!("it becomes valid at {from}; the clock of this node says {}", now.rfc3339()))
        .fix("where the clock is wrong, set it: timedatectl set-ntp true")
        .fix(format!("or wait until {from}, then run the same command again"))
}

/// Told of a certificate that is kept although little of its life is left; `renew` is the order that makes another.
pub(crate) fn expires_soon(subject: &str, certificate: &Certificate, now: Clock, renew: &str) -> Option<Problem> {
    const MONTH: i64 = 30 * 24 * 3600;
    let (left, life) = (certificate.not_after.0 - now.0, certificate.not_after.0 - certificate.not_before.0);
    // One that was made for a short life is none to warn of as long as most of it is ahead.
    (left < MONTH.min(life / 4)).then(|| {
        Problem::new("certificate-expires-soon", format!("{subject} expires soon"))
            .why(format!("it is valid until {} and is kept until then", certificate.not_after.rfc3339()))
            .fix(renew.to_owned())
    })
}

/// A leaf that is there can be kept when its CA has signed it.
pub(super) fn check_signer(files: &PairFiles, chain: &[Certificate], signer: &CaPair, ca: Ca) -> Result<(), Problem> {
    if signer.has_signed(chain) {
        return Ok(());
    }
    let path = &files.certificate;
    let what = format!("the certificate {} is not signed by {}", path.display(), ca.title());
    let why = format!(
        "its issuer is {:?}, and the signature was not made with the key of {}.crt",
        chain[0].issuer,
        ca.file()
    );
    Err(files.problem("certificate-other-ca", what, path, why))
}

/// Whether a file of ours has lost its content, so that it counts as not there.
pub(super) fn is_lost(path: &Path, world: &World<'_>) -> Result<bool, Problem> {
    Ok(damage::is_lost(path, &world.journal().inventory()?, world.host())?)
}

/// What cannot be made again alone.
pub(super) fn lost(what: &str, path: &Path) -> Problem {
    let shown = path.display();
    Problem::new("certificate-lost", format!("{what} {shown} has lost its content"))
        .at(shown.to_string())
        .why("a power cut may do that; what was signed with it is there, and would not fit a new one")
        .fix(format!("put it back from a backup, or from another control-plane node of this cluster: {shown}"))
        .fix("or begin anew: kubestrap reset, then run the same command again")
}

fn damaged(files: &PairFiles, path: &Path, kind: &str, error: &PemError) -> Problem {
    files.problem("certificate-damaged", format!("cannot use the {kind} {}", path.display()), path, error.to_string())
}

/// A file's text; what is no UTF-8 is no PEM either, and is told as such by the reader.
fn text(host: &dyn Host, path: &Path) -> Result<Option<String>, Problem> {
    Ok(host.read(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
