//! A bootstrap token as a Secret in kube-system: the API server knows its holder by it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use crate::config::{BootstrapToken, TokenSpec};
use crate::objects;
use crate::problem::Problem;
use crate::world::{Clock, Identity, ObjectRef, World};

/// Creates or updates a token. Says whether anything was changed.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn put_token(spec: &TokenSpec, world: &World<'_>, identity: &Identity) -> Result<bool, Problem> {
    objects::put(world, identity, &token_secret(spec))
}

/// A token of the cluster that machines can join with now: the one that is valid longest.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn usable_token(world: &World<'_>, identity: &Identity) -> Result<Option<BootstrapToken>, Problem> {
    let secrets = ObjectRef::new("v1", "Secret", "kube-system", "");
    let found = world.cluster().list(identity, &secrets, "fieldSelector=type%3Dbootstrap.kubernetes.io/token")?;
    let now = world.time().now();
    let usable = found.iter().filter_map(|secret| {
        let text = |key: &str| String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok();
        let may = |usage: &str| text(&format!("usage-bootstrap-{usage}")).as_deref() == Some("true");
        // Without an end it is valid for ever.
        let until = text("expiration").map_or(Some(Clock(i64::MAX)), |moment| Clock::parse_rfc3339(&moment))?;
        let token = BootstrapToken::parse(&format!("{}.{}", text("token-id")?, text("token-secret")?)).ok()?;
        (may("signing") && may("authentication") && until > now).then_some((until, token))
    });
    Ok(usable.max_by_key(|(until, _)| *until).map(|(_, token)| token))
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
