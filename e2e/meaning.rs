//! What two files or objects mean, compared: YAML and JSON become the same kind of value, and each difference is a
//! line with its path. A null says as much as nothing; texts that hold YAML themselves, as in ConfigMaps, are read.

use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A difference that is meant to be: where, on both sides what, and why.
#[derive(Debug)]
pub struct Accepted {
    /// The end of the difference's line, without what differs before it.
    pub line: &'static str,
    pub reason: &'static str,
}

/// What a real kubeadm 1.20.2 wrote, see testdata/kubeadm.
pub fn golden(path: &str) -> PathBuf {
    crate::checkout().join("testdata/kubeadm/v1.20.2").join(path)
}

/// A golden file with the names of another cluster in it.
pub fn golden_text(path: &str, names: &[(&str, &str)]) -> Result<String, Failure> {
    let path = golden(path);
    let text =
        fs::read_to_string(&path).map_err(|error| Failure::new(format!("cannot read {}", path.display()), error))?;
    Ok(names.iter().fold(text, |text, (theirs, ours)| renamed(&text, theirs, ours)))
}

/// Replaces `from` where it stands as a word of its own.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let inside = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let (mut result, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        result.push_str(before);
        let is_word = !inside(before.chars().next_back()) && !inside(after.chars().next());
        result.push_str(if is_word { to } else { from });
        rest = after;
    }
    result + rest
}

pub fn yaml(what: &Path, text: &str) -> Result<Value, Failure> {
    serde_yaml::from_str(text).map_err(|error| Failure::new(format!("{} is not YAML", what.display()), error))
}

/// One line per difference: `PATH: EXPECTED -> FOUND`, "nothing" for what is not there.
pub fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines
}

/// The lines that no row of the table accepts.
pub fn unexpected(lines: Vec<String>, accepted: &[Accepted]) -> Vec<String> {
    lines.into_iter().filter(|line| !accepted.iter().any(|row| line.ends_with(row.line))).collect()
}

/// Keys and certificates differ from cluster to cluster; that they are there does not.
pub fn without_keys(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let is_key = name.ends_with("-data") && field.as_str().is_some_and(|text| !text.is_empty());
                *field = if is_key { Value::from("(data)") } else { without_keys(field.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_keys(item.take())),
        _ => {}
    }
    value
}

fn compare(path: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}.{key}"), &side(left), &side(right), lines);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}[{index}]"), left, right, lines);
            }
        }
        (Value::String(left), Value::String(right)) if left != right => match (nested(left), nested(right)) {
            (Some(left), Some(right)) => compare(&format!("{path}|"), &left, &right, lines),
            _ => lines.push(format!("{path}: {expected} -> {found}")),
        },
        _ if expected == found => {}
        _ => lines.push(format!("{path}: {} -> {}", shown(expected), shown(found))),
    }
}

fn nested(text: &str) -> Option<Value> {
    let value: Value = serde_yaml::from_str(text).ok()?;
    value.is_object().then_some(value)
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_means_as_much_as_nothing() {
        assert!(differences(&json!({"a": null, "b": 1}), &json!({"b": 1})).is_empty());
    }

    #[test]
    fn a_difference_in_a_nested_text_has_its_path() {
        let (left, right) = (json!({"data": {"c": "x: 1\ny: 2\n"}}), json!({"data": {"c": "y: 2\nx: 3\n"}}));
        assert_eq!(differences(&left, &right), [".data.c|.x: 1 -> 3"]);
    }

    #[test]
    fn only_whole_words_are_renamed() {
        assert_eq!(renamed("m1 m10 am1 name=m1=x", "m1", "cp-1"), "cp-1 m10 am1 name=cp-1=x");
    }
}
