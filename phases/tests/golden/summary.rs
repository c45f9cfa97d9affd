//! A certificate in the words in which `openssl x509` prints it, as `certificates.txt` has them.

use std::fmt::Write as _;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Name;

/// The lines of one certificate.
pub(crate) fn of(pem: &str) -> String {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let mut text = format!("subject={}\nissuer={}\n", name(certificate.subject()), name(certificate.issuer()));
    extensions(&mut text, &certificate);
    let (bits, key, signature) = match certificate.public_key().parsed().unwrap() {
        PublicKey::RSA(key) => (key.key_size(), "rsaEncryption", "sha256WithRSAEncryption"),
        PublicKey::EC(key) => (key.key_size(), "id-ecPublicKey", "ecdsa-with-SHA256"),
        other => panic!("unexpected key {other:?}"),
    };
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    assert_eq!(oid, if key == "rsaEncryption" { "1.2.840.113549.1.1.11" } else { "1.2.840.10045.4.3.2" });
    writeln!(text, "                Public-Key: ({bits} bit)\n            Public Key Algorithm: {key}").unwrap();
    writeln!(text, "        Signature Algorithm: {signature}\n    Signature Algorithm: {signature}").unwrap();
    text
}

/// The line with the subject.
pub(crate) fn subject(pem: &str) -> String {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    format!("subject={}", name(pem.parse_x509().unwrap().subject()))
}

fn extensions(text: &mut String, certificate: &X509Certificate<'_>) {
    let critical = |yes: bool| if yes { " critical" } else { " " };
    let usage = certificate.key_usage().unwrap().unwrap();
    let flags = [
        (usage.value.digital_signature(), "Digital Signature"),
        (usage.value.key_encipherment(), "Key Encipherment"),
        (usage.value.key_cert_sign(), "Certificate Sign"),
        (usage.value.crl_sign(), "CRL Sign"),
    ];
    writeln!(text, "X509v3 Key Usage:{}\n    {}", critical(usage.critical), chosen(&flags)).unwrap();
    if let Some(usage) = certificate.extended_key_usage().unwrap() {
        let flags = [
            (usage.value.server_auth, "TLS Web Server Authentication"),
            (usage.value.client_auth, "TLS Web Client Authentication"),
        ];
        writeln!(text, "X509v3 Extended Key Usage:{}\n    {}", critical(usage.critical), chosen(&flags)).unwrap();
    }
    if let Some(constraints) = certificate.basic_constraints().unwrap() {
        let ca = constraints.value.ca.to_string().to_uppercase();
        assert_eq!(constraints.value.path_len_constraint, None);
        writeln!(text, "X509v3 Basic Constraints:{}\n    CA:{ca}", critical(constraints.critical)).unwrap();
    }
    if let Some(names) = certificate.subject_alternative_name().unwrap() {
        let names: Vec<String> = names.value.general_names.iter().map(general_name).collect();
        writeln!(text, "X509v3 Subject Alternative Name: \n    {}", names.join(", ")).unwrap();
    }
}

fn chosen(flags: &[(bool, &str)]) -> String {
    flags.iter().filter(|(yes, _)| *yes).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::IPAddress([a, b, c, d]) => format!("IP Address:{a}.{b}.{c}.{d}"),
        GeneralName::IPAddress(bytes) => {
            let words: Vec<String> =
                bytes.chunks(2).map(|pair| format!("{:X}", u16::from_be_bytes([pair[0], pair[1]]))).collect();
            format!("IP Address:{}", words.join(":"))
        }
        other => panic!("unexpected name {other:?}"),
    }
}

fn name(name: &X509Name<'_>) -> String {
    let parts = name.iter_attributes().map(|attribute| {
        let key = if attribute.attr_type().to_id_string() == "2.5.4.10" { "O" } else { "CN" };
        format!("{key} = {}", attribute.as_str().unwrap())
    });
    parts.collect::<Vec<_>>().join(", ")
}
