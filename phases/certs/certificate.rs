//! Certificate and private key: what is in a PEM text, and whether one was signed by the other.
//!
//! Reads PEM and DER, touches no file. Keys may be PKCS#1, SEC1 or PKCS#8, as kubeadm's readers accept them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::PublicKeyData as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::AttributeTypeAndValue;

use crate::world::{Clock, Secret, sha256_hex};

/// A text that is no certificate or no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// No block of the wanted kind.
    #[error("it holds no PEM block {0}")]
    NoBlock(&'static str),
    /// A PEM block is cut off or is no base64.
    #[error("its PEM block is damaged: {0}")]
    Damaged(String),
    /// The DER inside is no certificate.
    #[error("what is inside is no X.509 certificate: {0}")]
    NoCertificate(String),
    /// The DER inside is no key of a kind that can be used.
    #[error("what is inside is no RSA or ECDSA key: {0}")]
    NoKey(String),
}

/// A certificate with the facts that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// Common name of the subject; empty when there is none.
    pub common_name: String,
    /// Organisations of the subject.
    pub organizations: Vec<String>,
    /// Common name of the issuer; empty when there is none.
    pub issuer: String,
    /// DNS names and IP addresses it is valid for, as text.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Clock,
    /// Valid until.
    pub not_after: Clock,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// SHA-256 of its public key (DER SubjectPublicKeyInfo), in lower-case hex.
    pub key_sha256: String,
}

impl Certificate {
    /// All certificates of a PEM text, at least one; other blocks are passed over.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn parse_all(pem: &str) -> Result<Vec<Self>, PemError> {
        let found = blocks(pem)?.into_iter().filter(|block| block.label == "CERTIFICATE");
        let found = found.map(|block| Self::from_der(block.contents)).collect::<Result<Vec<_>, _>>()?;
        if found.is_empty() { Err(PemError::NoBlock("CERTIFICATE")) } else { Ok(found) }
    }

    pub(super) fn from_der(der: Vec<u8>) -> Result<Self, PemError> {
        let mut facts = Self::facts(&Self::x509(&der).map_err(PemError::NoCertificate)?);
        facts.der = der;
        Ok(facts)
    }

    /// Everything but the bytes.
    fn facts(certificate: &X509Certificate<'_>) -> Self {
        let texts = |attributes: &mut dyn Iterator<Item = &AttributeTypeAndValue<'_>>| {
            attributes.filter_map(|attribute| attribute.as_str().ok().map(str::to_owned)).collect::<Vec<_>>()
        };
        let names = certificate.subject_alternative_name().ok().flatten();
        Self {
            der: Vec::new(),
            common_name: texts(&mut certificate.subject().iter_common_name()).pop().unwrap_or_default(),
            organizations: texts(&mut certificate.subject().iter_organization()),
            issuer: texts(&mut certificate.issuer().iter_common_name()).pop().unwrap_or_default(),
            names: names.iter().flat_map(|names| &names.value.general_names).filter_map(name_text).collect(),
            not_before: Clock(certificate.validity().not_before.timestamp()),
            not_after: Clock(certificate.validity().not_after.timestamp()),
            is_ca: certificate.is_ca(),
            key_sha256: sha256_hex(certificate.public_key().raw),
        }
    }

    fn x509(der: &[u8]) -> Result<X509Certificate<'_>, String> {
        X509Certificate::from_der(der).map(|(_, certificate)| certificate).map_err(|error| error.to_string())
    }

    /// The certificate in all its parts.
    pub(super) fn parsed(&self) -> X509Certificate<'_> {
        Self::x509(&self.der).expect("it was parsed when it was read")
    }

    /// DER bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM, alone.
    pub fn pem(&self) -> String {
        pem_text("CERTIFICATE", &self.der)
    }

    /// Whether this one's signature was made with the issuer's key, and names it.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Ok(certificate), Ok(issuer)) = (Self::x509(&self.der), Self::x509(&issuer.der)) else { return false };
        certificate.issuer().as_raw() == issuer.subject().as_raw()
            && certificate.verify_signature(Some(issuer.public_key())).is_ok()
    }

    /// Whether it belongs to this key.
    pub fn belongs_to(&self, key: &PrivateKey) -> bool {
        self.key_sha256 == sha256_hex(&key.pair.subject_public_key_info())
    }
}

/// A private key, with the text it came from. Prints as `<hidden>`.
pub struct PrivateKey {
    pub(super) pair: rcgen::KeyPair,
    pem: Secret<String>,
}

impl PrivateKey {
    /// Reads the first private key of a PEM text.
    ///
    /// # Errors
    /// When there is none, or it is of a kind that cannot be used.
    pub fn parse(pem: &str) -> Result<Self, PemError> {
        // `openssl ecparam -genkey` puts a block with the parameters before the key.
        let wanted = |block: &Pem| matches!(block.label.as_str(), "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY");
        let block = blocks(pem)?.into_iter().find(wanted).ok_or(PemError::NoBlock("PRIVATE KEY"))?;
        let pair =
            rcgen::KeyPair::try_from(block.contents.as_slice()).map_err(|error| PemError::NoKey(error.to_string()))?;
        Ok(Self { pair, pem: Secret::new(pem.to_owned()) })
    }

    /// The text it came from.
    pub fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The public half, as `PUBLIC KEY`.
    pub fn public_pem(&self) -> String {
        pem_text("PUBLIC KEY", &self.pair.subject_public_key_info())
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<hidden>")
    }
}

fn blocks(pem: &str) -> Result<Vec<Pem>, PemError> {
    if pem.trim().is_empty() {
        return Err(PemError::Empty);
    }
    Pem::iter_from_buffer(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PemError::Damaged(error.to_string()))
}

/// One PEM block, 64 characters a line.
fn pem_text(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
