//! Phase `upload-certs` of init: keeps the shared certificates and keys in the cluster, sealed with the certificate key.
//!
//! Reads the files; writes the Secret `kubeadm-certs`, a token Secret that owns it and expires after two hours, and the
//! Role with which joining nodes read it. The token cleaner removes the token, and garbage collection what it owns.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::Value;

use super::{SECRET, Sealer, SharedFile, needed, shared_files};
use crate::bootstrap_token::{put_token, token_secret};
use crate::cluster_admins::{self, administrator};
use crate::config::{BootstrapToken, Init, TokenSpec};
use crate::objects;
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::world::{Clock, Identity, ObjectRef, World};

const RBAC: &str = include_str!("../../templates/rbac/kubeadm-certs.yaml");
/// By this text kubeadm's own token is known too.
const DESCRIPTION: &str = "Proxy for managing TTL for the kubeadm-certs secret";
const KEPT_FOR: Duration = Duration::from_secs(2 * 3600);
/// Who uploads again wants the two hours anew; a run that goes on after a break keeps what it has made.
const STILL_NEW: Duration = Duration::from_secs(110 * 60);

/// The phase.
pub struct UploadCerts;

impl Phase<Init> for UploadCerts {
    fn name(&self) -> &'static str {
        "upload-certs"
    }

    fn about(&self) -> &'static str {
        "keep the shared certificates in the cluster for two hours, sealed"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        [cluster_admins::needs(job), needed(&job.cluster, &job.node.layout)].concat()
    }

    fn verdict(&self, job: &Init) -> Verdict {
        match job.certificate_key {
            Some(_) => Verdict::Run,
            None => Verdict::Skip("--upload-certs is not given".to_owned()),
        }
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let Some(sealer) = job.certificate_key.as_ref().and_then(Sealer::parse) else { return Ok(()) };
        let admin = administrator(job, world)?;
        let plain = read(&shared_files(&job.cluster, &job.node.layout), world)?;
        let found: Option<SecretObject> = objects::get(world, &admin, "kube-system", SECRET)?;
        let owner = match young_owner(world, &admin)? {
            Some(owner) => owner,
            None => new_owner(world, &admin)?,
        };
        if !found.is_some_and(|found| holds(&found, &plain, &sealer, &owner)) {
            objects::put(world, &admin, &sealed(&plain, &sealer, owner, world))?;
        }
        objects::put_all(world, &admin, RBAC)?;
        world.note(&format!("Secret kube-system/{SECRET}, for 2 h"));
        Ok(())
    }
}

/// The files by their keys in the Secret; one that is not there is empty, as kubeadm has it.
fn read(files: &[SharedFile], world: &World<'_>) -> Result<BTreeMap<&'static str, Vec<u8>>, Problem> {
    let read = |file: &SharedFile| {
        let is_named = !file.path.as_os_str().is_empty();
        let bytes = if is_named { world.host().read(&file.path)? } else { None };
        Ok((file.entry, bytes.unwrap_or_default()))
    };
    files.iter().map(read).collect()
}

fn sealed(
    plain: &BTreeMap<&'static str, Vec<u8>>,
    sealer: &Sealer,
    owner: OwnerReference,
    world: &World<'_>,
) -> SecretObject {
    let seal = |bytes: &Vec<u8>| match bytes.as_slice() {
        [] => Vec::new(),
        bytes => sealer.seal(bytes, world.entropy()),
    };
    let mut metadata = objects::metadata("kube-system", SECRET);
    metadata.owner_references = Some(vec![owner]);
    SecretObject {
        metadata,
        type_: Some("Opaque".to_owned()),
        data: Some(plain.iter().map(|(&entry, bytes)| (entry.to_owned(), ByteString(seal(bytes)))).collect()),
        ..SecretObject::default()
    }
}

/// Whether a Secret holds just these files, sealed with this key, for as long as this owner lives.
fn holds(
    found: &SecretObject,
    plain: &BTreeMap<&'static str, Vec<u8>>,
    sealer: &Sealer,
    owner: &OwnerReference,
) -> bool {
    let is_owned = found.metadata.owner_references.as_deref() == Some(std::slice::from_ref(owner));
    let data = found.data.clone().unwrap_or_default();
    let is_same = |(entry, bytes): (&&'static str, &Vec<u8>)| match data.get(*entry) {
        Some(ByteString(sealed)) if sealed.is_empty() => bytes.is_empty(),
        Some(ByteString(sealed)) => sealer.open(sealed).is_some_and(|open| open.reveal() == bytes),
        None => false,
    };
    is_owned && data.len() == plain.len() && plain.iter().all(is_same)
}

/// The token Secret of an upload that was made a moment ago.
fn young_owner(world: &World<'_>, identity: &Identity) -> Result<Option<OwnerReference>, Problem> {
    let secrets = ObjectRef::new("v1", "Secret", "kube-system", "");
    let query = "fieldSelector=type%3Dbootstrap.kubernetes.io/token";
    let found = objects::insist(world, "the API server to list tokens", || {
        Ok(world.cluster().list(identity, &secrets, query)?)
    })?;
    let young_until = world.time().now().plus(STILL_NEW);
    let young = found.iter().filter_map(|secret| {
        let text = |key: &str| String::from_utf8(STANDARD.decode(secret["data"][key].as_str()?).ok()?).ok();
        let until = Clock::parse_rfc3339(&text("expiration")?)?;
        (text("description")? == DESCRIPTION && until >= young_until).then(|| (until, owner_reference(secret)))
    });
    Ok(young.max_by_key(|(until, _)| *until).map(|(_, owner)| owner))
}

/// A fresh token that nobody can use, whose Secret owns the uploaded one.
fn new_owner(world: &World<'_>, identity: &Identity) -> Result<OwnerReference, Problem> {
    let token = TokenSpec {
        token: BootstrapToken::random(|| {
            let mut byte = [0];
            world.entropy().bytes(&mut byte);
            byte[0]
        }),
        description: DESCRIPTION.to_owned(),
        expires: Some(world.time().now().plus(KEPT_FOR).0),
        usages: Vec::new(),
        groups: Vec::new(),
    };
    put_token(&token, world, identity)?;
    let name = token_secret(&token).metadata.name.unwrap_or_default();
    let reference = ObjectRef::new("v1", "Secret", "kube-system", &name);
    let found = objects::insist(world, "the API server to answer about the token", || {
        Ok(world.cluster().get(identity, &reference)?)
    })?;
    Ok(owner_reference(&found.unwrap_or_default()))
}

/// Objects of a dry run have no UID.
fn owner_reference(secret: &Value) -> OwnerReference {
    let text = |field: &str| secret["metadata"][field].as_str().unwrap_or_default().to_owned();
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        name: text("name"),
        uid: text("uid"),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}
