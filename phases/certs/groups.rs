//! A client certificate of somebody who is in several groups: one subject with several organisations, which rcgen cannot
//! write. Takes a certificate without any, puts them into its subject as Go does (one set), and has the CA sign it anew.

use rcgen::string::PrintableString;
use rcgen::{KeyPair, SigningKey as _};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BIT_STRING: u8 = 0x03;
const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0c;
/// The attribute organizationName, 2.5.4.10, as an element.
const ORGANIZATION: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x0a];
/// Where the subject stands in what is signed: version, serial, algorithm, issuer, validity, subject.
const SUBJECT: usize = 5;

/// The certificate with these organisations, in DER. `None` when what is given is no certificate, or the key cannot sign.
pub(super) fn with_organizations(certificate: &[u8], organizations: &[String], ca: &KeyPair) -> Option<Vec<u8>> {
    let [signed, algorithm, _signature] = elements(content(certificate)?)?.try_into().ok()?;
    let mut fields: Vec<Vec<u8>> = elements(content(signed)?)?.into_iter().map(<[u8]>::to_vec).collect();
    let subject = fields.get_mut(SUBJECT)?;
    let names = content(subject)?.to_vec();
    *subject = element(SEQUENCE, &[set_of(organizations), names].concat());
    let signed = element(SEQUENCE, &fields.concat());
    let signature = element(BIT_STRING, &[vec![0], ca.sign(&signed).ok()?].concat());
    Some(element(SEQUENCE, &[signed, algorithm.to_vec(), signature].concat()))
}

/// One set, its members sorted by their bytes as DER demands.
fn set_of(organizations: &[String]) -> Vec<u8> {
    let mut members: Vec<Vec<u8>> = organizations
        .iter()
        .map(|name| {
            let is_printable = PrintableString::try_from(name.as_str()).is_ok();
            let text = element(if is_printable { PRINTABLE_STRING } else { UTF8_STRING }, name.as_bytes());
            element(SEQUENCE, &[ORGANIZATION.to_vec(), text].concat())
        })
        .collect();
    members.sort();
    members.dedup();
    element(SET, &members.concat())
}

/// Tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|&byte| byte == 0).collect();
    let length = match content.len() {
        short @ 0..128 => vec![u8::try_from(short).expect("below 128")],
        _ => [vec![0x80 | u8::try_from(significant.len()).expect("at most 8")], significant].concat(),
    };
    [vec![tag], length, content.to_vec()].concat()
}

/// The elements that stand side by side.
fn elements(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (head, length) = measure(bytes)?;
        let (element, rest) = bytes.split_at_checked(head.checked_add(length)?)?;
        found.push(element);
        bytes = rest;
    }
    Some(found)
}

/// What is inside the first element.
fn content(bytes: &[u8]) -> Option<&[u8]> {
    let (head, length) = measure(bytes)?;
    bytes.get(head..head.checked_add(length)?)
}

/// Size of tag and length, and the length.
fn measure(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*bytes.get(1)?);
    if first < 128 {
        return Some((2, first));
    }
    let count = first - 128;
    let digits = bytes.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
    Some((2 + count, digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let written = element(SEQUENCE, &vec![7; length]);
            assert_eq!(content(&written).map(<[u8]>::len), Some(length), "{length}");
            assert_eq!(elements(&written).map(|found| found.len()), Some(1), "{length}");
        }
        for damaged in
            [&[][..], &[0x30], &[0x30, 0x02, 0x00], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 0], &[0x30, 0x82, 1]]
        {
            assert_eq!(content(damaged), None, "{damaged:?}");
        }
    }
}
