//! From one version of the file format to another: what was said is said in the other version's rows.
//!
//! Nothing is filled in and no value is looked at, so that a file says afterwards what it said before. A value that the
//! other version cannot say is a finding, unless it says no more than nothing: then it is named as left out.

use serde_json::{Value, json};

use super::encode::encode_said;
use super::load::{Part, load_all};
use super::table::{Kind, Shape, Version};
use super::{VERSIONS, about};
use crate::config::Release;
use crate::config::draft::{Draft, Said, Setting};
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::problem::Problem;

/// What to migrate.
#[derive(Debug, Clone, Copy)]
pub struct MigrateOrder<'a> {
    /// The file's text.
    pub text: &'a str,
    /// Its name, for messages.
    pub file: &'a str,
    /// The version to write, such as `v1beta4`; without one, that which the file's Kubernetes release writes, or the newest.
    pub to: Option<&'a str>,
    /// Whether versions are read that kubeadm calls experimental.
    pub experimental: bool,
}

/// A configuration in another version.
#[derive(Debug, Clone, PartialEq)]
pub struct Migrated {
    /// Group and version that was written.
    pub api: &'static str,
    /// The documents, in the file's order; those of components as they were.
    pub documents: Vec<Value>,
    /// Fields that the version does not have, left out because they held their default.
    pub left_out: Vec<String>,
    /// Whether a token or a certificate key is among it.
    pub holds_secrets: bool,
}

/// Says a configuration in another version. Values are not checked, and none is added.
///
/// # Errors
/// One problem `config-invalid` with a finding for each mistake in the file's shape, or `config-not-migrated` with one
/// for each value that the other version cannot say.
pub fn migrate(order: &MigrateOrder<'_>) -> Result<Migrated, Problem> {
    let mut findings = Findings::default();
    let documents = load_all(order.text, order.file, order.experimental, &mut findings);
    let parts = documents.parts;
    if findings.is_empty() && !parts.iter().any(|part| matches!(part, Part::Own { .. })) {
        findings.add(
            Problem::new("config-needed-kind", format!("{} has nothing to migrate", order.file))
                .at(order.file)
                .why("it has no document of the group kubeadm.k8s.io")
                .fix(format!("add a document to {}: kind: ClusterConfiguration", order.file)),
        );
    }
    let target = target(&parts, order.to);
    let parts = findings.finish(Some(parts), "config-invalid", "the configuration cannot be used")?;
    let mut losses = Findings::default();
    let migrated = convert(parts, target, order.file, &mut losses);
    losses.finish(Some(migrated), "config-not-migrated", &format!("{} cannot say all that is said", target.api))
}

/// The version to write.
fn target(parts: &[Part], to: Option<&str>) -> &'static Version {
    let release = || {
        let said = parts.iter().find_map(|part| match part {
            Part::Own { draft, .. } => draft.text(Setting::KubernetesVersion),
            Part::Component(_) => None,
        });
        let text = said?.0;
        text.parse().ok().or_else(|| Some(Release::new(minor_of_label(text)?, 0)))
    };
    let api = match to {
        Some(to) => Some(format!("kubeadm.k8s.io/{}", to.trim_start_matches("kubeadm.k8s.io/"))),
        None => release().map(|release: Release| release.config_api().to_owned()),
    };
    let found = api.and_then(|api| VERSIONS.iter().find(|version| version.api == api));
    found.unwrap_or(&VERSIONS[VERSIONS.len() - 1])
}

/// The minor release of a label such as `stable-1.20`.
fn minor_of_label(text: &str) -> Option<u32> {
    let label = text.rsplit('/').next().unwrap_or(text);
    let rest = label.strip_prefix("stable-1.").or_else(|| label.strip_prefix("latest-1."))?;
    rest.parse().ok()
}

fn convert(mut parts: Vec<Part>, target: &'static Version, file: &str, losses: &mut Findings) -> Migrated {
    let mut migrated = Migrated { api: target.api, documents: Vec::new(), left_out: Vec::new(), holds_secrets: false };
    change_places(&mut parts, target);
    for part in parts {
        let (kind, draft, place) = match part {
            Part::Component(document) => {
                migrated.documents.push(document);
                continue;
            }
            Part::Own { kind, draft, place, .. } => (kind, draft, place),
        };
        migrated.holds_secrets |= holds_secrets(&draft);
        match target.kind(kind.name) {
            Some(kind) => {
                look_for_losses(&draft, (target, kind), file, (&mut migrated.left_out, losses));
                migrated.documents.push(encode_said(target, kind, &draft));
            }
            None => losses.add(
                Problem::new("config-cannot-say", format!("{} has no {}", target.api, kind.name))
                    .at(place)
                    .why("a newer version of the format brought this kind")
                    .fix("--to v1beta4")
                    .fix(format!("put the document into a file of its own: it stands in {file}")),
            ),
        }
    }
    migrated
}

