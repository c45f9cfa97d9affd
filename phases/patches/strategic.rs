//! Strategic merge patches, as apimachinery's `strategicpatch.StrategicMergePatch` applies them: objects are merged, lists by their
//! keys (`keys`), and the directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…` are obeyed.
//!
//! Order too is apimachinery's: what a patch adds to a list stands first, what it changes keeps its place.

use serde_json::{Map, Value};

use super::keys::{self, List};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MergeError {
    /// `$patch` with a word that is not known there.
    #[error("{path}: $patch may be {allowed}, not {found}")]
    Directive {
        /// Where.
        path: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// An item of a list without the field that tells it from the others.
    #[error("{path}: an item has no {key}, by which items of this list are told apart")]
    NoKey {
        /// The list.
        path: String,
        /// The field.
        key: &'static str,
    },
    /// An item that is none, or a directive of the wrong shape.
    #[error("{path} must be {wanted}")]
    Shape {
        /// Where.
        path: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A field beside `$retainKeys` that it does not name.
    #[error("{path} is set, and $retainKeys beside it does not name it")]
    NotRetained {
        /// The field.
        path: String,
    },
    /// An item of the patch that `$setElementOrder` leaves out, or puts elsewhere.
    #[error("{path}: its items do not stand in the order of $setElementOrder")]
    Order {
        /// The list.
        path: String,
    },
}

/// Where we are: the path for messages, and the field whose keys hold.
#[derive(Clone)]
struct Place {
    path: String,
    field: String,
}

impl Place {
    fn below(&self, field: &str) -> Self {
        let path = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        Self { path, field: field.to_owned() }
    }

    fn shape(&self, wanted: &'static str) -> MergeError {
        MergeError::Shape { path: self.path.clone(), wanted }
    }
}

/// Applies a patch to an object.
pub(crate) fn merge(original: Value, patch: &Value) -> Result<Value, MergeError> {
    let root = Place { path: String::new(), field: String::new() };
    let Value::Object(patch) = patch else {
        return Err(MergeError::Shape { path: "the patch".to_owned(), wanted: "an object" });
    };
    let original = if let Value::Object(original) = original { original } else { Map::new() };
    Ok(Value::Object(merge_objects(original, patch, &root)?))
}

fn merge_objects(
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
    place: &Place,
) -> Result<Map<String, Value>, MergeError> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(word)) if word == "replace" => return Ok(without_directives(patch)),
        Some(Value::String(word)) if word == "delete" => return Ok(Map::new()),
        Some(other) => return Err(directive(place, other, "replace or delete")),
    }
    retain_keys(&mut original, patch, place)?;
    for (name, value) in patch {
        if name == DIRECTIVE || name == RETAIN_KEYS {
            continue;
        }
        if let Some(name) = name.strip_prefix(DELETE_FROM) {
            delete_items(original.get_mut(name), value, &place.below(name))?;
        } else if let Some(name) = name.strip_prefix(SET_ORDER) {
            let items = patch.get(name);
            set_order(&mut original, name, items, (value, place))?;
        } else if patch.contains_key(&format!("{SET_ORDER}{name}")) {
            // Merged together with its order.
        } else if value.is_null() {
            original.remove(name);
        } else {
            let merged = merge_values(original.remove(name), value, (name, place))?;
            original.insert(name.clone(), merged);
        }
    }
    Ok(original)
}

fn merge_values(original: Option<Value>, patch: &Value, (name, parent): (&str, &Place)) -> Result<Value, MergeError> {
    let place = parent.below(name);
    match (original, patch) {
        (Some(Value::Object(original)), Value::Object(patch)) => {
            Ok(Value::Object(merge_objects(original, patch, &place)?))
        }
        (Some(Value::Array(original)), Value::Array(patch)) => match keys::list(&parent.field, name) {
            Some(List::By(key)) => Ok(Value::Array(merge_lists(original, patch, key, &place)?)),
            Some(List::Set) => Ok(Value::Array(merge_sets(original, patch))),
            None => Ok(Value::Array(patch.iter().filter_map(plain).collect())),
        },
        (_, patch) => Ok(plain(patch).unwrap_or(Value::Null)),
    }
}

/// A value of a patch that meets nothing: as it is, but for its directives and empty fields.
fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.get(DIRECTIVE).is_some_and(|word| word == "delete") => None,
        Value::Object(map) => Some(Value::Object(without_directives(map))),
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(plain).collect())),
        other => Some(other.clone()),
    }
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let fields = map.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    fields.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

/// Drops what `$retainKeys` does not name.
fn retain_keys(original: &mut Map<String, Value>, patch: &Map<String, Value>, place: &Place) -> Result<(), MergeError> {
    let Some(retained) = patch.get(RETAIN_KEYS) else { return Ok(()) };
    let retained = retained.as_array().ok_or_else(|| place.below(RETAIN_KEYS).shape("a list of names"))?;
    let is_retained = |name: &String| retained.iter().any(|known| known == name.as_str());
    let stray = patch.iter().find(|(name, value)| !name.starts_with('$') && !value.is_null() && !is_retained(name));
    if let Some((name, _)) = stray {
        return Err(MergeError::NotRetained { path: place.below(name).path });
    }
    original.retain(|name, _| is_retained(name));
    Ok(())
}

