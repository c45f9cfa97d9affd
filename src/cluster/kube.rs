//! Requests to API servers: objects as JSON over one kept connection per identity. Owns the only async runtime that
//! talks HTTP; asynchrony ends here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use kubestrap_phases::world::{Answer, Cluster, ClusterError, Content, Identity, ObjectChange, ObjectRef, Undo, Verb};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::client::{innermost, open};
use super::paths;
use crate::host::{Linux, Root};

/// Limit for one request, as kubeadm has it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// All API servers, by who asks.
pub(crate) struct ApiServers {
    runtime: Runtime,
    clients: RefCell<HashMap<Asker, (String, Client)>>,
    /// What was read last: the change that follows needs it again.
    last: RefCell<Option<(Identity, ObjectRef, Option<Value>)>>,
    state: PathBuf,
    root: Root,
}

/// Who asks, and when the file with the credentials was written.
type Asker = (Identity, Option<SystemTime>);

struct Response {
    server: String,
    status: u16,
    date: Option<i64>,
    body: Vec<u8>,
}

impl ApiServers {
    /// What an object was before a change is kept in the state folder. Kubeconfigs lie below the root.
    pub(crate) fn new(state: &Path, root: &Root) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime,
            clients: RefCell::default(),
            last: RefCell::default(),
            state: state.to_owned(),
            root: root.clone(),
        })
    }

    /// A kubeconfig that was rewritten since makes a new client.
    fn client(&self, identity: &Identity) -> Result<(String, Client), ClusterError> {
        let written = match identity {
            Identity::Kubeconfig(path) => self.root.target(path).ok().and_then(|path| modified(&path)),
            _ => None,
        };
        let key = (identity.clone(), written);
        if let Some((server, client)) = self.clients.borrow().get(&key) {
            return Ok((server.clone(), client.clone()));
        }
        let opened = self.runtime.block_on(open(identity, &self.root))?;
        self.clients.borrow_mut().insert(key, opened.clone());
        Ok(opened)
    }

    fn send(
        &self,
        identity: &Identity,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Response, ClusterError> {
        let (server, client) = self.client(identity)?;
        let unreachable =
            |cause: String| ClusterError::Unreachable { server: server.clone(), source: io::Error::other(cause) };
        let (content_type, bytes) = body.unwrap_or(("application/json", &[]));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(Body::from(bytes.to_vec()))
            .map_err(|error| unreachable(error.to_string()))?;
        self.runtime.block_on(async {
            let exchange = async {
                let response = client.send(request).await.map_err(|error| unreachable(innermost(&error)))?;
                let status = response.status().as_u16();
                let date =
                    response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).and_then(http_date);
                let body =
                    response.into_body().collect_bytes().await.map_err(|error| unreachable(innermost(&error)))?;
                Ok(Response { server: server.clone(), status, date, body: body.to_vec() })
            };
            match tokio::time::timeout(REQUEST_TIMEOUT, exchange).await {
                Ok(done) => done,
                Err(_) => Err(unreachable(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
            }
        })
    }

    /// The body of a good answer; `None` for 404.
    fn value(&self, response: Response, action: &str) -> Result<Option<Value>, ClusterError> {
        match response.status {
            200..=299 => Ok(Some(serde_json::from_slice(&response.body).unwrap_or(Value::Null))),
            404 => Ok(None),
            status => Err(refusal(response, status, action)),
        }
    }

    /// What eviction is called here: policy/v1 from 1.22 on, policy/v1beta1 before.
    fn eviction(&self, change: &ObjectChange, version: &str) -> Result<Response, ClusterError> {
        let body = json!({
            "apiVersion": version, "kind": "Eviction",
            "metadata": {"namespace": change.object.namespace, "name": change.object.name},
        });
        let path = paths::object(&change.object, Some(Verb::Evict));
        self.send(&change.identity, Method::POST, &path, Some(("application/json", body.to_string().as_bytes())))
    }
}

impl Cluster for ApiServers {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        let response = self.send(identity, Method::GET, &paths::object(object, None), None)?;
        let found = self.value(response, &format!("get {object}"))?;
        self.last.replace(Some((identity.clone(), object.clone(), found.clone())));
        Ok(found)
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        let path = format!("{}?{query}", paths::collection(of));
        let response = self.send(identity, Method::GET, path.trim_end_matches('?'), None)?;
        let found = self.value(response, &format!("list {}", of.kind))?.unwrap_or(Value::Null);
        let items = found.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        // The items of a list do not say what they are.
        let named = items.into_iter().map(|mut item| {
            item["apiVersion"] = Value::from(of.api_version.as_str());
            item["kind"] = Value::from(of.kind.as_str());
            item
        });
        Ok(named.collect())
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        let response = self.send(identity, Method::GET, path, None)?;
        Ok(Answer {
            status: response.status,
            body: String::from_utf8_lossy(&response.body).into_owned(),
            server_time: response.date,
        })
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        if change.verb == Verb::Evict {
            return Ok(Undo::Impossible { why: "an evicted Pod is made anew by its owner, or not at all".to_owned() });
        }
        let found = match self.last.take() {
            Some((identity, object, found)) if identity == change.identity && object == change.object => found,
            _ => self.get(&change.identity, &change.object)?,
        };
        let Some(found) = found else {
            return Ok(Undo::DeleteObject { object: change.object.clone() });
        };
        let before = Content::new(found.to_string());
        let copy = Linux::keep(&self.state, &before)
            .map_err(|source| ClusterError::NotKept { object: change.object.to_string(), source })?;
        Ok(Undo::RestoreObject { object: change.object.clone(), kept: self.root.inside(&copy).unwrap_or(copy) })
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        let path = paths::object(&change.object, None);
        let body = change.body.bytes();
        let json = Some(("application/json", body));
        let action = format!("{} {}", verb_word(change.verb), change.object);
        let response = match change.verb {
            Verb::Put | Verb::Create => {
                let made = self.send(&change.identity, Method::POST, &paths::collection(&change.object), json)?;
                match (made.status, change.verb) {
                    // A Service whose address is taken is refused as invalid although it is the same Service.
                    (409 | 422, Verb::Put) => self.replace(change, &path)?,
                    (409, Verb::Create) => return Ok(()),
                    _ => made,
                }
            }
            Verb::Patch => {
                let kind = "application/strategic-merge-patch+json";
                self.send(&change.identity, Method::PATCH, &path, Some((kind, body)))?
            }
            Verb::Delete => self.send(&change.identity, Method::DELETE, &path, None)?,
            Verb::Evict => {
                let modern = self.eviction(change, "policy/v1")?;
                if modern.status == 400 { self.eviction(change, "policy/v1beta1")? } else { modern }
            }
        };
        match response.status {
            200..=299 => Ok(()),
            404 if matches!(change.verb, Verb::Delete | Verb::Evict) => Ok(()),
            status => Err(refusal(response, status, &action)),
        }
    }
}

impl ApiServers {
    /// Replaces an object, keeping the version it was read in and what the server alone may choose.
    fn replace(&self, change: &ObjectChange, path: &str) -> Result<Response, ClusterError> {
        let mut body: Value = serde_json::from_slice(change.body.bytes()).unwrap_or(Value::Null);
        if let Some(found) = self.get(&change.identity, &change.object)? {
            body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].clone();
        }
        self.send(&change.identity, Method::PUT, path, Some(("application/json", body.to_string().as_bytes())))
    }
}

fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Put | Verb::Create => "apply",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
        Verb::Evict => "evict",
    }
}

fn refusal(response: Response, status: u16, action: &str) -> ClusterError {
    let body = String::from_utf8_lossy(&response.body).into_owned();
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|status| status.get("message").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or(body);
    ClusterError::Refused {
        server: response.server,
        action: action.to_owned(),
        status,
        source: io::Error::other(format!("{status}: {}", message.trim())),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the only form HTTP servers may send (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<i64> {
    const FORM: &[time::format_description::FormatItem<'_>] = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    Some(time::PrimitiveDateTime::parse(text, FORM).ok()?.assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_clock_is_read_from_its_date() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("yesterday"), None);
    }
}
