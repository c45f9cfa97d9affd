//! Where random bytes and key pairs come from.

use super::Secret;

/// The port to randomness.
pub trait Entropy {
    /// Fills a buffer with random bytes.
    fn bytes(&self, buffer: &mut [u8]);
    /// Makes a private key, in PEM of the kind kubeadm writes: `RSA PRIVATE KEY` or `EC PRIVATE KEY`. Adapters may have
    /// made some beforehand.
    fn key_pem(&self, algorithm: KeyAlgorithm) -> Secret<String>;
}

/// Kinds of key pairs, as `encryptionAlgorithm` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeyAlgorithm {
    /// `RSA-2048`, kubeadm's default.
    #[default]
    Rsa2048,
    /// `RSA-3072`.
    Rsa3072,
    /// `RSA-4096`.
    Rsa4096,
    /// `ECDSA-P256`.
    EcdsaP256,
    /// `ECDSA-P384`.
    EcdsaP384,
}
