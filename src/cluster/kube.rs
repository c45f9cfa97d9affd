//! Requests to API servers: objects as JSON over one kept connection per identity. Owns the only async runtime that
//! talks HTTP; asynchrony ends here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use kubestrap_phases::world::{Answer, Cluster, ClusterError, Content, Identity, ObjectChange, ObjectRef, Undo, Verb};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::client::{innermost, open};
use super::paths;
use crate::host::{Linux, Root};
use crate::time::stop_signal;

/// Limit for one request, as kubeadm has it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a request is sent to a server that has too much to do, as client-go does, and the pause that it asks for.
const TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// How much later than asked for the server may end a watch. One that it ends leaves its connection to the next request.
const WATCH_GRACE: Duration = Duration::from_secs(1);

/// How many objects of a list are asked for at once, as kubectl does.
const PAGE: usize = 500;

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

/// How an answer begins.
struct Head {
    server: String,
    status: u16,
    date: Option<i64>,
    /// It has not looked at the request, and asks to send it again in a second. Other refusals with the same status, such
    /// as of an eviction, are somebody's decision.
    is_of_busy_server: bool,
}

struct Response {
    head: Head,
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
        let (content_type, bytes) = body.unwrap_or(("application/json", &[]));
        let mut tries = 0;
        loop {
            let request = Request::builder().method(method.clone()).uri(path).header(CONTENT_TYPE, content_type);
            let (head, body) = self.begin(identity, request.body(Body::from(bytes.to_vec())))?;
            let response = self.whole(head, body)?;
            tries += 1;
            if !response.head.is_of_busy_server || tries == TRIES {
                return Ok(response);
            }
            std::thread::sleep(BUSY_PAUSE);
        }
    }

    /// Sends a request, until the answer begins.
    fn begin(&self, identity: &Identity, request: http::Result<Request<Body>>) -> Result<(Head, Body), ClusterError> {
        let (server, client) = self.client(identity)?;
        let request = request.map_err(|error| unreachable(&server, error.to_string()))?;
        let response = self.in_time(&server, client.send(request))?;
        let header = |name| response.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let status = response.status().as_u16();
        let date = header(DATE).and_then(http_date);
        let is_of_busy_server = status == 429 && header(RETRY_AFTER) == Some("1");
        Ok((Head { server, status, date, is_of_busy_server }, response.into_body()))
    }

    /// The answer to its end.
    fn whole(&self, head: Head, body: Body) -> Result<Response, ClusterError> {
        let body = self.in_time(&head.server, body.collect_bytes())?;
        Ok(Response { head, body: body.to_vec() })
    }

    fn in_time<T>(&self, server: &str, work: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ClusterError> {
        match self.runtime.block_on(async { tokio::time::timeout(REQUEST_TIMEOUT, work).await }) {
            Ok(done) => done.map_err(|error| unreachable(server, innermost(&error))),
            Err(_) => Err(unreachable(server, format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
        }
    }

    /// The body of a good answer; `None` for 404.
    fn value(&self, response: Response, action: &str) -> Result<Option<Value>, ClusterError> {
        match response.head.status {
            200..=299 => Ok(Some(serde_json::from_slice(&response.body).unwrap_or(Value::Null))),
            404 => Ok(None),
            _ => Err(refusal(response, action)),
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
        let mut found = Vec::new();
        self.each(identity, of, query, &mut |item| found.push(item))?;
        Ok(found)
    }

    fn each(
        &self,
        identity: &Identity,
        of: &ObjectRef,
        query: &str,
        take: &mut dyn FnMut(Value),
    ) -> Result<(), ClusterError> {
        let mut from = String::new();
        loop {
            let path = paths::page(of, query, PAGE, &from);
            let response = self.send(identity, Method::GET, &path, None)?;
            let mut page = self.value(response, &format!("list {}", of.kind))?.unwrap_or(Value::Null);
            if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
                for mut item in items {
                    // The items of a list do not say what they are.
                    item["apiVersion"] = Value::from(of.api_version.as_str());
                    item["kind"] = Value::from(of.kind.as_str());
                    take(item);
                }
            }
            match page.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => next.clone_into(&mut from),
                _ => return Ok(()),
            }
        }
    }

    fn watch(
        &self,
        identity: &Identity,
        object: &ObjectRef,
        within: Duration,
        enough: &mut dyn FnMut(Value) -> bool,
    ) -> Result<(), ClusterError> {
        let request = Request::get(paths::watch(object, within)).body(Body::empty());
        let (head, body) = self.begin(identity, request)?;
        let action = format!("watch {object}");
        if head.status != 200 {
            return Err(refusal(self.whole(head, body)?, &action));
        }
        let mut events = Lines { body, read: Vec::new() };
        let until = Instant::now() + within + WATCH_GRACE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // What is shown may do anything, and so stands outside of the runtime.
            let line = self.runtime.block_on(async {
                tokio::select! {
                    line = tokio::time::timeout(left, events.next()) => line.ok(),
                    () = stopped() => None,
                }
            });
            let Some(line) = line else { return Ok(()) };
            let Some(line) = line.map_err(|error| unreachable(&head.server, innermost(&error)))? else { return Ok(()) };
            let mut event: Value = serde_json::from_slice(&line).unwrap_or_default();
            let shown = event["object"].take();
            if event["type"] == "ERROR" {
                let status = shown["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
                let body = shown.to_string().into_bytes();
                return Err(refusal(Response { head: Head { status, ..head }, body }, &action));
            }
            if matches!(event["type"].as_str(), Some("ADDED" | "MODIFIED")) && enough(shown) {
                return Ok(());
            }
        }
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        let response = self.send(identity, Method::GET, path, None)?;
        Ok(Answer {
            status: response.head.status,
            body: String::from_utf8_lossy(&response.body).into_owned(),
            server_time: response.head.date,
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
                match (made.head.status, change.verb) {
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
                if modern.head.status == 400 { self.eviction(change, "policy/v1beta1")? } else { modern }
            }
        };
        match response.head.status {
            200..=299 => Ok(()),
            404 if matches!(change.verb, Verb::Delete | Verb::Evict) => Ok(()),
            _ => Err(refusal(response, &action)),
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

/// The lines of an answer, as they come.
struct Lines {
    body: Body,
    read: Vec<u8>,
}

impl Lines {
    /// `None` at the end. Nothing is lost where it is not waited for to the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, kube::Error> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.read.drain(..=end).collect()));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame?.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}

fn unreachable(server: &str, cause: String) -> ClusterError {
    ClusterError::Unreachable { server: server.to_owned(), source: io::Error::other(cause) }
}

fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Put | Verb::Create => "apply",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
        Verb::Evict => "evict",
    }
}

fn refusal(response: Response, action: &str) -> ClusterError {
    let body = String::from_utf8_lossy(&response.body).into_owned();
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|status| status.get("message").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or(body);
    ClusterError::Refused {
        server: response.head.server,
        action: action.to_owned(),
        status: response.head.status,
        source: io::Error::other(format!("{}: {}", response.head.status, message.trim())),
    }
}

/// Comes to its end when a signal asks the program to stop.
async fn stopped() {
    match stop_signal().and_then(|stop| UnixStream::from_std(stop).ok()) {
        Some(stop) => drop(stop.readable().await),
        None => std::future::pending().await,
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
#[path = "kube_tests.rs"]
mod tests;
