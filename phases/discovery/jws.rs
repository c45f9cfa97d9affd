//! The signature of cluster-info: a detached JWS, made with the secret of a bootstrap token.
//!
//! Who knows a token can tell a genuine cluster-info from a forged one before trusting any certificate. The text is
//! byte for byte what the bootstrapsigner controller makes, so the controller finds nothing to change in ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

use crate::config::BootstrapToken;

/// Key of the ConfigMap cluster-info under which the signature with a token lies.
pub fn data_key(token: &BootstrapToken) -> String {
    format!("jws-kubeconfig-{}", token.id())
}

/// The signature of a text with a token, as it is kept: header, nothing, signature.
pub fn sign(content: &str, token: &BootstrapToken) -> String {
    sign_with(content, token.id().as_str(), token.secret())
}

/// Whether a kept signature is that of this text with this token.
pub fn verify(content: &str, token: &BootstrapToken, stored: &str) -> bool {
    sign(content, token) == stored
}

fn sign_with(content: &str, id: &str, secret: &str) -> String {
    // Written by hand: the order of the fields and the absence of spaces are part of what is signed.
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{id}"}}"#));
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let signature = crypto::sign(input.as_bytes(), &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256)
        .expect("HS256 takes a key of any length");
    format!("{header}..{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_kubeadm() {
        for (content, id, secret, expected) in [
            (
                "Hello from the other side. I must have called a thousand times.",
                "joshua",
                "my voice is my passcode",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8",
            ),
            (
                "apiVersion: v1\nkind: Config\n",
                "abcdef",
                "0123456789abcdef",
                "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..vH_kT4yiol-nrAWgjfCYqvum5wsKETXe0S7OOp1VgnE",
            ),
        ] {
            assert_eq!(sign_with(content, id, secret), expected, "{id}");
        }
    }

    #[test]
    fn a_signature_is_good_for_one_text_and_one_token_only() {
        let token = BootstrapToken::parse("abcdef.0123456789abcdef").unwrap();
        let other = BootstrapToken::parse("abcdef.0123456789abcdeg").unwrap();
        let signature = sign("text", &token);
        assert!(verify("text", &token, &signature));
        assert!(!verify("text ", &token, &signature));
        assert!(!verify("text", &other, &signature));
        assert!(!verify("text", &token, ""));
    }
}
