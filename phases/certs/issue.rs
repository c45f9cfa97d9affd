//! Issuing: from what a certificate shall say to its PEM, with kubeadm's extensions and validity.
//!
//! Pure but for the randomness of serial numbers and ECDSA signatures: reads and writes no file.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::certificate::{Certificate, PrivateKey};
use super::found::CaPair;
use super::likeness;
use crate::config::{ClusterConfig, Release};
use crate::problem::{Explain, Problem};
use crate::world::{Clock, World};

/// How far validity reaches back where it does not start with the CA's, against clocks that differ.
const BACKDATED: Duration = Duration::from_secs(300);

/// What a leaf certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// TLS server.
    Server,
    /// TLS client.
    Client,
    /// Both, as etcd members need.
    ServerAndClient,
}

/// Names and addresses a certificate is valid for, each once, in the order they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// DNS names, sorted.
    pub dns: Vec<String>,
    /// Addresses, in given order.
    pub addresses: Vec<IpAddr>,
    /// Texts that are neither, and are left out.
    pub unusable: Vec<String>,
}

impl Names {
    /// Sorts texts into names and addresses.
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut names = Self::default();
        for text in texts {
            let name = text.strip_prefix("*.").unwrap_or(&text).to_ascii_lowercase();
            if let Ok(address) = text.parse() {
                if !names.addresses.contains(&address) {
                    names.addresses.push(address);
                }
            } else if !crate::config::is_dns_subdomain(&name) {
                names.unusable.push(text);
            } else if !names.dns.contains(&text) {
                names.dns.push(text);
            }
        }
        names.dns.sort();
        names
    }

    /// All of them as text, DNS names first.
    pub fn texts(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.addresses.iter().map(ToString::to_string)).collect()
    }

    fn sans(&self) -> Result<Vec<SanType>, rcgen::Error> {
        let dns = self.dns.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
        dns.chain(self.addresses.iter().map(|&address| Ok(SanType::IpAddress(address)))).collect()
    }
}

/// What a leaf certificate shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Common name.
    pub common_name: String,
    /// Organisation: the group a client belongs to.
    pub organization: Option<String>,
    /// What it may be used for.
    pub usage: Usage,
    /// What it is valid for.
    pub names: Names,
}

impl Leaf {
    /// What a client's certificate says.
    pub fn client(common_name: String, organization: Option<&str>) -> Self {
        let organization = organization.map(str::to_owned);
        Self { common_name, organization, usage: Usage::Client, names: Names::default() }
    }
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The library refuses.
    #[error("cannot issue a certificate for {common_name}")]
    Refused {
        /// Common name of the certificate that was to be.
        common_name: String,
        /// What it objects to.
        source: rcgen::Error,
    },
    /// The CA's key is not on this node.
    #[error("cannot issue a certificate for {common_name}: the key of the CA {ca} is not here")]
    NoKey {
        /// Common name of the certificate that was to be.
        common_name: String,
        /// Common name of the CA.
        ca: String,
    },
    /// The CA's own name cannot be repeated faithfully in what it signs.
    #[error("cannot issue a certificate for {common_name}: the name of the CA {ca} has parts that cannot be repeated")]
    Unfaithful {
        /// Common name of the certificate that was to be.
        common_name: String,
        /// Common name of the CA.
        ca: String,
    },
    /// The subject of a certificate cannot be repeated faithfully in its successor.
    #[error(
        "cannot make a successor of the certificate of {common_name}: its subject has parts that cannot be repeated"
    )]
    Unrepeatable {
        /// Common name of the certificate.
        common_name: String,
    },
}

impl IssueError {
    pub(super) fn refused(common_name: &str, source: rcgen::Error) -> Self {
        Self::Refused { common_name: common_name.to_owned(), source }
    }
}

impl Explain for IssueError {
    fn id(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "certificate-refused",
            Self::NoKey { .. } => "ca-key-missing",
            Self::Unfaithful { .. } => "ca-name-unusable",
            Self::Unrepeatable { .. } => "certificate-unrepeatable",
        }
    }

    fn fixes(&self) -> Vec<String> {
        let fix = match self {
            Self::Refused { .. } => {
                "look at the CA that signs it: openssl x509 -text -noout -in /etc/kubernetes/pki/ca.crt"
            }
            Self::NoKey { .. } => {
                "put the key of the CA beside its certificate, or put what is missing in place: signed by that CA"
            }
            Self::Unfaithful { .. } => "use a CA whose subject names no attribute twice",
            Self::Unrepeatable { .. } => "make its successor where it was made, and put it in place",
        };
        vec![fix.to_owned()]
    }
}

