//! Random bytes and private keys from aws-lc, keys made ahead in the background.
//!
//! Making an RSA key takes tens of milliseconds to seconds, and a control plane needs a dozen. So threads make them while
//! the run still looks around, and a phase takes a ready one. Keys are in the PEM form that kubeadm writes: `RSA PRIVATE
//! KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC1).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{self, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubestrap_phases::world::{Entropy, KeyAlgorithm, Secret};

/// What holds when the kernel gives random bytes and there is memory; nothing can be done without either.
const WORKS: &str = "the system gives random bytes and memory";

/// The kernel's randomness.
#[derive(Default)]
pub(crate) struct Real {
    ahead: Option<Ahead>,
}

/// Keys that are being made.
struct Ahead {
    algorithm: KeyAlgorithm,
    left: Cell<usize>,
    ready: Receiver<Secret<String>>,
    /// How many were begun.
    begun: Arc<AtomicUsize>,
    makers: Vec<JoinHandle<()>>,
}

/// A thread inside the crypto library must not outlive the library's own end at the end of the program.
impl Drop for Ahead {
    fn drop(&mut self) {
        self.begun.store(usize::MAX / 2, Ordering::Relaxed);
        for maker in self.makers.drain(..) {
            // A maker that panicked has made no key; nobody waits for it here.
            let _ = maker.join();
        }
    }
}

impl Real {
    /// Starts making this many keys, on as many threads as there are CPUs.
    pub(crate) fn with_keys_ahead(algorithm: KeyAlgorithm, count: usize) -> Self {
        let (made, ready) = mpsc::channel();
        let begun = Arc::new(AtomicUsize::new(0));
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let maker = |_| {
            let (made, begun) = (made.clone(), Arc::clone(&begun));
            std::thread::spawn(move || {
                // Ends early when nobody wants keys any more.
                while begun.fetch_add(1, Ordering::Relaxed) < count && made.send(key_pem(algorithm)).is_ok() {}
            })
        };
        let makers = (0..cpus.min(count)).map(maker).collect();
        Self { ahead: Some(Ahead { algorithm, left: Cell::new(count), ready, begun, makers }) }
    }
}

impl Entropy for Real {
    fn bytes(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).expect(WORKS);
    }

    fn key_pem(&self, algorithm: KeyAlgorithm) -> Secret<String> {
        if let Some(ahead) = &self.ahead
            && ahead.algorithm == algorithm
            && ahead.left.get() > 0
            && let Ok(key) = ahead.ready.recv()
        {
            ahead.left.set(ahead.left.get() - 1);
            return key;
        }
        key_pem(algorithm)
    }
}

fn key_pem(algorithm: KeyAlgorithm) -> Secret<String> {
    let made = match algorithm {
        KeyAlgorithm::Rsa2048 => rsa_pem(KeySize::Rsa2048),
        KeyAlgorithm::Rsa3072 => rsa_pem(KeySize::Rsa3072),
        KeyAlgorithm::Rsa4096 => rsa_pem(KeySize::Rsa4096),
        KeyAlgorithm::EcdsaP256 => ec_pem(&agreement::ECDH_P256),
        KeyAlgorithm::EcdsaP384 => ec_pem(&agreement::ECDH_P384),
    };
    made.expect(WORKS)
}

fn rsa_pem(size: KeySize) -> Result<Secret<String>, Unspecified> {
    let pkcs8: Pkcs8V1Der<'_> = rsa::KeyPair::generate(size)?.as_der()?;
    let pkcs1 = pkcs8_key(pkcs8.as_ref()).expect("a key in PKCS#8 holds the key");
    Ok(pem("RSA PRIVATE KEY", pkcs1))
}

/// A key on a curve is the same for ECDSA and ECDH; aws-lc writes SEC1, with the curve's name in it, for the latter.
fn ec_pem(curve: &'static agreement::Algorithm) -> Result<Secret<String>, Unspecified> {
    let sec1: EcPrivateKeyRfc5915Der<'_> = agreement::PrivateKey::generate(curve)?.as_der()?;
    Ok(pem("EC PRIVATE KEY", sec1.as_ref()))
}

/// The algorithm's own form of a key inside PKCS#8: `SEQUENCE { INTEGER version, SEQUENCE algorithm, OCTET STRING key }`.
fn pkcs8_key(der: &[u8]) -> Option<&[u8]> {
    let (inside, _) = element(der, 0x30)?;
    let (_version, rest) = element(inside, 0x02)?;
    let (_algorithm, rest) = element(rest, 0x30)?;
    let (key, _) = element(rest, 0x04)?;
    Some(key)
}

