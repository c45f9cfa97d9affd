//! Certificates that the user has put in place: made by other tools, of other kinds, for other times; each is used, or
//! refused with its one cause. And the kinds of keys that a configuration can ask for.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;

use super::*;
use crate::certs::certificate::Certificate;
use crate::config::Init;
use crate::support::files::{changed, client, machine, made, text};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};
use crate::support::{Bench, FixedEntropy, NOW};
use crate::world::Clock;

const DAY: i64 = 24 * 3600;

/// A CA and an API server's certificate as another tool makes them.
struct Placed {
    ca_key: String,
    key: String,
    names: Vec<String>,
    /// Days from now.
    from: i64,
    until: i64,
}

impl Default for Placed {
    fn default() -> Self {
        let names = ["n1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let more = ["kubernetes.default.svc.cluster.local", "10.96.0.1", "10.77.0.11"];
        Self {
            ca_key: FixedEntropy::RSA[6].to_owned(),
            key: FixedEntropy::RSA[7].to_owned(),
            names: names.into_iter().chain(more).map(str::to_owned).collect(),
            from: -100,
            until: 265,
        }
    }
}

impl Placed {
    /// `ca.crt`, `apiserver.crt`.
    fn certificates(&self) -> [String; 2] {
        let moment = |days: i64| OffsetDateTime::from_unix_timestamp(NOW.0 + days * DAY).unwrap();
        let ca_key = KeyPair::from_pem(&self.ca_key).unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, "company");
        (ca.not_before, ca.not_after) = (moment(-1000), moment(1000));
        let mut leaf = CertificateParams::new(self.names.clone()).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (leaf.not_before, leaf.not_after) = (moment(self.from), moment(self.until));
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::from_params(&ca, &ca_key);
        [ca_pem, leaf.signed_by(&KeyPair::from_pem(&self.key).unwrap(), &issuer).unwrap().pem()]
    }

    /// A machine that has nothing but CA and API server's certificate, changed here and there.
    fn machine(&self, with: &[(&str, &str)]) -> Bench {
        let [ca, leaf] = self.certificates();
        let mut files = vec![
            ("pki/ca.crt", ca.as_str()),
            ("pki/ca.key", &self.ca_key),
            ("pki/apiserver.crt", &leaf),
            ("pki/apiserver.key", &self.key),
        ];
        files.retain(|(name, _)| with.iter().all(|(changed, _)| changed != name));
        files.extend(with);
        machine(&Bench::default(), &[], &files)
    }
}

fn run(bench: &Bench, job: &Init) -> Result<(), Problem> {
    bench.run(&Step::Phase(&table::CA), job)?;
    bench.run(&Step::Phase(&table::APISERVER), job)
}

#[test]
fn keys_of_every_kind_and_form_are_used_and_sign_what_is_missing() {
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    let [rsa_3072, rsa_4096, sec1_p384] = FixedEntropy::OTHERS;
    for (name, ca_key, key) in [
        ("RSA-4096, PKCS#1", rsa_4096, rsa_3072),
        ("RSA, PKCS#8", FixedEntropy::PKCS8[0], FixedEntropy::PKCS8[0]),
        ("ECDSA P-256, SEC1", FixedEntropy::ECDSA[0], FixedEntropy::ECDSA[1]),
        ("ECDSA P-384, SEC1", sec1_p384, sec1_p384),
        ("ECDSA P-384, PKCS#8", &p384, &p384),
        ("ECDSA under RSA", rsa_4096, FixedEntropy::ECDSA[0]),
        ("RSA under ECDSA", FixedEntropy::ECDSA[0], FixedEntropy::PKCS8[0]),
    ] {
        let placed = Placed { ca_key: ca_key.to_owned(), key: key.to_owned(), ..Placed::default() };
        let (bench, job) = (placed.machine(&[]), default_init(V1_20));
        run(&bench, &job).expect(name);
        assert_eq!((bench.overlay.changes(), bench.recorder.lines()), (Vec::new(), Vec::new()), "{name}");
        bench.run(&Step::CERTS, &job).expect(name);
        bench.run(&Step::KUBECONFIG, &job).expect(name);
        let [ca, _] = placed.certificates();
        let ca = Certificate::parse_all(&ca).unwrap().remove(0);
        assert!(client(&bench, "admin.conf").0.is_signed_by(&ca), "{name}");
        assert!(!changed(&bench).iter().any(|file| file.contains("apiserver.")), "{name}");
    }
}

