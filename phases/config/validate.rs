//! `config validate`: everything that is wrong with a file, of whatever kinds, without a machine.
//!
//! Each command's own reading of the file is made for a machine that is none in particular, so that what is right here is
//! taken by the command. What a kubeadm would only warn of becomes a warning.

use super::draft::{Draft, Setting};
use super::duration::parse_duration;
use super::findings::Findings;
use super::resolve::{INVALID, NoEntropy, check_upgrade, nowhere, resolve_init, resolve_join, resolve_reset};
use super::wire::{Part, documents_text, load_all, migrate};
use super::{Cidr, Init, InitFlags, JoinFlags, MigrateOrder, Release, ResetFlags};
use crate::problem::Problem;
use crate::releases::{NEWEST_MINOR, OLDEST_MINOR};
use crate::world::Clock;

/// What is let pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// Versions that kubeadm calls experimental are read.
    pub experimental: bool,
    /// Nothing is said about versions that the release's kubeadm calls deprecated.
    pub deprecated: bool,
}

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// Kinds of its documents, in the file's order.
    pub kinds: Vec<String>,
    /// What may not be meant so.
    pub warnings: Vec<Problem>,
}

/// Looks for everything that is wrong with the text of a file.
///
/// # Errors
/// One problem `config-invalid` with a finding per mistake.
pub fn validate(text: &str, file: &str, allowed: Allowed) -> Result<Validated, Problem> {
    let mut findings = Findings::default();
    let documents = load_all(text, file, allowed.experimental, &mut findings);
    let kinds = documents.kinds;
    if findings.is_empty() && kinds.is_empty() {
        findings.add(
            Problem::new("config-needed-kind", format!("{file} has no configuration"))
                .at(file)
                .why("the file is empty")
                .fix("begin with one: kubestrap config print init-defaults"),
        );
    }
    let release = release(&documents.parts);
    let as_newest = if documents.parts.iter().any(Part::is_experimental) && findings.is_empty() {
        // The commands do not read experimental versions; their content is that of the newest.
        let order = MigrateOrder { text, file, to: Some("v1beta4"), experimental: true };
        Some(documents_text(&migrate(&order)?.documents))
    } else {
        None
    };
    let init = look(as_newest.as_deref().unwrap_or(text), file, (&kinds, &release), &mut findings);
    let mut warnings = Warnings(Vec::new());
    for part in &documents.parts {
        let Part::Own { version, kind, draft, place } = part else { continue };
        if kind.name == "UpgradeConfiguration" {
            check_upgrade(draft, &mut findings);
        }
        let said = draft.text(Setting::KubernetesVersion).and(release.as_ref());
        if !allowed.deprecated
            && !part.is_experimental()
            && said.is_some_and(|release| version.api < release.config_api())
        {
            warnings.deprecated(version.api, place, file, said.map_or("", Release::config_api));
        }
        warnings.validity(draft);
        warnings.networks(draft);
    }
    if let Some(init) = init {
        warnings.endpoint(&init, &documents.parts);
    }
    findings.finish(Some(Validated { kinds, warnings: warnings.0 }), INVALID.0, INVALID.1)
}

/// The release that the file is for: the one it names, or a patch release of the label it names.
fn release(parts: &[Part]) -> Option<Release> {
    let mut newest = None;
    for part in parts {
        let Part::Own { version, draft, .. } = part else { continue };
        if let Some((text, _)) = draft.text(Setting::KubernetesVersion) {
            let named = text.parse().ok().or_else(|| Some(Release::new(text.rsplit_once("-1.")?.1.parse().ok()?, 0)));
            let says_nothing = text.ends_with("stable-1") || text.ends_with("latest-1") || text.ends_with("stable");
            if named.is_some() || !says_nothing {
                return named;
            }
        }
        // A file that names none is for a release that writes its version.
        newest = newest.max(match version.api {
            "kubeadm.k8s.io/v1beta2" => Some(20),
            "kubeadm.k8s.io/v1beta3" => Some(30),
            _ => Some(36),
        });
    }
    newest.map(|minor| Release::new(minor, 0))
}