/// One DER element with the given tag at the beginning: its content, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if short < 0x80 {
        return rest.split_at_checked(usize::from(short));
    }
    // Long form: the number of length bytes, then the length, highest byte first.
    let (length, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
    if length.len() > 4 {
        return None;
    }
    let length = length.iter().fold(0_usize, |length, &byte| (length << 8) | usize::from(byte));
    rest.split_at_checked(length)
}

fn pem(label: &str, der: &[u8]) -> Secret<String> {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    Secret::new(pem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use kubestrap_phases::world::{Command, Host, HostError, Output};

    use super::*;
    use crate::host::Linux;

    const ALL: [(KeyAlgorithm, &str, &str); 5] = [
        (KeyAlgorithm::Rsa2048, "RSA", "2048 bit"),
        (KeyAlgorithm::Rsa3072, "RSA", "3072 bit"),
        (KeyAlgorithm::Rsa4096, "RSA", "4096 bit"),
        (KeyAlgorithm::EcdsaP256, "EC", "prime256v1"),
        (KeyAlgorithm::EcdsaP384, "EC", "secp384r1"),
    ];

    fn openssl(command: &Command) -> Result<Output, HostError> {
        Linux::new(Path::new("/nowhere")).ask(command)
    }

    #[test]
    fn keys_are_in_the_form_kubeadm_writes_and_rcgen_takes_them() {
        for (algorithm, label, _) in ALL {
            let key = Real::default().key_pem(algorithm);
            let text = key.reveal();
            assert!(text.starts_with(&format!("-----BEGIN {label} PRIVATE KEY-----\n")), "{algorithm:?}");
            assert!(text.ends_with(&format!("\n-----END {label} PRIVATE KEY-----\n")), "{algorithm:?}");
            assert!(text.lines().all(|line| line.len() <= 64), "{algorithm:?}");
            if let Err(error) = rcgen::KeyPair::from_pem(text) {
                panic!("{algorithm:?}: {error}");
            }
        }
    }

    #[test]
    fn openssl_takes_the_keys_where_it_is_installed() {
        let installed = openssl(&Command::new(&["openssl", "version"])).is_ok();
        for (algorithm, label, size) in ALL.into_iter().filter(|_| installed) {
            let input = Some(Real::default().key_pem(algorithm).reveal().clone());
            let words = ["openssl", "pkey", "-noout", "-text", "-check"].map(str::to_owned).to_vec();
            let output = openssl(&Command { words, input }).unwrap();
            assert_eq!(output.code, 0, "{algorithm:?}: {}", output.stderr);
            assert!(
                output.stdout.contains(size),
                "{algorithm:?} {label}: {}",
                output.stdout.lines().next().unwrap_or("")
            );
        }
    }

    #[test]
    fn keys_made_ahead_and_keys_beyond_them_are_all_different() {
        let entropy = Real::with_keys_ahead(KeyAlgorithm::EcdsaP256, 5);
        let keys: BTreeSet<String> =
            (0..8).map(|_| entropy.key_pem(KeyAlgorithm::EcdsaP256).reveal().clone()).collect();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn a_key_of_another_kind_is_made_at_once() {
        let entropy = Real::with_keys_ahead(KeyAlgorithm::EcdsaP256, 1);
        assert!(entropy.key_pem(KeyAlgorithm::Rsa2048).reveal().contains("RSA PRIVATE KEY"));
        assert!(entropy.key_pem(KeyAlgorithm::EcdsaP256).reveal().contains("EC PRIVATE KEY"));
    }

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        Real::default().bytes(&mut one);
        Real::default().bytes(&mut two);
        assert_ne!(one, two);
    }

    #[test]
    fn what_is_no_der_is_not_read() {
        for (name, der) in [
            ("nothing", &[][..]),
            ("another tag", &[0x31, 0x00]),
            ("cut off", &[0x30, 0x05, 0x02, 0x01]),
            ("a length that is too long", &[0x30, 0x85, 1, 1, 1, 1, 1]),
            ("a length cut off", &[0x30, 0x82, 0x01]),
        ] {
            assert_eq!(pkcs8_key(der), None, "{name}");
        }
    }
}
