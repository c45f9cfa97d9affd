//! The tables as a JSON Schema (draft 2020-12), for editors: one schema for files with documents of any kind.
//!
//! Made from the rows that read the files, so that both know the same fields. `apiVersion` and `kind` choose the definition
//! that a document is held against; those of the kubelet and kube-proxy are not looked into. As in kubeadm, null means
//! that nothing was said.

use serde_json::{Map, Value, json};

use super::load::{KUBE_PROXY, KUBELET};
use super::table::{Kind, Shape, Version};
use super::{VERSIONS, about};
use crate::nearest;
use crate::problem::Problem;

/// Go's durations.
const DURATION: &str =
    r"^\+?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$";

/// The schema of all versions of one kind, or of all kinds.
///
/// # Errors
/// `config-unknown-kind` when there is no such kind.
pub fn schema(only: Option<&str>) -> Result<Value, Problem> {
    let own = VERSIONS.iter().flat_map(|version| version.kinds.iter().map(move |kind| (version, kind)));
    let mut definitions = Map::new();
    let mut choices: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut add = |api: &'static str, kind: &'static str, definition: Value| {
        definitions.insert(name(api, kind), definition);
        match choices.iter_mut().find(|(known, _)| *known == api) {
            Some((_, kinds)) => kinds.push(kind),
            None => choices.push((api, vec![kind])),
        }
    };
    for (version, kind) in own.filter(|(_, kind)| only.is_none_or(|only| only == kind.name)) {
        add(version.api, kind.name, definition(version, kind));
    }
    for (api, kind) in [KUBELET, KUBE_PROXY].into_iter().filter(|(_, kind)| only.is_none_or(|only| only == *kind)) {
        add(api, kind, json!({"type": "object", "description": format!("{kind}, not looked into")}));
    }
    if choices.is_empty() {
        return Err(unknown(only.unwrap_or_default()));
    }
    let chosen = choices.iter().flat_map(|(api, kinds)| kinds.iter().map(|kind| (*api, *kind)));
    let rules = chosen.map(|(api, kind)| {
        json!({
            "if": is(api, kind),
            "then": {"$ref": format!("#/$defs/{}", name(api, kind))},
        })
    });
    let pairs = choices
        .iter()
        .map(|(api, kinds)| json!({"properties": {"apiVersion": {"const": api}, "kind": {"enum": kinds}}}));
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": only.map_or_else(|| "kubeadm configuration".to_owned(), |kind| format!("kubeadm configuration: {kind}")),
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"enum": choices.iter().map(|(api, _)| *api).collect::<Vec<_>>()},
            "kind": {"type": "string"},
        },
        "oneOf": pairs.collect::<Vec<_>>(),
        "allOf": rules.collect::<Vec<_>>(),
        "$defs": definitions,
    }))
}

/// Name of a definition: `v1beta4.InitConfiguration`; with its group for other groups.
fn name(api: &str, kind: &str) -> String {
    format!("{}.{kind}", api.trim_start_matches("kubeadm.k8s.io/").replace('/', "."))
}

fn is(api: &str, kind: &str) -> Value {
    json!({"properties": {"apiVersion": {"const": api}, "kind": {"const": kind}}, "required": ["apiVersion", "kind"]})
}

fn unknown(kind: &str) -> Problem {
    let mut kinds: Vec<&str> = VERSIONS.iter().flat_map(|version| version.kinds).map(|kind| kind.name).collect();
    kinds.extend([KUBELET.1, KUBE_PROXY.1]);
    kinds.sort_unstable();
    kinds.dedup();
    let known = nearest(kind, kinds.iter().copied()).unwrap_or("ClusterConfiguration");
    Problem::new("config-unknown-kind", format!("unknown kind {kind}"))
        .at("--kind")
        .why(format!("there are {}", kinds.join(", ")))
        .fix(format!("--kind {known}"))
}

/// The schema of one document.
fn definition(version: &Version, kind: &Kind) -> Value {
    let mut definition = object(kind, "");
    definition["description"] = json!(format!("{} of {}", kind.name, version.api));
    definition["properties"]["apiVersion"] = json!({"const": version.api});
    definition["properties"]["kind"] = json!({"const": kind.name});
    // A document as a whole is never null.
    definition["type"] = json!("object");
    definition
}

/// The object at a path, of all rows below it.
fn object(kind: &Kind, below: &str) -> Value {
    let properties: Map<String, Value> = kind
        .fields(below)
        .into_iter()
        .map(|field| {
            let path = if below.is_empty() { field.to_owned() } else { format!("{below}.{field}") };
            (field.to_owned(), at(kind, &path))
        })
        .collect();
    json!({"type": ["object", "null"], "additionalProperties": false, "properties": properties})
}

fn at(kind: &Kind, path: &str) -> Value {
    let Some(row) = kind.row(path) else { return object(kind, path) };
    let mut schema = match row.1 {
        Shape::Section => object(kind, path),
        shape => of_shape(shape),
    };
    schema["description"] = json!(about::setting(row.2));
    match (about::words(row.2), row.1) {
        (Some(words), Shape::Texts) => schema["items"]["enum"] = json!(words),
        (Some(words), _) => {
            schema["enum"] = words.iter().map(|word| json!(word)).chain([Value::Null]).collect();
        }
        (None, _) => {}
    }
    schema
}

fn of_shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": ["string", "null"]}),
        Shape::Bool => json!({"type": ["boolean", "null"]}),
        Shape::Number => json!({"type": ["integer", "null"], "minimum": 0}),
        Shape::Duration => json!({"type": ["string", "null"], "pattern": DURATION}),
        Shape::Texts => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        Shape::Gates => json!({"type": ["object", "null"], "additionalProperties": {"type": "boolean"}}),
        Shape::ArgMap => json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}}),
        Shape::ArgList => of_shape(Shape::Items(&[("name", Shape::Text), ("value", Shape::Text)])),
        Shape::Items(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|(name, shape)| ((*name).to_owned(), of_shape(*shape))).collect();
            let item = json!({"type": "object", "additionalProperties": false, "properties": properties});
            json!({"type": ["array", "null"], "items": item})
        }
        Shape::Section | Shape::Opaque => json!({"type": ["object", "null"]}),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
