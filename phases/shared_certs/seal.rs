//! Sealing with the certificate key: AES-256-GCM as kubeadm does it, so that either tool opens what the other has sealed.
//!
//! Pure but for the nonce. What is sealed is `nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)`; nothing else is authenticated.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::world::{Entropy, Secret};

/// The certificate key, ready for use. Has no way to be printed.
pub struct Sealer(LessSafeKey);

impl Sealer {
    /// Reads 64 hex digits.
    pub fn parse(key: &Secret<String>) -> Option<Self> {
        let digits = key.reveal().as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> =
            digits.chunks(2).map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?)).collect();
        UnboundKey::new(&AES_256_GCM, &bytes?).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Seals with a fresh nonce: the same text gives other bytes each time.
    pub fn seal(&self, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.bytes(&mut nonce);
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .expect("a file is far below the limit of AES-GCM");
        [nonce.as_slice(), &text].concat()
    }

    /// Opens what was sealed with the same key; `None` for another key, or when a byte was changed.
    pub fn open(&self, sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let plain = self.0.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
        Some(Secret::new(plain.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::FixedEntropy;

    fn a_sealer(key: &str) -> Sealer {
        Sealer::parse(&Secret::new(key.to_owned())).expect("a key")
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let ours = a_sealer(&"a1".repeat(32));
        let entropy = FixedEntropy::default();
        for plain in ["", "a certificate", &"long ".repeat(2000)] {
            let sealed = ours.seal(plain.as_bytes(), &entropy);
            assert_eq!(sealed.len(), 12 + plain.len() + 16);
            assert_eq!(ours.open(&sealed).unwrap().reveal(), plain.as_bytes());
            assert!(a_sealer(&"a2".repeat(32)).open(&sealed).is_none(), "another key");
            assert_ne!(ours.seal(plain.as_bytes(), &entropy), sealed, "another nonce each time");
            for changed in [0, 12, sealed.len() - 1] {
                let mut sealed = sealed.clone();
                sealed[changed] ^= 1;
                assert!(ours.open(&sealed).is_none(), "byte {changed} changed");
            }
        }
        assert!(ours.open(b"").is_none());
        assert!(ours.open(&[0; 20]).is_none());
    }

    #[test]
    fn the_form_is_that_of_the_standard_vector() {
        // The GCM specification's test case 14: an all-zero key, nonce and block.
        let expected = [
            [0; 12].as_slice(),
            &[0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18],
            &[0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19],
        ]
        .concat();
        assert_eq!(a_sealer(&"0".repeat(64)).open(&expected).unwrap().reveal(), &[0; 16]);
    }

    #[test]
    fn a_key_is_64_hex_digits() {
        for text in ["", "abc", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
            assert!(Sealer::parse(&Secret::new(text.to_owned())).is_none(), "{text}");
        }
        assert!(Sealer::parse(&Secret::new("AbCdEf01".repeat(8))).is_some());
    }
}
