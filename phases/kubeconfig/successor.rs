//! A kubeconfig whose client certificate was renewed, and one that has a key and waits for its certificate.
//!
//! Pure. All that is not the current user's certificate and key stays as it is: other contexts, the server, extensions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::parse;
use crate::certs::certificate::Certificate;
use crate::certs::found::CaPair;
use crate::problem::Problem;
use crate::world::Secret;
use crate::yaml;

/// The text with another certificate and key for its current user. A CA in it stays where the signer is among its
/// certificates, and is replaced by the signer otherwise, as kubeadm does after the CA was replaced.
///
/// # Errors
/// When the text is no kubeconfig.
pub(crate) fn with_successor(
    text: &str,
    (certificate_pem, key_pem): (&str, &Secret<String>),
    ca: &CaPair,
) -> Result<String, Problem> {
    let found = parse(text)?;
    let mut file: Value = read(text)?;
    let trusted = found.ca_pem().and_then(|pem| Certificate::parse_all(pem).ok()).unwrap_or_default();
    if found.ca_pem().is_some() && !trusted.contains(&ca.certificates[0]) {
        let cluster = entry(&mut file, "clusters", &found.cluster_name, "cluster");
        set(cluster, "certificate-authority-data", &ca.pem());
    }
    let user = entry(&mut file, "users", &found.user, "user");
    set(user, "client-certificate-data", certificate_pem);
    set(entry(&mut file, "users", &found.user, "user"), "client-key-data", key_pem.reveal());
    Ok(yaml::write(&file))
}

/// The key of the current user where there is no certificate beside it.
pub(super) fn lone_key(text: &str) -> Option<Secret<String>> {
    let found = parse(text).ok()?;
    let mut file = read(text).ok()?;
    // Without credentials a user counts for nothing, so that the name comes from the context.
    let current = file["current-context"].as_str()?.to_owned();
    let context = entry(&mut file, "contexts", &current, "context")?;
    let user = context["user"].as_str().unwrap_or(&found.user).to_owned();
    let data = entry(&mut file, "users", &user, "user")?["client-key-data"].as_str()?.to_owned();
    String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok().map(Secret::new)
}

fn read(text: &str) -> Result<Value, Problem> {
    yaml::parse(text).map_err(|error| {
        Problem::new("kubeconfig-damaged", "cannot use the kubeconfig")
            .why(format!("it is no kubeconfig: {error}"))
            .fix("put a valid kubeconfig in its place, or remove it and run the same command again")
    })
}

/// What a named entry of a list holds.
fn entry<'f>(file: &'f mut Value, list: &str, name: &str, inner: &str) -> Option<&'f mut Value> {
    let entries = file.get_mut(list)?.as_array_mut()?;
    entries.iter_mut().find(|entry| entry["name"] == name)?.get_mut(inner)
}

fn set(object: Option<&mut Value>, key: &str, pem: &str) {
    if let Some(Value::Object(object)) = object {
        object.insert(key.to_owned(), json!(STANDARD.encode(pem)));
    }
}
