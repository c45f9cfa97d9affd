//! A bootstrap token as a Secret in kube-system: the API server knows its holder by it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use serde_json::Value;

use super::list;
use crate::config::{BootstrapToken, TokenId, TokenSpec};
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
    let now = world.time().now();
    let mut longest: Option<(Clock, BootstrapToken)> = None;
    world.cluster().each(identity, &list::secrets(), list::QUERY, &mut |secret| {
        let Ok(spec) = token_of(&secret) else { return };
        let may = |usage: &str| spec.usages.iter().any(|known| known == usage);
        // Without an end it is valid for ever.
        let until = spec.expires.map_or(Clock(i64::MAX), Clock);
        let is_usable = may("signing") && may("authentication") && until > now;
        if is_usable && longest.as_ref().is_none_or(|(known, _)| until >= *known) {
            longest = Some((until, spec.token));
        }
    })?;
    Ok(longest.map(|(_, token)| token))
}

/// Where the token with this ID is kept.
pub(crate) fn secret_ref(id: &TokenId) -> ObjectRef {
    ObjectRef::new("v1", "Secret", "kube-system", &format!("bootstrap-token-{id}"))
}

/// The token that a Secret holds, with its usages sorted.
///
/// # Errors
/// Why it holds none. The text does not repeat what may be secret.
pub fn token_of(secret: &Value) -> Result<TokenSpec, String> {
    let text = |key: &str| -> Result<Option<String>, String> {
        let Some(data) = secret["data"][key].as_str() else { return Ok(None) };
        let bytes = STANDARD.decode(data).map_err(|_| format!("its {key} is no base64"))?;
        String::from_utf8(bytes).map(Some).map_err(|_| format!("its {key} is no text"))
    };
    let needed = |key: &str| {
        let found = text(key)?.filter(|found| !found.is_empty());
        found.ok_or_else(|| format!("it has no {key}"))
    };
    let (id, secret_part) = (needed("token-id")?, needed("token-secret")?);
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    if name != format!("bootstrap-token-{id}") {
        return Err(format!("its token-id is {id:?}, so its name should be bootstrap-token-{id}"));
    }
    let token = BootstrapToken::parse(&format!("{id}.{secret_part}")).map_err(|error| error.to_string())?;
    let expires = match text("expiration")?.filter(|moment| !moment.is_empty()) {
        Some(moment) => {
            let read = Clock::parse_rfc3339(&moment);
            Some(read.ok_or_else(|| format!("its expiration {moment:?} is no moment as RFC 3339 has it"))?.0)
        }
        None => None,
    };
    let mut usages = Vec::new();
    for key in secret["data"].as_object().into_iter().flat_map(|data| data.keys()) {
        if let Some(usage) = key.strip_prefix("usage-bootstrap-")
            && text(key)?.as_deref() == Some("true")
        {
            usages.push(usage.to_owned());
        }
    }
    usages.sort();
    let groups = text("auth-extra-groups")?.unwrap_or_default();
    let groups = groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect();
    Ok(TokenSpec { token, description: text("description")?.unwrap_or_default(), expires, usages, groups })
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
