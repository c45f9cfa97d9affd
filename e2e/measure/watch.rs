//! When it came: /readyz, a Node, its Ready, a control plane's four Pods. Looked at from this machine, over three
//! connections: /readyz is asked every 50 ms until it answers ok, Nodes and Pods are watched.

use super::api::{Connection, Server};
use super::process::now;
use crate::cluster::is_ready;
use crate::failure::Failure;
use crate::nodes::Node;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(50);

const NODES: &str = "/api/v1/nodes?watch=true";
const CONTROL_PLANE: &str = "/api/v1/namespaces/kube-system/pods?watch=true&labelSelector=tier%3Dcontrol-plane";

/// Watches a cluster from before it is there until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Seen>,
}

/// What can be waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// /readyz answers ok.
    Readyz,
    /// The Node object is there.
    Registered(String),
    /// Its condition Ready is True.
    Ready(String),
    /// etcd, kube-apiserver, kube-controller-manager and kube-scheduler of this node are Ready.
    ControlPlaneReady(String),
}

#[derive(Debug, Default)]
struct Seen {
    times: Mutex<BTreeMap<Sight, f64>>,
    news: Condvar,
    is_over: AtomicBool,
}

impl Watch {
    /// Begins with a node that becomes the first one of a control plane.
    pub(super) fn begin(node: &Node) -> Self {
        let seen = Arc::new(Seen::default());
        let (inner, address, admin) = (seen.clone(), node.address, node.root().join("etc/kubernetes/admin.conf"));
        thread::spawn(move || look(&inner, address, &admin));
        Self { seen }
    }

    /// When it came, on the clock of [`now`]. Waits until it has come.
    pub(super) fn wait(&self, sight: &Sight, within: Duration) -> Result<f64, Failure> {
        let times = self.seen.times.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.seen.news.wait_timeout_while(times, within, |times| !times.contains_key(sight));
        let (times, _) = waited.unwrap_or_else(PoisonError::into_inner);
        times.get(sight).copied().ok_or_else(|| {
            Failure::new(format!("waited {} s in vain for {sight:?}", within.as_secs()), format!("seen: {times:?}"))
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The first time counts.
    fn see(&self, sight: Sight) {
        let at = now();
        self.times.lock().unwrap_or_else(PoisonError::into_inner).entry(sight).or_insert(at);
        self.news.notify_all();
    }
}

fn look(seen: &Arc<Seen>, address: Ipv4Addr, admin: &PathBuf) {
    // The file may be half there.
    let server = repeat(seen, || fs::read_to_string(admin).and_then(|text| Server::of(address, &text)));
    let Some(server) = server else { return };
    // Whatever it answers at first: then it can be watched.
    let Some((mut connection, first)) = repeat(seen, || {
        let mut connection = server.connect()?;
        let first = connection.get("/readyz")?;
        Ok((connection, first))
    }) else {
        return;
    };
    let watched: [(&str, OnEvent); 2] = [(NODES, node_seen), (CONTROL_PLANE, pod_seen)];
    for (path, event) in watched {
        let (seen, server) = (seen.clone(), server.clone());
        thread::spawn(move || watch(&seen, &server, path, event));
    }
    let mut answer = first;
    while answer.0 != 200 && !seen.is_over() {
        thread::sleep(EVERY);
        answer = match connection.get("/readyz") {
            Ok(answer) => answer,
            Err(_) => match server.connect() {
                Ok(fresh) => {
                    connection = fresh;
                    continue;
                }
                Err(_) => continue,
            },
        };
    }
    if answer.0 == 200 {
        seen.see(Sight::Readyz);
    }
}

/// Tries again until it works or the watch is over.
fn repeat<T>(seen: &Seen, mut attempt: impl FnMut() -> io::Result<T>) -> Option<T> {
    while !seen.is_over() {
        if let Ok(value) = attempt() {
            return Some(value);
        }
        thread::sleep(EVERY / 5);
    }
    None
}

/// What to make of an event.
type OnEvent = fn(&Seen, &mut Components, &Value);

/// Which components of a node are Ready.
type Components = BTreeMap<(String, String), bool>;

/// Reads events; a watch that ends begins anew, with what is there.
fn watch(seen: &Seen, server: &Server, path: &str, event: OnEvent) {
    let mut components = Components::new();
    while let Some(mut connection) = repeat(seen, || watching(server, path)) {
        let mut line = Vec::new();
        while !seen.is_over() {
            match connection.more(&mut line) {
                Ok(0) => break,
                Ok(_) => {
                    if let Ok(found) = serde_json::from_slice(&line) {
                        event(seen, &mut components, &found);
                    }
                    line.clear();
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    }
}

fn watching(server: &Server, path: &str) -> io::Result<Connection> {
    let mut connection = server.connect()?;
    match connection.watch(path)? {
        200 => Ok(connection),
        status => Err(io::Error::other(format!("HTTP {status}"))),
    }
}

fn node_seen(seen: &Seen, _: &mut Components, event: &Value) {
    let Some(name) = event["object"]["metadata"]["name"].as_str() else { return };
    if event["type"] == "DELETED" {
        return;
    }
    seen.see(Sight::Registered(name.to_owned()));
    if is_ready(&event["object"]) {
        seen.see(Sight::Ready(name.to_owned()));
    }
}

fn pod_seen(seen: &Seen, components: &mut Components, event: &Value) {
    let pod = &event["object"];
    let component = pod["metadata"]["labels"]["component"].as_str();
    let (Some(node), Some(component)) = (pod["spec"]["nodeName"].as_str(), component) else { return };
    let ready = is_ready(pod) && event["type"] != "DELETED";
    components.insert((node.to_owned(), component.to_owned()), ready);
    if components.iter().filter(|((owner, _), ready)| owner == node && **ready).count() == 4 {
        seen.see(Sight::ControlPlaneReady(node.to_owned()));
    }
}
