//! From a document to a draft: every field is looked up in the kind's rows, checked for its shape, and kept with its
//! origin. Values are never repeated in messages here, since any of them may be a secret.

use serde_json::{Map, Value, json};

use super::VERSIONS;
use super::source::Source;
use super::table::{Kind, Shape, Version};
use crate::config::draft::Draft;
use crate::config::duration::parse_duration;
use crate::config::findings::Findings;
use crate::nearest;
use crate::problem::Problem;

/// Reads one document of a known kind into a draft.
pub(super) struct Checker<'a> {
    pub(super) version: &'static Version,
    pub(super) kind: &'static Kind,
    pub(super) source: Source<'a>,
    pub(super) findings: &'a mut Findings,
    pub(super) draft: Draft,
}

impl Checker<'_> {
    /// Reads an object and all below it.
    pub(super) fn object(&mut self, below: &str, object: &Map<String, Value>) {
        for (name, value) in object {
            let path = if below.is_empty() { name.clone() } else { format!("{below}.{name}") };
            if (below.is_empty() && matches!(name.as_str(), "apiVersion" | "kind")) || value.is_null() {
                continue;
            }
            // A name with dots in it is no path.
            let row = self.kind.row(&path).filter(|_| !name.contains('.'));
            if row.is_none() && !self.kind.fields(below).contains(&name.as_str()) {
                self.unknown(&path, name, &self.kind.fields(below));
                continue;
            }
            match row {
                Some(row) if !matches!(row.1, Shape::Section) => {
                    if let Some(value) = self.shaped(row.1, value, &path) {
                        self.draft.say(row.2, value, self.source.origin(&path));
                    }
                }
                section => match value {
                    Value::Object(inner) => {
                        if let Some(row) = section {
                            self.draft.say(row.2, true, self.source.origin(&path));
                        }
                        self.object(&path, inner);
                    }
                    _ => self.wrong_type(Shape::Section, value, &path),
                },
            }
        }
    }

    /// The value in the shape that drafts keep, unless it has another one.
    fn shaped(&mut self, shape: Shape, value: &Value, path: &str) -> Option<Value> {
        match (shape, value) {
            (Shape::Text, Value::String(_)) | (Shape::Bool, Value::Bool(_)) | (Shape::Opaque, Value::Object(_)) => {
                Some(value.clone())
            }
            (Shape::Number, Value::Number(number)) if number.is_i64() || number.is_u64() => Some(value.clone()),
            // Kubernetes reads YAML 1.1, where these are booleans.
            (Shape::Bool, Value::String(word)) if is_boolean_word(word).is_some() => {
                is_boolean_word(word).map(Value::Bool)
            }
            (Shape::Duration, Value::String(text)) => match parse_duration(text) {
                Ok(_) => Some(value.clone()),
                Err(error) => {
                    let origin = self.source.origin(path);
                    self.findings.wrong(
                        "config-bad-duration",
                        &format!("{path} is no duration"),
                        &origin,
                        error,
                        "4m0s",
                    );
                    None
                }
            },
            (Shape::Texts, Value::Array(items)) => {
                self.each(items, path, |checker, item, path| checker.shaped(Shape::Text, item, path))
            }
            (Shape::Gates | Shape::ArgMap, Value::Object(map)) => self.map(shape, map, path),
            (Shape::ArgList, Value::Array(items)) => self.each(items, path, |checker, item, path| {
                const ARG: &[(&str, Shape)] = &[("name", Shape::Text), ("value", Shape::Text)];
                let arg = checker.item(ARG, item, path)?;
                let text = |field: &str| arg.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                Some(json!({"name": text("name"), "value": text("value")}))
            }),
            (Shape::Items(fields), Value::Array(items)) => {
                self.each(items, path, |checker, item, path| checker.item(fields, item, path))
            }
            _ => {
                self.wrong_type(shape, value, path);
                None
            }
        }
    }

    fn each(
        &mut self,
        items: &[Value],
        path: &str,
        mut read: impl FnMut(&mut Self, &Value, &str) -> Option<Value>,
    ) -> Option<Value> {
        let read: Vec<_> =
            items.iter().enumerate().map(|(index, item)| read(self, item, &format!("{path}[{index}]"))).collect();
        read.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
    }

    fn map(&mut self, shape: Shape, map: &Map<String, Value>, path: &str) -> Option<Value> {
        let inner = if matches!(shape, Shape::Gates) { Shape::Bool } else { Shape::Text };
        let mut read = Map::new();
        let mut complete = true;
        for (name, value) in map {
            match self.shaped(inner, value, &format!("{path}.{name}")) {
                Some(value) => drop(read.insert(name.clone(), value)),
                None => complete = false,
            }
        }
        let mut names: Vec<&String> = read.keys().collect();
        names.sort();
        let args = || names.iter().map(|name| json!({"name": name, "value": read[name.as_str()]})).collect();
        let read = if matches!(shape, Shape::ArgMap) { Value::Array(args()) } else { Value::Object(read) };
        complete.then_some(read)
    }

    fn item(&mut self, fields: &'static [(&'static str, Shape)], item: &Value, path: &str) -> Option<Value> {
        let Value::Object(object) = item else {
            self.wrong_type(Shape::Section, item, path);
            return None;
        };
        let mut read = Map::new();
        let mut complete = true;
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let path = format!("{path}.{name}");
            match fields.iter().find(|(field, _)| field == name) {
                None => self.unknown(&path, name, &fields.iter().map(|(field, _)| *field).collect::<Vec<_>>()),
                Some((_, shape)) => match self.shaped(*shape, value, &path) {
                    Some(value) => drop(read.insert(name.clone(), value)),
                    None => complete = false,
                },
            }
        }
        complete.then_some(Value::Object(read))
    }

    fn wrong_type(&mut self, shape: Shape, value: &Value, path: &str) {
        let found = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let hint = match (shape, value) {
            (Shape::Text | Shape::Duration, Value::Bool(_) | Value::Number(_)) => {
                format!("write the value of {path} in double quotes in {}", self.source.file)
            }
            (Shape::ArgMap, Value::Array(_)) => {
                format!("write {path} as a map (name: value), or use apiVersion: kubeadm.k8s.io/v1beta4")
            }
            (Shape::ArgList, Value::Object(_)) => {
                format!("write {path} as a list of name and value, as kubeadm.k8s.io/v1beta4 wants it")
            }
            _ => format!("make {path} {} in {}", shape.wanted(), self.source.file),
        };
        let mut finding = Problem::new("config-wrong-type", format!("{path} has the wrong type"))
            .why(format!("{} is wanted, and {found} stands there", shape.wanted()))
            .fix(hint);
        finding.place = self.source.origin(path).place();
        self.findings.add(finding);
    }

    fn unknown(&mut self, path: &str, name: &str, known: &[&str]) {
        if !self.source.strict {
            return;
        }
        let file = self.source.file;
        let (kind, api) = (self.kind.name, self.version.api);
        let elsewhere = self.version.kinds.iter().find_map(|kind| {
            let section = kind.fields("").into_iter().find(|field| *field == name);
            let inside = || kind.rows().map(|row| row.0).find(|row| row.rsplit('.').next() == Some(name));
            Some((kind, section.or_else(inside)?))
        });
        let other_version =
            VERSIONS.iter().find(|version| version.kind(kind).is_some_and(|kind| kind.rows().any(|row| row.0 == path)));
        let fix = if let Some(version) = other_version {
            format!("{path} belongs to {}: use that version for the whole document in {file}", version.api)
        } else if let Some((owner, path)) = elsewhere {
            format!("move it to {path} of {} in {file}", owner.name)
        } else if let Some(name) = nearest(name, known.iter().copied()) {
            format!("write {name} in {file}")
        } else {
            format!("remove {path} from {file}; known here: {}", known.join(", "))
        };
        let mut finding = Problem::new("config-unknown-field", format!("unknown field {path}"))
            .why(format!("{kind} of {api} has no such field"))
            .fix(fix);
        finding.place = self.source.origin(path).place();
        self.findings.add(finding);
    }
}

/// The words that YAML 1.1 takes for booleans and YAML 1.2 does not.
fn is_boolean_word(word: &str) -> Option<bool> {
    match word {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}
