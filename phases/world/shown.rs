//! How a dry run shows a change: the whole content where everybody may see it, size and digest where it is a secret.
//!
//! What is shown is decided by what is in it, not by its mode alone: manifests are readable by root only and hold no
//! secret, kubeconfigs hold keys.

use serde_json::{Map, Value, json};

use super::{Change, Content};
use crate::yaml;

/// Keys of a kubeconfig's user that prove who somebody is.
const CREDENTIALS: [&str; 4] = ["client-key-data", "token", "password", "auth-provider"];

impl Change {
    /// The change for programs: the journal's form, with the content, the object, or what is hidden of it.
    pub fn shown_form(&self) -> Value {
        let mut form = self.journal_form();
        match self {
            Self::File { content, mode, .. } => match shown_text(content, *mode) {
                Some(text) => form["content"] = json!(text),
                None => form["hidden"] = json!({"bytes": content.bytes().len()}),
            },
            Self::Object(change) => {
                form["reference"] = form["object"].take();
                form["object"] = object(&change.body).unwrap_or_default();
            }
            Self::Run { command, .. } => form["input"] = json!(command.input),
            _ => {}
        }
        form
    }

    /// The change for people: its summary, and below it, indented, what would be written.
    pub fn shown(&self) -> String {
        let content = match self {
            Self::File { content, mode, .. } => {
                Some(shown_text(content, *mode).map_or_else(|| hidden(content), str::to_owned))
            }
            Self::Object(change) => object(&change.body).map(|object| yaml::write(&object)),
            Self::Run { command, .. } => command.input.clone(),
            _ => None,
        };
        let indented = content.iter().flat_map(|text| text.lines()).map(|line| format!("\n    {line}"));
        std::iter::once(self.summary()).chain(indented).collect()
    }
}

fn hidden(content: &Content) -> String {
    format!("<hidden: {} bytes, sha256:{}>", content.bytes().len(), content.sha256())
}

/// The text of a file without secrets.
fn shown_text(content: &Content, mode: u32) -> Option<&str> {
    let text = std::str::from_utf8(content.bytes()).ok()?;
    if text.contains("PRIVATE KEY-----") {
        return None;
    }
    if mode & 0o044 != 0 || text.starts_with("-----BEGIN ") {
        return Some(text);
    }
    let value: Value = yaml::parse(text).ok()?;
    let is_public = match value["kind"].as_str() {
        Some("Pod") => true,
        Some("Config") => {
            let mut users = value["users"].as_array().into_iter().flatten();
            users.all(|user| CREDENTIALS.iter().all(|key| user["user"][key].is_null()))
        }
        _ => false,
    };
    is_public.then_some(text)
}

/// The object of a change; of a Secret only the names of what it holds. `None` where nothing is sent.
fn object(body: &Content) -> Option<Value> {
    let mut object: Value = serde_json::from_slice(body.bytes()).ok()?;
    for part in ["data", "stringData"] {
        if object["kind"] == "Secret"
            && let Some(held) = object.get_mut(part).and_then(Value::as_object_mut)
        {
            hide(held);
        }
    }
    Some(object)
}

fn hide(held: &mut Map<String, Value>) {
    for value in held.values_mut() {
        let length = value.as_str().map_or(0, str::len);
        *value = json!(format!("<hidden: {length} characters>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Identity, ObjectChange, ObjectRef, Verb};

    fn file(text: &str, mode: u32) -> Change {
        Change::File { path: "/etc/kubernetes/file".into(), content: Content::new(text), mode, like: None }
    }

    fn kubeconfig(user: &str) -> String {
        format!("kind: Config\nusers:\n- name: me\n  user:\n    {user}\n")
    }

    #[test]
    fn keys_and_kubeconfigs_with_keys_are_hidden_and_the_rest_is_shown() {
        for (name, text, mode, is_shown) in [
            ("manifest", "kind: Pod\nmetadata:\n  name: marked\n".to_owned(), 0o600, true),
            ("kubelet's configuration", "marked: true\n".to_owned(), 0o644, true),
            ("certificate", "-----BEGIN CERTIFICATE-----\nmarked\n".to_owned(), 0o644, true),
            ("public key", "-----BEGIN PUBLIC KEY-----\nmarked\n".to_owned(), 0o600, true),
            ("key", "-----BEGIN RSA PRIVATE KEY-----\nmarked\n".to_owned(), 0o600, false),
            ("open key", "-----BEGIN PRIVATE KEY-----\nmarked\n".to_owned(), 0o644, false),
            ("pair", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\nmarked\n".to_owned(), 0o600, false),
            ("kubeconfig with a key", kubeconfig("client-key-data: marked"), 0o600, false),
            ("kubeconfig with a token", kubeconfig("token: marked"), 0o600, false),
            ("kubeconfig that names a file", kubeconfig("client-key: /marked"), 0o600, true),
            ("something else", "marked\n".to_owned(), 0o600, false),
        ] {
            let change = file(&text, mode);
            assert_eq!(change.shown().contains("marked"), is_shown, "{name}: {}", change.shown());
            assert_eq!(change.shown_form().to_string().contains("marked"), is_shown, "{name}");
            assert!(is_shown || change.shown().contains("sha256:"), "{name}");
        }
    }

    #[test]
    fn of_a_secret_only_the_names_are_shown() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "kube-system", "name": "bootstrap-token-abcdef"},
            "data": {"token-secret": "bWFya2Vk"}, "stringData": {"other": "bWFya2Vk"},
        });
        let change = Change::Object(ObjectChange {
            identity: Identity::Kubeconfig("/etc/kubernetes/admin.conf".into()),
            object: ObjectRef::of(&secret),
            verb: Verb::Put,
            body: Content::new(secret.to_string()),
        });
        for shown in [change.shown(), change.shown_form().to_string()] {
            assert!(shown.contains("token-secret") && !shown.contains("bWFya2Vk"), "{shown}");
        }
        assert_eq!(change.shown_form()["object"]["metadata"]["name"], "bootstrap-token-abcdef");
    }
}
