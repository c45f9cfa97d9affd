//! A bootstrap token as a Secret in kube-system: the API server knows its holder by it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use crate::config::TokenSpec;
use crate::objects;
use crate::problem::Problem;
use crate::world::{Clock, Identity, World};

/// Creates or updates a token. Says whether anything was changed.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn put_token(spec: &TokenSpec, world: &World<'_>, identity: &Identity) -> Result<bool, Problem> {
    objects::put(world, identity, &token_secret(spec))
}

/// The Secret of a token.
pub fn token_secret(spec: &TokenSpec) -> Secret {
    let mut data = BTreeMap::new();
    let mut set = |key: &str, value: &str| data.insert(key.to_owned(), ByteString(value.as_bytes().to_vec()));
    set("token-id", spec.token.id().as_str());
    set("token-secret", spec.token.secret());
    if !spec.description.is_empty() {
        set("description", &spec.description);
    }
    if let Some(expires) = spec.expires {
        set("expiration", &Clock(expires).rfc3339());
    }
    for usage in &spec.usages {
        set(&format!("usage-bootstrap-{usage}"), "true");
    }
    if !spec.groups.is_empty() {
        set("auth-extra-groups", &spec.groups.join(","));
    }
    Secret {
        metadata: objects::metadata("kube-system", &format!("bootstrap-token-{}", spec.token.id())),
        type_: Some("bootstrap.kubernetes.io/token".to_owned()),
        data: Some(data),
        ..Secret::default()
    }
}
