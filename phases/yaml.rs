//! YAML: the only module that reads or writes it.
//!
//! Kubernetes reads YAML 1.1: `on`, `y`, `1_000` are no strings there. serde_yaml writes YAML 1.2, so strings that a 1.1
//! reader could take for something else are quoted here, in one place. Keys are sorted and lists are not indented, as
//! kubeadm writes them.

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A text that is no YAML, or YAML of another shape.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(#[from] serde_yaml::Error);

/// Reads all documents of a text; empty ones are left out. A key that comes twice is an error.
///
/// # Errors
/// The first place where the text is not YAML.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        // serde_yaml's own value refuses keys that come twice; serde_json's takes the last.
        let value = serde_yaml::Value::deserialize(document)?;
        if !value.is_null() {
            found.push(serde_yaml::from_value(value)?);
        }
    }
    Ok(found)
}

/// Reads one document into a type.
///
/// # Errors
/// Where the text is not YAML, or not of that shape.
pub fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// Writes a value with sorted keys, two spaces per level, lists not indented, and a newline at the end.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(&mut text, map, 0),
        Value::Array(list) if !list.is_empty() => write_list(&mut text, list, 0),
        scalar => {
            text.push_str(&scalar_text(scalar, 1));
            text.push('\n');
        }
    }
    text
}

fn write_map(text: &mut String, map: &Map<String, Value>, depth: usize) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    for (index, key) in keys.into_iter().enumerate() {
        // The first key of a map inside a list stands behind the dash.
        if index > 0 || !text.ends_with("- ") {
            text.push_str(&"  ".repeat(depth));
        }
        text.push_str(&string_text(key));
        text.push(':');
        match &map[key] {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                write_map(text, inner, depth + 1);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                write_list(text, inner, depth);
            }
            scalar => {
                text.push(' ');
                text.push_str(&scalar_text(scalar, depth + 1));
                text.push('\n');
            }
        }
    }
}

fn write_list(text: &mut String, list: &[Value], depth: usize) {
    for item in list {
        // A list inside a list starts behind the outer dash.
        if !text.ends_with("- ") {
            text.push_str(&"  ".repeat(depth));
        }
        text.push_str("- ");
        match item {
            Value::Object(inner) if !inner.is_empty() => write_map(text, inner, depth + 1),
            Value::Array(inner) if !inner.is_empty() => write_list(text, inner, depth + 1),
            scalar => {
                text.push_str(&scalar_text(scalar, depth + 1));
                text.push('\n');
            }
        }
    }
}

/// Without its own newline at the end.
fn scalar_text(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number_text(&number.to_string()),
        Value::String(string) if is_block(string) => block_text(string, depth),
        Value::String(string) => string_text(string),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// A 1.1 reader knows a number with an exponent by a point before it and a sign in it.
fn number_text(number: &str) -> String {
    let Some((digits, exponent)) = number.split_once('e') else { return number.to_owned() };
    let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}e{sign}{exponent}")
}

/// Texts of several lines become literal blocks, where these can carry them unchanged.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n'])
        && text.chars().all(|c| c == '\n' || (!c.is_control() && !is_special_space(c)))
        && text.lines().all(|line| !line.ends_with(' '))
}

fn block_text(text: &str, depth: usize) -> String {
    let body = text.trim_end_matches('\n');
    let trailing = text.len() - body.len();
    let mut block = match trailing {
        0 => "|-".to_owned(),
        1 => "|".to_owned(),
        _ => "|+".to_owned(),
    };
    for line in body.split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(&"  ".repeat(depth));
            block.push_str(line);
        }
    }
    for _ in 1..trailing {
        block.push('\n');
    }
    block
}

/// A string bare where no reader can misunderstand it, in double quotes elsewhere.
fn string_text(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || is_special_space(c) => {
                let code = u32::from(c);
                let written =
                    if code > 0xffff { write!(quoted, "\\U{code:08x}") } else { write!(quoted, "\\u{code:04x}") };
                written.expect("writing to a string does not fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Line separators and the byte order mark, which YAML readers treat as breaks or drop, and what they take for no
/// character at all.
fn is_special_space(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Plainly a word, path, URL or image: cannot be a number, boolean, date, null, nor start any YAML syntax.
fn is_plain(text: &str) -> bool {
    const WORDS_WITH_MEANING: [&str; 12] =
        ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];
    let first_is_fine = |c: char| c.is_ascii_alphabetic() || c == '/';
    let numeric_start_is_fine = || {
        // An address, a network or a duration starts with a digit and cannot be a number: it has two dots before
        // anything else, or a letter at its end that no number has.
        let dots = text.split(':').next().unwrap_or(text).matches('.').count();
        text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains(['_', 'e', 'E', 'x', 'o', 'b'])
            && (dots > 1 || (!text.contains(':') && text.ends_with(['s', 'm', 'h', 'i'])))
    };
    let flag = || text.starts_with("--") && text.len() > 2 && text[2..].starts_with(|c: char| c.is_ascii_alphabetic());
    let body_is_fine =
        text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:=,@+*$()".contains(c)) && !text.ends_with(':');
    let colon_is_fine = !text.contains(": ");
    !text.is_empty()
        && (text.starts_with(first_is_fine) || numeric_start_is_fine() || flag())
        && body_is_fine
        && colon_is_fine
        && !WORDS_WITH_MEANING.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "yaml_property_tests.rs"]
mod properties;