#[test]
fn more_names_than_are_needed_do_no_harm() {
    let mut placed = Placed::default();
    placed.names.extend(["api.example.com".to_owned(), "*.example.org".to_owned(), "2001:db8::1".to_owned()]);
    let bench = placed.machine(&[]);
    run(&bench, &default_init(V1_20)).unwrap();
    assert_eq!((bench.overlay.changes(), bench.recorder.lines()), (Vec::new(), Vec::new()));
}

#[test]
fn what_cannot_be_used_is_refused_with_its_one_cause() {
    let other = Placed { ca_key: FixedEntropy::RSA[3].to_owned(), ..Placed::default() };
    let [other_ca, of_other] = other.certificates();
    let [plain_ca, _] = Placed::default().certificates();
    let (early, late) = (Placed { from: 1, ..Placed::default() }, Placed { until: -1, ..Placed::default() });
    let another_key = ("pki/apiserver.key", FixedEntropy::RSA[2]);
    let no_key = include_str!("../../testdata/keys/README.md");
    for (name, placed, with, id, file, why) in [
        ("not yet valid", &early, vec![], "certificate-not-yet-valid", "apiserver.crt", "2026-01-03"),
        ("expired", &late, vec![], "certificate-expired", "apiserver.crt", "2026-01-01"),
        (
            "other CA",
            &other,
            vec![("pki/ca.crt", plain_ca.as_str()), ("pki/ca.key", FixedEntropy::RSA[6])],
            "certificate-other-ca",
            "apiserver.crt",
            "company",
        ),
        (
            "signed by another",
            &Placed::default(),
            vec![("pki/apiserver.crt", of_other.as_str())],
            "certificate-other-ca",
            "apiserver.crt",
            "company",
        ),
        (
            "wrong key",
            &Placed::default(),
            vec![another_key],
            "certificate-key-mismatch",
            "apiserver.crt",
            "apiserver.key",
        ),
        (
            "wrong CA key",
            &Placed::default(),
            vec![("pki/ca.crt", other_ca.as_str())],
            "certificate-key-mismatch",
            "ca.crt",
            "ca.key",
        ),
        (
            "no key at all",
            &Placed::default(),
            vec![("pki/apiserver.key", no_key)],
            "certificate-damaged",
            "apiserver.key",
            "PEM",
        ),
    ] {
        let bench = placed.machine(&with);
        let problem = run(&bench, &default_init(V1_20)).expect_err(name);
        let place = format!("/etc/kubernetes/pki/{file}");
        assert_eq!((problem.id.as_str(), problem.place), (id, Some(place)), "{name}");
        assert!(problem.why.contains(why), "{name}: {}", problem.why);
        assert!(!problem.fixes.is_empty(), "{name}");
        assert_eq!(bench.overlay.changes(), [], "{name}");
    }
}

#[test]
fn one_that_expires_soon_is_used_with_a_warning_and_a_short_lived_one_without() {
    for (from, until, is_told) in [(-300, 29, true), (-300, 31, false), (-1, 10, false), (-10, 1, true)] {
        let bench = Placed { from, until, ..Placed::default() }.machine(&[]);
        run(&bench, &default_init(V1_20)).unwrap();
        let lines = bench.recorder.lines();
        assert_eq!(
            lines.iter().any(|line| line.contains("apiserver.crt expires soon")),
            is_told,
            "{from} {until}: {lines:?}"
        );
    }
}