fn delete_items(list: Option<&mut Value>, items: &Value, place: &Place) -> Result<(), MergeError> {
    let items = items.as_array().ok_or_else(|| place.shape("a list"))?;
    if let Some(Value::Array(list)) = list {
        list.retain(|item| !items.contains(item));
    }
    Ok(())
}

/// A list of texts with those of the patch added.
fn merge_sets(original: Vec<Value>, patch: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for item in original.iter().chain(patch) {
        if !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    arrange(merged, patch, &original, |a, b| a == b)
}

fn merge_lists(
    original: Vec<Value>,
    patch: &[Value],
    key: &'static str,
    place: &Place,
) -> Result<Vec<Value>, MergeError> {
    let same = |a: &Value, b: &Value| a[key] == b[key];
    let mut live = original;
    let (mut items, mut is_replaced) = (Vec::new(), false);
    for item in patch {
        let Value::Object(map) = item else { return Err(place.shape("a list of objects")) };
        match map.get(DIRECTIVE) {
            None => items.push(item),
            Some(word) if word == "replace" => is_replaced = true,
            Some(word) if word == "delete" => {
                keyed(item, key, place)?;
                live.retain(|found| !same(found, item));
            }
            Some(word) => return Err(directive(place, word, "delete or replace")),
        }
    }
    if is_replaced {
        return Ok(items.into_iter().filter_map(plain).collect());
    }
    let order = live.clone();
    let mut merged = live;
    for item in &items {
        keyed(item, key, place)?;
        let found = merged.iter_mut().find(|found| same(found, item));
        match (found, item) {
            (Some(found), Value::Object(patch)) => {
                let before = match found.take() {
                    Value::Object(map) => map,
                    _ => Map::new(),
                };
                *found = Value::Object(merge_objects(before, patch, place)?);
            }
            _ => merged.extend(plain(item)),
        }
    }
    let items: Vec<Value> = items.into_iter().cloned().collect();
    Ok(arrange(merged, &items, &order, same))
}

fn keyed(item: &Value, key: &'static str, place: &Place) -> Result<(), MergeError> {
    if item.get(key).is_some() { Ok(()) } else { Err(MergeError::NoKey { path: place.path.clone(), key }) }
}

fn directive(place: &Place, found: &Value, allowed: &'static str) -> MergeError {
    let path = if place.path.is_empty() { "the patch".to_owned() } else { place.path.clone() };
    MergeError::Directive { path, found: found.to_string(), allowed }
}

/// The list `name` with the items of the patch, if any, in the order that is asked for.
fn set_order(
    original: &mut Map<String, Value>,
    name: &str,
    items: Option<&Value>,
    (order, parent): (&Value, &Place),
) -> Result<(), MergeError> {
    let place = parent.below(name);
    let Value::Array(order) = order else { return Err(place.below(SET_ORDER).shape("a list")) };
    let live = original.remove(name);
    let server_order = live.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let key = match keys::list(&parent.field, name) {
        Some(List::By(key)) => Some(key),
        _ => None,
    };
    let same = |a: &Value, b: &Value| match key {
        Some(key) => a[key] == b[key],
        None => a == b,
    };
    let merged = match (live, items) {
        (None, None) => return Ok(()),
        (Some(live), None) => live,
        (live, Some(items)) => {
            let listed = items.as_array().into_iter().flatten().filter(|item| item.get(DIRECTIVE).is_none());
            let mut rest = order.iter();
            if !order.is_empty() && !listed.into_iter().all(|item| rest.any(|ordered| same(ordered, item))) {
                return Err(MergeError::Order { path: place.path });
            }
            merge_values(live, items, (name, parent))?
        }
    };
    let Value::Array(merged) = merged else { return Err(place.shape("a list")) };
    original.insert(name.to_owned(), Value::Array(arrange(merged, order, &server_order, same)));
    Ok(())
}

/// Items of the patch in its order, and between them the others in the order that they had, each before the first item of the
/// patch that stood behind it.
fn arrange(
    merged: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    same: impl Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let at = |order: &[Value], item: &Value| order.iter().position(|known| same(known, item));
    let (mut patched, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| at(patch_order, item).is_some());
    patched.sort_by_key(|item| at(patch_order, item));
    others.sort_by_key(|item| at(server_order, item));
    let mut arranged = Vec::with_capacity(patched.len() + others.len());
    let (mut patched, mut others) = (patched.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_first = match (others.peek(), patched.peek()) {
            (Some(other), Some(item)) => {
                matches!((at(server_order, other), at(server_order, item)), (Some(a), Some(b)) if a < b)
            }
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return arranged,
        };
        arranged.extend(if other_first { others.next() } else { patched.next() });
    }
}
