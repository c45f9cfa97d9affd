//! `token list`: the cluster's bootstrap tokens as a table for people and as kubeadm's objects for programs.
//!
//! Pure: reads no cluster. A Secret that is no usable token is a warning and hides no other.

use serde_json::{Value, json};

use super::token::token_of;
use crate::config::TokenSpec;
use crate::problem::Problem;
use crate::world::{Clock, ObjectRef};

/// Query that leaves only Secrets of bootstrap tokens.
pub const QUERY: &str = "fieldSelector=type%3Dbootstrap.kubernetes.io/token";

const HEADS: [&str; 6] = ["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"];
/// kubeadm's columns are at least this wide, and this far from the next.
const WIDTH: usize = 10;
const GAP: usize = 3;

/// Where the Secrets are.
pub fn secrets() -> ObjectRef {
    ObjectRef::new("v1", "Secret", "kube-system", "")
}

/// What Secrets hold: tokens, and a warning for each Secret that holds none.
#[derive(Debug, Default)]
pub struct Held {
    tokens: Vec<TokenSpec>,
    broken: Vec<Problem>,
}

impl Held {
    /// Reads one more Secret, of which only the token is kept.
    pub fn add(&mut self, secret: &Value) {
        match token_of(secret) {
            Ok(token) => self.tokens.push(token),
            Err(why) => self.broken.push(warning(secret, why)),
        }
    }

    /// The tokens in the order of their IDs, and the warnings.
    pub fn sorted(mut self) -> (Vec<TokenSpec>, Vec<Problem>) {
        self.tokens.sort_by(|a, b| a.token.id().as_str().cmp(b.token.id().as_str()));
        (self.tokens, self.broken)
    }
}

fn warning(secret: &Value, why: String) -> Problem {
    let name = secret["metadata"]["name"].as_str().unwrap_or_default();
    Problem::new("token-damaged", format!("Secret kube-system/{name} is no usable bootstrap token"))
        .at(format!("Secret kube-system/{name}"))
        .why(why)
        .fix(format!("remove it: kubectl -n kube-system delete secret {name}"))
}

/// kubeadm's table; empty without tokens.
pub fn table(tokens: &[TokenSpec], now: Clock) -> String {
    if tokens.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(tokens.iter().map(|token| row(token, now)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count() + GAP).max().unwrap_or(0).max(WIDTH);
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<String>().trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn row(spec: &TokenSpec, now: Clock) -> [String; 6] {
    let (ttl, expires) = match spec.expires {
        Some(moment) => (short(moment - now.0), Clock(moment).rfc3339()),
        None => ("<forever>".to_owned(), "<never>".to_owned()),
    };
    let or_none = |text: String| if text.is_empty() { "<none>".to_owned() } else { text };
    [
        spec.token.reveal(),
        ttl,
        expires,
        or_none(spec.usages.join(",")),
        or_none(spec.description.clone()),
        or_none(spec.groups.join(",")),
    ]
}

/// Seconds in the one unit that fits, as Kubernetes writes ages.
fn short(seconds: i64) -> String {
    match seconds {
        ..0 => "<invalid>".to_owned(),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// kubeadm's object of a token; fields without a value are left out.
pub fn object(spec: &TokenSpec) -> Value {
    let mut object = json!({
        "apiVersion": "output.kubeadm.k8s.io/v1alpha3",
        "kind": "BootstrapToken",
        "token": spec.token.reveal(),
    });
    let mut set = |field: &str, value: Value| object[field] = value;
    if !spec.description.is_empty() {
        set("description", json!(spec.description));
    }
    if let Some(expires) = spec.expires {
        set("expires", json!(Clock(expires).rfc3339()));
    }
    if !spec.usages.is_empty() {
        set("usages", json!(spec.usages));
    }
    if !spec.groups.is_empty() {
        set("groups", json!(spec.groups));
    }
    object
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