#[test]
fn a_service_account_key_made_by_hand_is_kept_and_its_public_half_added() {
    let job = default_init(V1_20);
    for key in [FixedEntropy::OTHERS[1], FixedEntropy::ECDSA[0], FixedEntropy::PKCS8[0]] {
        let bench = machine(&Bench::default(), &[], &[("pki/sa.key", key)]);
        bench.run(&Step::Phase(&ServiceAccountKeys), &job).unwrap();
        assert_eq!(changed(&bench), ["pki/sa.pub"]);
        assert_eq!(text(&bench, "pki/sa.pub"), PrivateKey::parse(key).unwrap().public_pem());
    }
    // Several public keys may lie in one file while the key is being replaced: that is the owner's business.
    let public = format!("{0}{0}", PrivateKey::parse(FixedEntropy::RSA[0]).unwrap().public_pem());
    let bench = machine(&Bench::default(), &[], &[("pki/sa.key", FixedEntropy::RSA[1]), ("pki/sa.pub", &public)]);
    bench.run(&Step::Phase(&ServiceAccountKeys), &job).unwrap();
    assert_eq!(bench.overlay.changes(), []);
}

#[test]
fn the_kind_of_key_that_was_asked_for_is_everyones_kubeconfigs_included() {
    use x509_parser::public_key::PublicKey;
    for (algorithm, bits, label, signature) in [
        (KeyAlgorithm::Rsa2048, 2048, "RSA", "1.2.840.113549.1.1.11"),
        (KeyAlgorithm::Rsa3072, 3072, "RSA", "1.2.840.113549.1.1.11"),
        (KeyAlgorithm::Rsa4096, 4096, "RSA", "1.2.840.113549.1.1.11"),
        (KeyAlgorithm::EcdsaP256, 256, "EC", "1.2.840.10045.4.3.2"),
        (KeyAlgorithm::EcdsaP384, 384, "EC", "1.2.840.10045.4.3.3"),
    ] {
        let mut job = default_init(V1_36);
        job.cluster.key_algorithm = algorithm;
        let bench = made(&job);
        let mut pairs = Vec::new();
        for name in ["ca", "front-proxy-ca", "etcd/ca"].into_iter().chain(table::LEAVES.iter().map(|spec| spec.file)) {
            let pem = text(&bench, &format!("pki/{name}.crt"));
            pairs.push((
                name,
                Certificate::parse_all(&pem).unwrap().remove(0),
                text(&bench, &format!("pki/{name}.key")),
            ));
        }
        for file in ["admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"] {
            let (certificate, key) = client(&bench, file);
            pairs.push((file, certificate, key));
        }
        for (name, certificate, key) in pairs {
            let found = certificate.parsed();
            let size = match found.public_key().parsed().unwrap() {
                PublicKey::RSA(key) => key.key_size(),
                PublicKey::EC(key) => key.key_size(),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(size, bits, "{name} {algorithm:?}");
            assert_eq!(found.signature_algorithm.algorithm.to_id_string(), signature, "{name} {algorithm:?}");
            assert!(key.starts_with(&format!("-----BEGIN {label} PRIVATE KEY-----\n")), "{name} {algorithm:?}");
        }
        assert!(text(&bench, "pki/sa.key").starts_with(&format!("-----BEGIN {label} PRIVATE KEY-----\n")));
    }
}

#[test]
fn validity_is_what_was_asked_for_kubeconfigs_included() {
    let mut job = custom_init(V1_36);
    job.cluster.certificate_validity = Duration::from_secs(36 * 3600);
    job.cluster.ca_validity = Duration::from_secs(72 * 3600);
    let bench = made(&job);
    let until = |hours: i64| Clock(NOW.0 + hours * 3600);
    for (name, hours) in [("ca", 72), ("etcd/ca", 72), ("front-proxy-ca", 72), ("apiserver", 36), ("etcd/peer", 36)] {
        assert_eq!(crate::support::files::certificate(&bench, name).not_after, until(hours), "{name}");
    }
    for file in ["admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"] {
        assert_eq!(client(&bench, file).0.not_after, until(36), "{file}");
    }
}
