//! Round trips between versions, over hand-made files with every field and over what kubeadm itself has written; and
//! what cannot be said.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::config::documents_text;
use crate::config::wire::samples::{FULL, KUBEADM};
use crate::yaml;

fn migrated(text: &str, to: &str) -> Result<Migrated, Problem> {
    migrate(&MigrateOrder { text, file: "a.yaml", to: Some(to), experimental: false })
}

/// Paths and values of all that a file says: nulls and empty sections say nothing. Fields that were left out are not
/// among it, since they said no more than nothing.
fn said(text: &str, left_out: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for document in yaml::documents(text).expect("YAML") {
        let kind = document["kind"].as_str().expect("a kind").to_owned();
        leaves(&document, &kind, &mut found);
    }
    let is_left_out = |leaf: &String| {
        left_out.iter().any(|path| leaf.split_once('.').is_some_and(|(_, leaf)| leaf.starts_with(path)))
    };
    found.into_iter().filter(|leaf| !is_left_out(leaf)).collect()
}

fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        // These may stand empty and mean something.
        Value::Object(map) if map.is_empty() && !path.ends_with(".local") && !path.ends_with(".controlPlane") => {}
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(name, value)| leaves(value, &format!("{path}.{name}"), found));
        }
        // A list of flags in a map's order.
        Value::Array(items) if path.ends_with("xtraArgs") => {
            let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
            items.sort();
            found.insert(format!("{path} = {items:?}"));
        }
        value => drop(found.insert(format!("{path} = {value}"))),
    }
}

#[test]
fn the_full_files_have_every_field_of_every_version() {
    for version in &VERSIONS {
        for kind in version.kinds {
            let mut found = BTreeSet::new();
            for (_, text) in FULL.iter().filter(|(name, _)| version.api.ends_with(name)) {
                let documents = load_all(text, "a.yaml", false, &mut Findings::default());
                for part in &documents.parts {
                    if let Part::Own { kind: known, draft, .. } = part
                        && known.name == kind.name
                    {
                        found.extend(draft.all().map(|(key, _)| key));
                    }
                }
            }
            let missing: Vec<&str> = kind.rows().filter(|row| !found.contains(&row.2)).map(|row| row.0).collect();
            assert!(missing.is_empty(), "{} {}: {missing:?}", version.api, kind.name);
        }
    }
}

#[test]
fn there_and_back_loses_nothing() {
    for (version, text) in FULL.iter().chain(&KUBEADM) {
        for there in ["v1beta2", "v1beta3", "v1beta4"].into_iter().filter(|there| there >= version) {
            let name = format!("{version} to {there}: {}", text.lines().nth(1).unwrap_or_default());
            let (written, left_out) = match migrated(text, there) {
                Ok(written) => (documents_text(&written.documents), written.left_out),
                Err(problem) => panic!("{name}: {problem:#?}"),
            };
            let back = documents_text(&migrated(&written, version).expect(&name).documents);
            assert_eq!(said(&back, &[]), said(text, &left_out), "{name}");
            let old = ["dns.type", "useHyperKubeImage"];
            assert!(left_out.iter().all(|path| old.contains(&path.as_str())), "{name}: {left_out:?}");
        }
    }
}

#[test]
fn what_kubeadm_prints_can_be_said_in_older_versions_too() {
    for (version, text) in KUBEADM.iter().filter(|(version, _)| *version == "v1beta4") {
        let is_new = text.contains("kind: ResetConfiguration") || text.contains("kind: UpgradeConfiguration");
        let has_algorithm = text.contains("ECDSA-P256");
        for to in ["v1beta2", "v1beta3"] {
            let written = migrated(text, to);
            if is_new || has_algorithm {
                assert_eq!(written.expect_err(to).id, "config-not-migrated");
                continue;
            }
            let written = written.expect(to);
            let back = documents_text(&migrated(&documents_text(&written.documents), version).expect(to).documents);
            assert_eq!(said(&back, &[]), said(text, &written.left_out), "{to}");
            assert!(written.left_out.contains(&"timeouts.etcdAPICall".to_owned()), "{to}: {:?}", written.left_out);
        }
    }
}

