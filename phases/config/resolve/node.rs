//! This machine's part of a job: name, CRI socket, taints, kubelet flags, folders and proxies.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cluster::{args, duration, items};
use super::defaults::cri_socket;
use super::ignored_checks;
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::config::{Layout, NodeConfig, NodeName, Release, Timeouts};
use crate::patches::{self, Patches};
use crate::problem::Problem;
use crate::world::{Facts, Host};

/// The node that a draft and the host describe. `None` only beside a finding about its name.
pub(super) fn node(
    draft: &Draft,
    ignored: &[String],
    release: &Release,
    (host, facts): (&dyn Host, &Facts),
    findings: &mut Findings,
) -> Result<Option<NodeConfig>, Problem> {
    let host_name = facts.host_name.trim().to_lowercase();
    let (text, origin) = match draft.text(Setting::NodeName) {
        Some((text, origin)) => (text, origin.clone()),
        None => (host_name.as_str(), Origin::Host("the name")),
    };
    let example = match origin {
        Origin::Host(_) => "--node-name node-1",
        _ => "node-1",
    };
    let what = ("config-bad-node-name", "the node name cannot be used");
    let name = findings.keep(NodeName::parse(text), what, &origin, example);
    let cri_socket = cri_socket(draft, release, facts, findings);
    let taints = taints(draft, findings);
    let kubelet_extra_args = args(draft, Setting::KubeletArgs, findings);
    let ignore_preflight_errors = ignored_checks(draft, ignored, findings);
    let image_pull_policy = image_pull_policy(draft, Setting::ImagePullPolicy, findings);
    let ca_folders = ca_folders(host, release)?;
    let timeouts = timeouts(draft, findings);
    let patches = match draft.text(Setting::PatchesDirectory) {
        Some((folder, origin)) => patches::read(Path::new(folder), origin, host, findings)?,
        None => Patches::default(),
    };
    let certificates = draft.text(Setting::CertificatesDir).map_or(Layout::CERTIFICATES, |(text, _)| text);
    Ok(name.map(|name| NodeConfig {
        name,
        host_name: host_name.clone(),
        cri_socket,
        taints,
        kubelet_extra_args,
        ignore_preflight_errors,
        image_pull_policy,
        image_pull_serial: draft.is_true(Setting::ImagePullSerial),
        skip_phases: draft.texts(Setting::SkipPhases).0.into_iter().map(str::to_owned).collect(),
        is_dry_run: draft.is_true(Setting::DryRun),
        timeouts,
        ca_folders,
        patches,
        proxies: facts.proxies.clone(),
        // Whether there are any is the cluster's to say.
        accounts: None,
        layout: Layout::new(certificates),
    }))
}

fn timeouts(draft: &Draft, findings: &mut Findings) -> Timeouts {
    let default = Timeouts::default();
    Timeouts {
        kubelet: duration(draft, Setting::KubeletTimeout, default.kubelet, findings),
        api_call: duration(draft, Setting::ApiCallTimeout, default.api_call, findings),
        etcd_call: duration(draft, Setting::EtcdCallTimeout, default.etcd_call, findings),
    }
}

fn taints(draft: &Draft, findings: &mut Findings) -> Option<Vec<Value>> {
    let origin = draft.get(Setting::Taints)?.origin.clone();
    let taints: Vec<Value> = items(draft, Setting::Taints).cloned().collect();
    for taint in &taints {
        let text = |field: &str| taint[field].as_str().unwrap_or_default();
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if text("key").is_empty() || !effects.contains(&text("effect")) {
            let why = format!("each needs a key and an effect: {}", effects.join(", "));
            let example = "[{key: dedicated, effect: NoSchedule}]";
            findings.wrong("config-bad-taint", "a taint cannot be used", &origin, why, example);
        }
    }
    Some(taints)
}

/// When images are pulled.
pub(super) fn image_pull_policy(draft: &Draft, key: Setting, findings: &mut Findings) -> String {
    const POLICIES: [&str; 3] = ["IfNotPresent", "Always", "Never"];
    let Some((policy, origin)) = draft.text(key) else { return POLICIES[0].to_owned() };
    if !POLICIES.contains(&policy) {
        let why = format!("{policy:?} is none of {}", POLICIES.join(", "));
        let example = crate::nearest(policy, POLICIES).unwrap_or(POLICIES[0]);
        findings.wrong("config-bad-pull-policy", "the image pull policy is not known", origin, why, example);
    }
    policy.to_owned()
}

/// Folders with CA certificates that exist; static Pods mount them.
fn ca_folders(host: &dyn Host, release: &Release) -> Result<Vec<PathBuf>, Problem> {
    let others = ["/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/ca-certificates"];
    let mut found = Vec::new();
    for folder in release.pki_folders().iter().chain(&others).map(Path::new) {
        if host.stat(folder)?.is_some() {
            found.push(folder.to_owned());
        }
    }
    Ok(found)
}
