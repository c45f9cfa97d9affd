//! UpgradeConfiguration: its rules. No command here takes it yet; files that kubeadm's `upgrade` takes are checked in full.

use super::cluster::absolute;
use super::defaults::{check_range, label_minor};
use super::ignored_in;
use super::node::image_pull_policy;
use crate::config::Release;
use crate::config::draft::{Draft, Setting, Upgrade};
use crate::config::findings::Findings;
use crate::releases::DEFAULT;

/// Adds a finding for each value that `upgrade` could not use.
pub(in crate::config) fn check_upgrade(draft: &Draft, findings: &mut Findings) {
    for section in [Setting::Apply, Setting::Plan, Setting::Diff] {
        version(draft, section(Upgrade::KubernetesVersion), findings);
    }
    for section in [Setting::Apply, Setting::UpgradeNode, Setting::Plan] {
        ignored_in(draft, section(Upgrade::IgnorePreflightErrors), &[], findings);
    }
    for section in [Setting::Apply, Setting::UpgradeNode] {
        image_pull_policy(draft, section(Upgrade::ImagePullPolicy), findings);
        absolute(draft, section(Upgrade::Patches), "/etc/kubernetes/patches", findings);
    }
    if let Some(said) = draft.get(Setting::Diff(Upgrade::ContextLines))
        && said.value.as_i64().is_some_and(i64::is_negative)
    {
        let why = format!("{} is less than 0", said.value);
        findings.wrong("config-bad-number", "the number of lines around a difference", &said.origin, why, "3");
    }
}

/// A release, or a label that stands for one.
fn version(draft: &Draft, key: Setting, findings: &mut Findings) {
    let Some((text, origin)) = draft.text(key) else { return };
    if label_minor(text).is_some() {
        return;
    }
    let what = ("config-bad-version", "the Kubernetes version cannot be used");
    if let Some(release) = findings.keep(text.parse::<Release>(), what, origin, &DEFAULT.to_string()) {
        check_range(&release, origin, findings);
    }
}
