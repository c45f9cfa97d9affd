//! Every version: a document with all its fields survives reading and writing; mistakes in shape are named.

use serde_json::{Map, Value, json};

use super::table::{Kind, Shape, Version};
use super::{VERSIONS, encode, load};
use crate::config::findings::Findings;
use crate::yaml;

/// A value of a shape.
fn a_value(shape: Shape, name: &str) -> Value {
    match shape {
        Shape::Text => json!(format!("{name}-value")),
        Shape::Bool => json!(true),
        Shape::Number => json!(6443),
        Shape::Duration => json!("1h30m0s"),
        Shape::Texts => json!(["a", "b"]),
        Shape::Gates => json!({"A": true, "B": false}),
        Shape::ArgMap => json!({"a": "1", "b": "2"}),
        Shape::ArgList => {
            json!([{"name": "b", "value": "1"}, {"name": "a", "value": "2"}, {"name": "b", "value": "3"}])
        }
        Shape::Items(fields) => {
            let item: Map<String, Value> =
                fields.iter().map(|(field, shape)| ((*field).to_owned(), a_value(*shape, field))).collect();
            json!([item])
        }
        Shape::Section => json!({}),
        Shape::Opaque => json!({"x": {"y": 1}}),
    }
}

/// A document with every field that the kind has.
fn a_full_document(version: &Version, kind: &Kind) -> Value {
    let mut document = json!({"apiVersion": version.api, "kind": kind.name});
    for row in kind.rows() {
        let (name, mut place) = (row.0, &mut document);
        for part in name.split('.') {
            place = &mut place[part];
        }
        if place.is_null() {
            *place = a_value(row.1, name);
        }
    }
    for section in kind.sections {
        if document[section].is_null() {
            document[section] = json!({});
        }
    }
    document
}

#[test]
fn reading_and_writing_loses_no_field_in_any_version() {
    for version in &VERSIONS {
        for kind in version.kinds {
            let name = format!("{} {}", version.api, kind.name);
            let document = a_full_document(version, kind);
            let mut findings = Findings::default();
            let first = load(&yaml::write(&document), "a.yaml", &[kind.name], true, &mut findings);
            assert!(findings.is_empty(), "{name}: {findings:?}");
            let written = encode(version, kind, &first.draft);
            assert_eq!(written, document, "{name}");
        }
    }
}

#[test]
fn every_setting_is_filled_by_one_row_of_a_kind() {
    for version in &VERSIONS {
        for kind in version.kinds {
            for row in kind.rows() {
                assert_eq!(kind.rows().filter(|other| other.2 == row.2).count(), 1, "{} {}", version.api, row.0);
                assert_eq!(kind.rows().filter(|other| other.0 == row.0).count(), 1, "{} {}", version.api, row.0);
            }
        }
    }
}

fn findings_of(text: &str) -> Vec<crate::problem::Problem> {
    let mut findings = Findings::default();
    load(text, "cluster.yaml", &["ClusterConfiguration", "InitConfiguration"], true, &mut findings);
    match findings.finish(Some(()), "x", "x") {
        Ok(()) => Vec::new(),
        Err(problem) => problem.findings,
    }
}

#[test]
fn unknown_fields_are_told_with_place_and_the_right_name() {
    let head = |version: &str, rest: &str| {
        format!("apiVersion: kubeadm.k8s.io/{version}\nkind: ClusterConfiguration\n{rest}\n")
    };
    for (text, place, fix) in [
        (
            head("v1beta3", "networking:\n  podSubnett: a"),
            "networking.podSubnett in cluster.yaml, line 4",
            "write podSubnet in cluster.yaml",
        ),
        (
            head("v1beta3", "podSubnet: a"),
            "podSubnet in cluster.yaml, line 3",
            "move it to networking.podSubnet of ClusterConfiguration in cluster.yaml",
        ),
        (
            head("v1beta3", "bindPort: 6443"),
            "bindPort in cluster.yaml, line 3",
            "move it to localAPIEndpoint.bindPort of InitConfiguration in cluster.yaml",
        ),
        (
            head("v1beta3", "encryptionAlgorithm: RSA-2048"),
            "encryptionAlgorithm in cluster.yaml, line 3",
            "encryptionAlgorithm belongs to kubeadm.k8s.io/v1beta4: use that version for the whole document in cluster.yaml",
        ),
        (
            head("v1beta4", "networking.podSubnet: a"),
            "networking.podSubnet in cluster.yaml",
            "networking.podSubnet belongs to kubeadm.k8s.io/v1beta2: use that version for the whole document in cluster.yaml",
        ),
    ] {
        let findings = findings_of(&text);
        assert_eq!(findings.len(), 1, "{text}");
        assert_eq!(findings[0].id, "config-unknown-field", "{text}");
        assert_eq!(findings[0].place.as_deref(), Some(place), "{text}");
        assert_eq!(findings[0].fixes, [fix], "{text}");
    }
}

#[test]
fn lines_are_those_of_the_file_in_later_documents() {
    let text = "# head\n---\napiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\n---\napiVersion: kubeadm.k8s.io/v1beta3\n\
                kind: ClusterConfiguration\nclusterName: 7\n---\na: [\n";
    let findings = findings_of(text);
    assert_eq!(findings[0].place.as_deref(), Some("clusterName in cluster.yaml, line 8"));
    assert_eq!(findings[1].id, "config-not-yaml");
    assert!(findings[1].why.contains("line 11") || findings[1].why.contains("line 10"), "{}", findings[1].why);
}

#[test]
fn fields_that_another_release_stored_are_passed_over() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnew: {a: 1}\nclusterName: c\n";
    let mut findings = Findings::default();
    load(text, "a", &["ClusterConfiguration"], false, &mut findings);
    assert!(findings.is_empty());
}

#[test]
fn booleans_of_yaml_1_1_are_read() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nproxy: {disabled: yes}\n";
    assert!(findings_of(text).is_empty());
}