/// Has every command read the file that reads one of its kinds.
fn look(
    text: &str,
    file: &str,
    (kinds, release): (&[String], &Option<Release>),
    findings: &mut Findings,
) -> Option<Init> {
    let host = nowhere().with_file(file, text, 0o600);
    let config = Some(file.into());
    let has = |names: &[&str]| kinds.iter().any(|kind| names.contains(&kind.as_str()));
    let mut init = None;
    if has(&["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]) {
        // A label cannot be looked up here, and the kubelet that is installed here has no say.
        let served = release.as_ref().filter(|release| (OLDEST_MINOR..=NEWEST_MINOR).contains(&release.minor()));
        let kubernetes_version = served.map(ToString::to_string);
        let flags = InitFlags { config: config.clone(), kubernetes_version, ..InitFlags::default() };
        init = resolve_init(&flags, &host, Clock(0), &NoEntropy).map_err(|problem| findings.add_all(problem)).ok();
    }
    if has(&["JoinConfiguration"]) {
        let flags = JoinFlags { config: config.clone(), ..JoinFlags::default() };
        let _ = resolve_join(&flags, &host).map_err(|problem| findings.add_all(problem));
    }
    if has(&["ResetConfiguration"]) {
        let flags = ResetFlags { config, ..ResetFlags::default() };
        let _ = resolve_reset(&flags, &host).map_err(|problem| findings.add_all(problem));
    }
    init
}

struct Warnings(Vec<Problem>);

impl Warnings {
    fn deprecated(&mut self, api: &str, place: &str, file: &str, written: &str) {
        self.0.push(
            Problem::new("config-deprecated-version", format!("{api} is deprecated"))
                .at(place)
                .why(format!("the release that the file names writes {written}"))
                .fix(format!("kubestrap config migrate --old-config {file} --new-config new.yaml")),
        );
    }

    fn validity(&mut self, draft: &Draft) {
        let hours = |key| parse_duration(draft.text(key)?.0).ok().map(|validity| validity.as_secs() / 3600);
        let (leaf, ca) = (hours(Setting::CertificateValidity), hours(Setting::CaValidity));
        for (key, said, default) in [(Setting::CertificateValidity, leaf, 8760), (Setting::CaValidity, ca, 87600)] {
            if said.is_some_and(|said| said > default) {
                self.about(draft, key, "a validity is unusually long", &format!("{default} hours are usual"));
            }
        }
        if leaf.unwrap_or(8760) > ca.unwrap_or(87600) {
            let why = "a certificate ends with its CA, whatever its own end is";
            self.about(draft, Setting::CertificateValidity, "certificates outlive their CA", why);
        }
    }

    fn networks(&mut self, draft: &Draft) {
        for key in [Setting::PodSubnet, Setting::ServiceSubnet] {
            let cidrs = draft.text(key).and_then(|(text, _)| Cidr::parse_list(text).ok()).unwrap_or_default();
            let site_local = Cidr::parse("fec0::/10").expect("it is a network");
            if cidrs.iter().any(|cidr| !cidr.is_v4() && site_local.overlaps(cidr)) {
                let why = "fec0::/10 was given up by RFC 3879; fc00::/7 takes its place";
                self.about(draft, key, "a network is of site-local addresses", why);
            }
        }
    }

    fn endpoint(&mut self, init: &Init, parts: &[Part]) {
        let Some(endpoint) = &init.cluster.control_plane_endpoint else { return };
        if endpoint.port() == init.endpoint.port {
            return;
        }
        let why = format!("port {} must lead to port {} of every API server", endpoint.port(), init.endpoint.port);
        for part in parts {
            if let Part::Own { draft, .. } = part
                && draft.text(Setting::ControlPlaneEndpoint).is_some()
            {
                let what = "the control-plane endpoint has another port than the API servers";
                self.about(draft, Setting::ControlPlaneEndpoint, what, &why);
            }
        }
    }

    fn about(&mut self, draft: &Draft, key: Setting, what: &str, why: &str) {
        let mut warning = Problem::new("config-unusual", what).why(why);
        let origin = draft.origin(key);
        warning.place = origin.place();
        warning.fixes = origin.path().map(|path| format!("check {path}")).into_iter().collect();
        self.0.push(warning);
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
