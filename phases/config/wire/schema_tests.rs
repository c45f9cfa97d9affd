//! A real validator holds the schema against files: what is read is valid, and what is refused for its shape is not.

use jsonschema::Validator;

use super::super::load_all;
use super::super::samples::{FULL, KUBEADM};
use super::*;
use crate::config::findings::Findings;
use crate::yaml;

fn validator(kind: Option<&str>) -> Validator {
    jsonschema::draft202012::new(&schema(kind).expect("a schema")).expect("the schema is one")
}

fn mistakes(validator: &Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{error} at {}", error.instance_path())).collect()
}

#[test]
fn the_schema_is_one_of_draft_2020_12() {
    for kind in [None, Some("InitConfiguration"), Some("KubeletConfiguration")] {
        let schema = schema(kind).expect("a schema");
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{kind:?}");
    }
}

#[test]
fn every_document_with_all_fields_and_of_real_kubeadms_is_valid() {
    let validator = validator(None);
    for (version, text) in FULL.iter().chain(&KUBEADM) {
        for document in yaml::documents(text).expect("YAML") {
            let found = mistakes(&validator, &document);
            assert!(found.is_empty(), "{version} {}: {found:#?}", document["kind"]);
        }
    }
}

#[test]
fn what_reading_refuses_for_its_shape_the_schema_refuses_too() {
    let validator = validator(None);
    let head = |version: &str, kind: &str, rest: &str| format!("apiVersion: {version}\nkind: {kind}\n{rest}\n");
    let (two, three, four) = ("kubeadm.k8s.io/v1beta2", "kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4");
    for text in [
        head(two, "ClusterConfiguration", "networking: {podSubnett: a}"),
        head(two, "ClusterConfiguration", "networking: a"),
        head(two, "ClusterConfiguration", "apiServer: {extraArgs: [{name: a, value: b}]}"),
        head(two, "ClusterConfiguration", "apiServer: {extraArgs: {v: 4}}"),
        head(two, "ClusterConfiguration", "apiServer: {timeoutForControlPlane: 4 minutes}"),
        head(two, "ClusterConfiguration", "featureGates: {A: perhaps}"),
        head(two, "InitConfiguration", "timeouts: {discovery: 5m0s}"),
        head(two, "ResetConfiguration", ""),
        head(three, "InitConfiguration", "bootstrapTokens: [{tokn: a}]"),
        head(three, "InitConfiguration", "skipPhases: preflight"),
        head(three, "InitConfiguration", "skipPhases: [1]"),
        head(four, "ClusterConfiguration", "apiServer: {extraArgs: {a: b}}"),
        head(four, "ClusterConfiguration", "apiServer: {extraEnvs: [{name: A, valu: b}]}"),
        head(four, "InitConfiguration", "localAPIEndpoint: {bindPort: \"6443\"}"),
        head(four, "UpgradeConfiguration", "apply: {etcdUpgrad: true}"),
        head(four, "UpgradeConfiguration", "diff: {contextLines: five}"),
        head("kubeadm.k8s.io/v1beta9", "InitConfiguration", ""),
        head("v1", "ConfigMap", ""),
        "kind: InitConfiguration".to_owned(),
    ] {
        let mut findings = Findings::default();
        load_all(&text, "a.yaml", false, &mut findings);
        assert!(!findings.is_empty(), "reading takes {text}");
        for document in yaml::documents(&text).expect("YAML") {
            assert!(!validator.is_valid(&document), "the schema takes {text}");
        }
    }
}

#[test]
fn words_that_are_none_of_the_known_ones_are_refused() {
    let validator = validator(None);
    let api = "kubeadm.k8s.io/v1beta4";
    for (document, is_valid) in [
        (json!({"apiVersion": api, "kind": "ClusterConfiguration", "encryptionAlgorithm": "ECDSA-P384"}), true),
        (json!({"apiVersion": api, "kind": "ClusterConfiguration", "encryptionAlgorithm": "RSA-1024"}), false),
        (json!({"apiVersion": api, "kind": "ResetConfiguration", "unmountFlags": ["MNT_FORCE"]}), true),
        (json!({"apiVersion": api, "kind": "ResetConfiguration", "unmountFlags": ["FORCE"]}), false),
    ] {
        assert_eq!(validator.is_valid(&document), is_valid, "{document}");
    }
}

#[test]
fn every_field_says_what_it_is_about() {
    let schema = schema(None).expect("a schema");
    for version in &VERSIONS {
        for kind in version.kinds {
            for row in kind.rows() {
                let pointer = row.0.split('.').map(|field| format!("/properties/{field}")).collect::<String>();
                let place = format!("/$defs/{}{pointer}", name(version.api, kind.name));
                let about = schema.pointer(&place).and_then(|field| field["description"].as_str());
                assert!(about.is_some_and(|about| !about.is_empty() && !about.ends_with('.')), "{place}");
            }
        }
    }
}

#[test]
fn one_kind_alone_has_its_versions_and_no_other_kind() {
    let schema = schema(Some("ResetConfiguration")).expect("a schema");
    let names: Vec<&String> = schema["$defs"].as_object().expect("definitions").keys().collect();
    assert_eq!(names, ["v1beta4.ResetConfiguration"]);
    let problem = super::schema(Some("ClusterConfig")).expect_err("no such kind");
    assert_eq!(
        (problem.id.as_str(), problem.fixes[0].as_str()),
        ("config-unknown-kind", "--kind ClusterConfiguration")
    );
}