/// Paths that stand in findings.
fn lost(text: &str, to: &str) -> Vec<String> {
    let problem = migrated(text, to).expect_err(to);
    assert_eq!(problem.id, "config-not-migrated");
    for loss in &problem.findings {
        assert_eq!(loss.id, "config-cannot-say");
        assert!(loss.place.is_some() && !loss.why.is_empty() && loss.fixes.len() == 2, "{loss:?}");
    }
    problem.findings.iter().map(|loss| loss.what.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_a_version_cannot_say_is_named() {
    let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let timeouts = "timeouts.kubeletHealthCheck timeouts.kubernetesAPICall timeouts.etcdAPICall timeouts.tlsBootstrap";
    let cluster = "etcd.local.extraEnvs apiServer.extraEnvs controllerManager.extraEnvs scheduler.extraArgs \
                   scheduler.extraEnvs dns.disabled proxy.disabled encryptionAlgorithm certificateValidityPeriod \
                   caCertificateValidityPeriod";
    let to_v1beta3 = format!(
        "nodeRegistration.imagePullSerial dryRun {timeouts} timeouts.discovery timeouts.upgradeManifests {cluster} \
         nodeRegistration.imagePullSerial dryRun timeouts.controlPlaneComponentHealthCheck {timeouts} \
         timeouts.upgradeManifests kubeadm.k8s.io/v1beta3 kubeadm.k8s.io/v1beta3"
    );
    assert_eq!(lost(FULL[4].1, "v1beta3"), lines(&to_v1beta3));
    assert_eq!(lost(FULL[5].1, "v1beta3"), ["etcd.external.httpEndpoints"]);
    let node = "nodeRegistration.imagePullPolicy skipPhases patches.directory";
    assert_eq!(lost(FULL[2].1, "v1beta2"), lines(&format!("{node} {node}")));
    let old = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nuseHyperKubeImage: true\ndns: {type: kube-dns}";
    assert_eq!(lost(old, "v1beta3"), ["useHyperKubeImage", "dns.type"]);
}

#[test]
fn the_version_is_that_of_the_release_that_the_file_names() {
    for (version, expected) in [
        ("v1.20.2", "v1beta2"),
        ("v1.21.14", "v1beta2"),
        ("1.22.0", "v1beta3"),
        ("v1.30.9", "v1beta3"),
        ("v1.31.0", "v1beta4"),
        ("stable-1.28", "v1beta3"),
        ("release/stable-1.20", "v1beta2"),
        ("stable-1", "v1beta4"),
    ] {
        let text =
            format!("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: {version}");
        let order = MigrateOrder { text: &text, file: "a.yaml", to: None, experimental: false };
        assert_eq!(migrate(&order).expect(version).api, format!("kubeadm.k8s.io/{expected}"), "{version}");
    }
    let text = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: JoinConfiguration\n";
    let order = MigrateOrder { text, file: "a.yaml", to: None, experimental: false };
    assert_eq!(migrate(&order).expect("a migration").api, "kubeadm.k8s.io/v1beta4");
}

#[test]
fn the_patience_with_the_control_plane_changes_its_document() {
    let text =
        "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {timeoutForControlPlane: 7m0s}\n";
    let written = documents_text(&migrated(text, "v1beta4").expect("a migration").documents);
    assert_eq!(
        written,
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\ntimeouts:\n  controlPlaneComponentHealthCheck: 7m0s\n\
         ---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
    );
    let default = text.replace("7m", "4m");
    let written = migrated(&default, "v1beta4").expect("a migration");
    assert_eq!(written.documents.len(), 1, "a default makes no document of its own");
    assert_eq!(written.left_out, ["apiServer.timeoutForControlPlane"]);
}

#[test]
fn documents_of_components_are_kept_and_secrets_are_noticed() {
    let (_, text) = FULL[0];
    let written = migrated(text, "v1beta4").expect("a migration");
    let before = yaml::documents(text).expect("YAML");
    assert_eq!(written.documents[3..], before[3..]);
    assert!(written.holds_secrets);
    let plain = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\nbootstrapTokens: [{ttl: 1h}]\n";
    assert!(!migrated(plain, "v1beta4").expect("a migration").holds_secrets);
}

#[test]
fn the_placeholder_is_read_only_where_that_is_asked_for_and_never_written() {
    let text = "apiVersion: kubeadm.k8s.io/v1\nkind: ClusterConfiguration\nclusterName: c\n";
    let order = |experimental| MigrateOrder { text, file: "a.yaml", to: None, experimental };
    let problem = migrate(&order(false)).expect_err("refused");
    assert_eq!(problem.findings[0].id, "config-experimental-version");
    let written = migrate(&order(true)).expect("a migration");
    assert_eq!(written.documents[0]["apiVersion"], "kubeadm.k8s.io/v1beta4");
    assert_eq!(written.documents[0]["clusterName"], "c");
}

#[test]
fn a_file_without_anything_of_kubeadm_is_refused() {
    for text in ["", "# nothing\n", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"] {
        let problem = migrated(text, "v1beta4").expect_err(text);
        assert_eq!(problem.findings[0].id, "config-needed-kind", "{text}");
    }
}
