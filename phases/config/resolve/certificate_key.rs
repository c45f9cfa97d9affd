//! The certificate key: the given one or a random one, and whether there is anything to seal with it.

use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{ClusterConfig, Layout};
use crate::problem::Problem;
use crate::world::{Entropy, Host, Secret};

/// The key that was given, if one was. Its text is never repeated.
pub(super) fn given(draft: &Draft, setting: Setting, findings: &mut Findings) -> Option<Secret<String>> {
    let (key, origin) = draft.text(setting)?;
    check(key, origin, findings);
    Some(Secret::new(key.to_owned()))
}

/// Whether a text is a key.
pub(super) fn check(key: &str, origin: &Origin, findings: &mut Findings) {
    if key.len() != 64 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut finding = Problem::new("config-bad-certificate-key", "the certificate key cannot be used")
            .why("it must be 64 hex digits, that is 32 bytes")
            .fix("a new one: kubestrap certs certificate-key");
        finding.place = origin.place();
        findings.add(finding);
    }
}

/// 32 random bytes as hex digits.
pub(super) fn random(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 32];
    entropy.bytes(&mut bytes);
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Who keeps the key of a CA elsewhere cannot hand it on.
pub(super) fn check_authorities(
    cluster: &ClusterConfig,
    host: &dyn Host,
    findings: &mut Findings,
) -> Result<(), Problem> {
    let layout = Layout::new(&cluster.certificates_dir);
    for (ca, title) in [("ca", "the Kubernetes CA"), ("front-proxy-ca", "the front-proxy CA")] {
        let (certificate, key) = (layout.certificate(&format!("{ca}.crt")), layout.certificate(&format!("{ca}.key")));
        if host.stat(&certificate)?.is_some() && host.stat(&key)?.is_none() {
            findings.add(
                Problem::new("config-upload-without-key", format!("{title} cannot be uploaded: its key is not here"))
                    .at(key.display().to_string())
                    .why("with the key of a CA kept elsewhere, each control-plane node is given its own certificates")
                    .fix(format!("put the key in place: {}", key.display()))
                    .fix("or leave --upload-certs out, and copy the certificates to further control-plane nodes"),
            );
        }
    }
    Ok(())
}
