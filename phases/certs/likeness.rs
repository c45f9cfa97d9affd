//! What a certificate hands on to its successor: subject, names and usages, as they stand in it.
//!
//! Pure. Keys, validity, serial number and everything about the signer are the successor's own.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::certificate::Certificate;
use super::issue::IssueError;

/// Key usage, subject alternative names, extended key usage.
pub(super) const OF_A_CERTIFICATE: [&[u64]; 3] = [&[2, 5, 29, 15], &[2, 5, 29, 17], &[2, 5, 29, 37]];

/// A request names its names and, as kubeadm's, no usages.
pub(super) const OF_A_REQUEST: [&[u64]; 1] = [&[2, 5, 29, 17]];

/// Parameters with the subject of a certificate, and these of its extensions byte by byte.
///
/// # Errors
/// When the subject cannot be repeated.
pub(super) fn params(old: &Certificate, extensions: &[&[u64]]) -> Result<CertificateParams, IssueError> {
    let unrepeatable = || IssueError::Unrepeatable { common_name: old.common_name.clone() };
    let certificate = old.parsed();
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(certificate.subject()).ok_or_else(unrepeatable)?;
    params.custom_extensions = certificate
        .extensions()
        .iter()
        .filter_map(|extension| {
            let oid: Vec<u64> = extension.oid.iter()?.collect();
            extensions.contains(&oid.as_slice()).then(|| {
                let mut copy = CustomExtension::from_oid_content(&oid, extension.value.to_vec());
                copy.set_criticality(extension.critical);
                copy
            })
        })
        .collect();
    Ok(params)
}

/// Whether two certificates name the same subject, attribute by attribute.
pub(super) fn is_same_subject(one: &Certificate, other: &Certificate) -> bool {
    let attributes = |certificate: &Certificate| {
        let text = |attribute: &AttributeTypeAndValue<'_>| {
            (attribute.attr_type().to_id_string(), attribute.attr_value().data.to_vec())
        };
        certificate.parsed().subject().iter_attributes().map(text).collect::<Vec<_>>()
    };
    attributes(one) == attributes(other)
}

/// `None` when there is a value that is no text, or an attribute too many of one kind.
fn subject(name: &X509Name<'_>) -> Option<DistinguishedName> {
    let mut copy = DistinguishedName::new();
    for attribute in name.iter_attributes() {
        let oid: Vec<u64> = attribute.attr_type().iter()?.collect();
        let plain = match oid.as_slice() {
            [2, 5, 4, 3] => DnType::CommonName,
            [2, 5, 4, 10] => DnType::OrganizationName,
            _ => DnType::CustomDnType(oid.clone()),
        };
        // The library keeps one value of a kind. Under its number the same kind counts as another one, so that two groups
        // of a user can be kept.
        let kind = if copy.get(&plain).is_none() { plain } else { DnType::CustomDnType(oid) };
        if copy.get(&kind).is_some() {
            return None;
        }
        let text = attribute.as_str().ok()?;
        let value = match attribute.attr_value().tag().0 {
            19 => DnValue::PrintableString(text.try_into().ok()?),
            22 => DnValue::Ia5String(text.try_into().ok()?),
            _ => DnValue::Utf8String(text.to_owned()),
        };
        copy.push(kind, value);
    }
    Some(copy)
}
