//! Who asked the API server for what, from its own audit log: kubestrap's requests are those that name no program
//! (`userAgent`) and come from the node that it runs on.

use crate::failure::Failure;
use crate::nodes::Node;
use crate::wait::wait_for;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const POLICY_PATH: &str = "/etc/kubestrap-e2e/audit.yaml";
const FOLDER: &str = "/var/log/kubestrap-e2e";
const LOG: &str = "/var/log/kubestrap-e2e/audit.log";

/// Only those who join, and administrators: a control plane's own requests are many, and not what is asked here.
const POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [system:bootstrappers, system:nodes, system:masters, system:unauthenticated]
- level: None
";

/// What `init` has to be told for the log to be written, as part of a ClusterConfiguration.
pub const API_SERVER: &str = "apiServer:
  extraArgs: {audit-policy-file: /etc/kubestrap-e2e/audit.yaml, audit-log-path: /var/log/kubestrap-e2e/audit.log}
  extraVolumes:
  - {name: audit-policy, hostPath: /etc/kubestrap-e2e, mountPath: /etc/kubestrap-e2e, readOnly: true, pathType: Directory}
  - {name: audit-log, hostPath: /var/log/kubestrap-e2e, mountPath: /var/log/kubestrap-e2e, pathType: DirectoryOrCreate}
";

/// Requests by verb, kind and answer, such as `get nodes 404`.
pub type Requests = BTreeMap<String, u64>;

/// A place in the log, from which on requests are counted.
#[derive(Debug)]
pub struct Mark(u64);

/// Lays down the policy; before `init`.
pub fn prepare(node: &Node) -> Result<(), Failure> {
    node.write(POLICY_PATH, POLICY, "0600")?;
    node.ok(&["mkdir", "-p", FOLDER])?;
    Ok(())
}

impl Mark {
    pub fn now(control_plane: &Node) -> Result<Self, Failure> {
        let size = control_plane.ok(&["stat", "--format=%s", LOG])?;
        size.line().parse().map(Self).map_err(|error| Failure::new("the audit log has no size", error))
    }

    /// kubestrap's requests from this node since then. A request is logged a moment after its answer, so that the log
    /// has to stand still.
    pub fn requests_since(&self, control_plane: &Node, from: &Node) -> Result<Requests, Failure> {
        let mut before = None;
        wait_for("the audit log to stand still", Duration::from_secs(30), || {
            let now = self.read(control_plane, from)?;
            let stands_still = before.as_ref() == Some(&now);
            before = Some(now.clone());
            if stands_still { Ok(now) } else { Err(Failure::new("it grows", "")) }
        })
    }

    fn read(&self, control_plane: &Node, from: &Node) -> Result<Requests, Failure> {
        let first = format!("+{}", self.0 + 1);
        let lines = control_plane.ok(&["tail", "-c", &first, LOG])?.stdout;
        let mut requests = Requests::new();
        // The last line may be written at this moment.
        for event in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let is_from_here = event["sourceIPs"][0] == from.address.to_string();
            if is_from_here && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("kubestrap/")) {
                *requests.entry(named(&event)).or_default() += 1;
            }
        }
        Ok(requests)
    }
}

/// Verb, what it is about, and the answer.
fn named(event: &Value) -> String {
    let word = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let path = word("/requestURI").split('?').next().unwrap_or_default();
    let about = if word("/objectRef/resource").is_empty() { path } else { word("/objectRef/resource") };
    let (separator, part) = match word("/objectRef/subresource") {
        "" => ("", ""),
        part => ("/", part),
    };
    format!("{} {about}{separator}{part} {}", word("/verb"), event["responseStatus"]["code"])
}