/// Moves what the target says in the other one of InitConfiguration and ClusterConfiguration: the patience with the
/// control plane. A document that is not there yet is made, unless it would say the default only.
fn change_places(parts: &mut Vec<Part>, target: &Version) {
    let (init, cluster) = ("InitConfiguration", "ClusterConfiguration");
    for (from, to) in [(init, cluster), (cluster, init)] {
        let (Some(from), Some(to)) = (target.kind(from), target.kind(to)) else { continue };
        let Some(index) = parts.iter().position(|part| part.is(from.name)) else { continue };
        let to_index = parts.iter().position(|part| part.is(to.name));
        let Part::Own { version, draft, place, .. } = &mut parts[index] else { continue };
        let moves = |(key, said): (Setting, &Said)| {
            let is_needed = to_index.is_some() || !says_nothing(key, said, &Draft::default());
            (from.row_of(key).is_none() && to.row_of(key).is_some() && is_needed).then_some(key)
        };
        let moving: Vec<Setting> = draft.all().filter_map(moves).collect();
        let moved: Vec<(Setting, Said)> = moving.into_iter().filter_map(|key| Some((key, draft.take(key)?))).collect();
        if moved.is_empty() {
            continue;
        }
        let made = Part::Own { version, kind: to, draft: Draft::default(), place: place.clone() };
        let to_index = to_index.unwrap_or_else(|| {
            parts.insert(index, made);
            index
        });
        if let Part::Own { draft, .. } = &mut parts[to_index] {
            moved.into_iter().for_each(|(key, said)| draft.say(key, said.value, said.origin));
        }
    }
}

fn look_for_losses(
    draft: &Draft,
    (target, kind): (&Version, &Kind),
    file: &str,
    (left_out, losses): (&mut Vec<String>, &mut Findings),
) {
    for (key, said) in draft.all() {
        let path = said.origin.path().unwrap_or_default();
        let Some(row) = kind.row_of(key) else {
            if says_nothing(key, said, draft) {
                left_out.push(path.to_owned());
            } else {
                losses.add(cannot_say(key, said, (target, kind), file));
            }
            continue;
        };
        if let (Shape::ArgMap, Some(name)) = (row.1, repeated(&said.value)) {
            let mut loss = Problem::new("config-cannot-say", format!("{path} has {name} more than once"))
                .why(format!("{} writes it as a map, where a name can stand once", target.api))
                .fix("--to v1beta4")
                .fix(format!("leave only one {name} in {path} in {file}"));
            loss.place = said.origin.place();
            losses.add(loss);
        }
    }
}

fn cannot_say(key: Setting, said: &Said, (target, kind): (&Version, &Kind), file: &str) -> Problem {
    let path = said.origin.path().unwrap_or_default();
    let able = VERSIONS.iter().rev().find(|version| version.kind(kind.name).is_some_and(|k| k.row_of(key).is_some()));
    let mut loss = Problem::new("config-cannot-say", format!("{path} cannot be said in {}", target.api)).why(format!(
        "its {} has no field for it: {}",
        kind.name,
        about::setting(key)
    ));
    if let Some((_, version)) = able.and_then(|version| version.api.split_once('/')) {
        loss = loss.fix(format!("--to {version}"));
    }
    let instead = match key {
        Setting::SkipPhases => ", and give --skip-phases",
        Setting::PatchesDirectory => ", and give --patches",
        Setting::DryRun => ", and give --dry-run",
        Setting::EncryptionAlgorithm if said.value == "ECDSA-P256" => ", and set featureGates.PublicKeysECDSA to true",
        _ => "",
    };
    loss = loss.fix(format!("remove {path} from {file}{instead}"));
    loss.place = said.origin.place();
    loss
}

/// Whether a value says no more than leaving it out does.
fn says_nothing(key: Setting, said: &Said, draft: &Draft) -> bool {
    let minutes = match key {
        Setting::ApiCallTimeout => 1,
        Setting::EtcdCallTimeout => 2,
        Setting::ControlPlaneTimeout | Setting::KubeletTimeout => 4,
        Setting::TlsBootstrapTimeout | Setting::DiscoveryTimeout | Setting::UpgradeTimeout => 5,
        Setting::CertificateValidity => 8760 * 60,
        Setting::CaValidity => 87600 * 60,
        _ => 0,
    };
    let default = match key {
        Setting::ImagePullSerial => json!(true),
        Setting::ImagePullPolicy => json!("IfNotPresent"),
        Setting::DnsType => json!("CoreDNS"),
        Setting::EncryptionAlgorithm => json!("RSA-2048"),
        Setting::EtcdHttpEndpoints => draft.get(Setting::EtcdEndpoints).map_or(Value::Null, |said| said.value.clone()),
        _ => json!(false),
    };
    match &said.value {
        Value::String(text) if minutes > 0 => parse_duration(text)
            .is_ok_and(|duration| duration.as_secs() == minutes * 60 && duration.subsec_nanos() == 0),
        Value::String(text) => text.is_empty() || said.value == default,
        Value::Array(items) => items.is_empty() || said.value == default,
        value => *value == default,
    }
}

/// A name that comes more than once in a list of name and value.
fn repeated(args: &Value) -> Option<&str> {
    let names: Vec<&str> = args.as_array()?.iter().filter_map(|arg| arg["name"].as_str()).collect();
    names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)).map(|(_, name)| *name)
}

fn holds_secrets(draft: &Draft) -> bool {
    let secret =
        [Setting::CertificateKey, Setting::JoinCertificateKey, Setting::DiscoveryToken, Setting::TlsBootstrapToken];
    let tokens = draft.get(Setting::BootstrapTokens).and_then(|said| said.value.as_array());
    secret.iter().any(|key| draft.text(*key).is_some())
        || tokens.is_some_and(|tokens| tokens.iter().any(|token| token["token"].is_string()))
}

impl Part {
    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Own { kind, .. } if kind.name == name)
    }
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