/// Makes the certificate of a CA that signs itself.
///
/// # Errors
/// When the key cannot sign.
pub fn authority(name: &str, key: &PrivateKey, cluster: &ClusterConfig, world: &World<'_>) -> Result<String, Problem> {
    let release = &cluster.release;
    let now = world.time().now();
    let mut params = params(name, None, if release.is_modern_ca() { back(now) } else { now });
    params.not_after = moment(now.plus(cluster.ca_validity));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let refused = |source| IssueError::refused(name, source);
    if release.is_modern_ca() {
        params.subject_alt_names = Names::of([name.to_owned()]).sans().map_err(refused)?;
    }
    params.serial_number = Some(if release.is_modern_ca() { serial(world) } else { SerialNumber::from_slice(&[0]) });
    Ok(params.self_signed(&key.pair).map_err(refused)?.pem())
}

/// Makes a certificate signed by a CA.
///
/// # Errors
/// When the CA's key is not here, or cannot sign.
pub fn leaf(
    leaf: &Leaf,
    key: &PrivateKey,
    ca: &CaPair,
    cluster: &ClusterConfig,
    world: &World<'_>,
) -> Result<String, Problem> {
    let mut params = params(&leaf.common_name, leaf.organization.as_deref(), world.time().now());
    params.extended_key_usages = match leaf.usage {
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::ServerAndClient => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    params.subject_alt_names = leaf.names.sans().map_err(|source| IssueError::refused(&leaf.common_name, source))?;
    sign(params, &leaf.common_name, (key, ca), cluster, world)
}

/// Makes a successor of a certificate: for the same subject, names and usages, with a new key.
///
/// # Errors
/// When the CA's key is not here, or the subject cannot be repeated.
pub(super) fn successor(
    old: &Certificate,
    (key, ca): (&PrivateKey, &CaPair),
    cluster: &ClusterConfig,
    world: &World<'_>,
) -> Result<String, Problem> {
    let common_name = &old.common_name;
    let params = likeness::params(old, &likeness::OF_A_CERTIFICATE)?;
    let pem = sign(params, common_name, (key, ca), cluster, world)?;
    match Certificate::parse_all(&pem).as_deref() {
        Ok([issued, ..]) if likeness::is_same_subject(issued, old) => Ok(pem),
        _ => Err(IssueError::Unrepeatable { common_name: common_name.clone() }.into()),
    }
}

/// What all certificates have in common that a CA signs: validity, serial number, identifier of the signer's key.
fn sign(
    mut params: CertificateParams,
    common_name: &str,
    (key, ca): (&PrivateKey, &CaPair),
    cluster: &ClusterConfig,
    world: &World<'_>,
) -> Result<String, Problem> {
    let common_name = || common_name.to_owned();
    let signer = &ca.certificates[0];
    let Some(ca_key) = &ca.key else {
        return Err(IssueError::NoKey { common_name: common_name(), ca: signer.common_name.clone() }.into());
    };
    let now = world.time().now();
    let not_before = if cluster.release.leaf_starts_with_its_ca() { signer.not_before } else { back(now) };
    params.not_before = moment(not_before);
    params.not_after = moment(now.plus(cluster.certificate_validity));
    params.serial_number = Some(serial(world));
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions.extend(basic_constraints(&cluster.release));
    let refused = |source| IssueError::refused(&common_name(), source);
    let issuer = Issuer::from_ca_cert_der(&signer.der().into(), &ca_key.pair).map_err(refused)?;
    let pem = params.signed_by(&key.pair, &issuer).map_err(refused)?.pem();
    let issued = Certificate::parse_all(&pem).ok().and_then(|mut found| found.pop());
    if issued.is_some_and(|issued| issued.is_signed_by(signer)) {
        Ok(pem)
    } else {
        Err(IssueError::Unfaithful { common_name: common_name(), ca: signer.common_name.clone() }.into())
    }
}

/// Makes a certificate of somebody who is in any number of groups.
///
/// # Errors
/// As `leaf`.
pub fn leaf_in_groups(
    leaf: &Leaf,
    groups: &[String],
    key: &PrivateKey,
    ca: &CaPair,
    (cluster, world): (&ClusterConfig, &World<'_>),
) -> Result<String, Problem> {
    if let [] | [_] = groups {
        let leaf = Leaf { organization: groups.first().cloned(), ..leaf.clone() };
        return self::leaf(&leaf, key, ca, cluster, world);
    }
    let without = self::leaf(&Leaf { organization: None, ..leaf.clone() }, key, ca, cluster, world)?;
    let found = Certificate::parse_all(&without).ok().and_then(|mut found| found.pop());
    let signed = found
        .zip(ca.key.as_ref())
        .and_then(|(found, ca_key)| super::groups::with_organizations(found.der(), groups, &ca_key.pair))
        .and_then(|der| Certificate::from_der(der).ok())
        .filter(|signed| signed.is_signed_by(&ca.certificates[0]) && signed.organizations.len() == groups.len());
    signed.map(|signed| signed.pem()).ok_or_else(|| {
        let refused = |source| IssueError::Refused { common_name: leaf.common_name.clone(), source };
        refused(rcgen::Error::CouldNotParseCertificate).into()
    })
}

/// Makes a request for a certificate to be signed elsewhere. Like kubeadm's it says subject and names; what the certificate
/// may be used for is the signer's to add.
///
/// # Errors
/// When the key cannot sign.
pub fn request(leaf: &Leaf, key: &PrivateKey) -> Result<String, Problem> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&leaf.common_name, leaf.organization.as_deref());
    params.subject_alt_names = leaf.names.sans().map_err(|source| IssueError::refused(&leaf.common_name, source))?;
    write_request(&params, &leaf.common_name, key)
}

/// Makes a request for a successor of a certificate, to be signed elsewhere.
///
/// # Errors
/// When the key cannot sign, or the subject cannot be repeated.
pub(super) fn request_for_successor(old: &Certificate, key: &PrivateKey) -> Result<String, Problem> {
    write_request(&likeness::params(old, &likeness::OF_A_REQUEST)?, &old.common_name, key)
}

fn write_request(params: &CertificateParams, common_name: &str, key: &PrivateKey) -> Result<String, Problem> {
    let written = params.serialize_request(&key.pair).and_then(|request| request.pem());
    Ok(written.map_err(|source| IssueError::refused(common_name, source))?)
}

/// `CA:FALSE`, critical; written by hand, since rcgen would add a subject key identifier, which kubeadm's leaves lack.
fn basic_constraints(release: &Release) -> Vec<CustomExtension> {
    if !release.leaf_has_basic_constraints() {
        return Vec::new();
    }
    let empty_sequence = vec![0x30, 0x00];
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 19], empty_sequence);
    extension.set_criticality(true);
    vec![extension]
}

fn params(common_name: &str, organization: Option<&str>, not_before: Clock) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(common_name, organization);
    params.not_before = moment(not_before);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params
}

fn name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, name_value(organization));
    }
    name.push(DnType::CommonName, name_value(common_name));
    name
}

/// A PrintableString where that can hold the text, as Go writes names.
fn name_value(text: &str) -> DnValue {
    match text.try_into() {
        Ok(printable) => DnValue::PrintableString(printable),
        Err(_) => DnValue::Utf8String(text.to_owned()),
    }
}

/// 63 random bits, never 0.
fn serial(world: &World<'_>) -> SerialNumber {
    let mut bytes = [0; 8];
    world.entropy().bytes(&mut bytes);
    bytes[0] &= 0x7f;
    if bytes == [0; 8] {
        bytes[7] = 1;
    }
    SerialNumber::from_slice(&bytes)
}

fn back(now: Clock) -> Clock {
    Clock(now.0.saturating_sub_unsigned(BACKDATED.as_secs()))
}

fn moment(clock: Clock) -> OffsetDateTime {
    // A certificate cannot say more than the end of the year 9999.
    OffsetDateTime::from_unix_timestamp(clock.0.clamp(0, 253_402_300_799)).expect("the years 1970 to 9999 exist")
}
