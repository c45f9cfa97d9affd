//! How many requests each command sends to the API server: counted in its audit log, by user agent, in a cluster of its own
//! that is not timed.

use super::pair::name;
use super::results::Results;
use super::small::TOOLS;
use super::subject::{Bench, join_words, reset_words, settled};
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::{JoinCommand, KUBE_PROXY_CONFIG, KUBERNETES_VERSION, POD_SUBNET, Tool};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;

const CONFIG: &str = "/run/kubestrap-e2e/audited.yaml";
const POLICY: &str = "/etc/kubernetes-audit/policy.yaml";
const LOG: &str = "/var/log/kubernetes-audit/audit.log";

const EVERYTHING: &str =
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";

fn config() -> String {
    format!(
        "apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: {KUBERNETES_VERSION}
networking:
  podSubnet: {POD_SUBNET}
apiServer:
  extraArgs:
    audit-policy-file: {POLICY}
    audit-log-path: {LOG}
  extraVolumes:
  - {{name: audit-policy, hostPath: {POLICY}, mountPath: {POLICY}, readOnly: true, pathType: File}}
  - {{name: audit-log, hostPath: /var/log/kubernetes-audit, mountPath: /var/log/kubernetes-audit, pathType: DirectoryOrCreate}}
---
{KUBE_PROXY_CONFIG}"
    )
}

/// The commands whose requests are counted.
pub(super) const COMMANDS: [&str; 3] = ["init", "join-later", "reset"];

pub(super) fn count(bench: &Bench<'_>, results: &mut Results) -> Result<(), Failure> {
    for tool in TOOLS {
        let counted = count_of(bench, tool)?;
        for command in COMMANDS {
            let number = &counted[command]["requests"];
            let _ = writeln!(std::io::stdout(), "   {:<9} requests           {command} {number}", tool.program());
        }
        results.requests[tool.program()] = counted;
    }
    Ok(())
}

fn count_of(bench: &Bench<'_>, tool: Tool) -> Result<Value, Failure> {
    let mut nodes = bench.nodes(tool, &[name(tool, 0, "cp"), name(tool, 0, "1")])?.into_iter();
    let (Some(first), Some(worker)) = (nodes.next(), nodes.next()) else {
        return Err(Failure::new("there are no nodes", ""));
    };
    first.write(CONFIG, &config(), "0600")?;
    first.write(POLICY, EVERYTHING, "0644")?;
    let mut log = Log::default();
    let output = bench.on(&first, &[tool.program(), "init", "--config", CONFIG].map(str::to_owned))?;
    let init = log.more(&first, tool)?;
    let mut cluster = Cluster::adopt(bench.run, first, JoinCommand::parse(&output.stdout)?)?;
    let join = settled(&cluster, tool)?;
    log.more(&cluster.control_plane, tool)?;
    bench.on(&worker, &join_words(tool, &join))?;
    let join = log.more(&cluster.control_plane, tool)?;
    bench.on(&worker, &reset_words(tool))?;
    let reset = log.more(&cluster.control_plane, tool)?;
    cluster.workers.push(worker);
    cluster.destroy()?;
    Ok(COMMANDS.into_iter().map(str::to_owned).zip([init, join, reset]).collect())
}

/// What of an audit log has been counted.
#[derive(Debug, Default)]
struct Log {
    seen: BTreeSet<String>,
}

impl Log {
    /// Requests since the last call: the tool's own, and all by the first word of their user agent.
    fn more(&mut self, node: &Node, tool: Tool) -> Result<Value, Failure> {
        let path = node.root().join(LOG.trim_start_matches('/'));
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("cannot read {}", path.display()), error))?;
        let mut agents: BTreeMap<String, usize> = BTreeMap::new();
        let mut own = Vec::new();
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            // A watch is told twice, when it begins and when it ends.
            if !self.seen.insert(event["auditID"].as_str().unwrap_or_default().to_owned()) {
                continue;
            }
            let agent = event["userAgent"].as_str().unwrap_or_default();
            let agent = agent.split(['/', ' ']).next().unwrap_or_default();
            *agents.entry(agent.to_owned()).or_default() += 1;
            if agent == tool.program() {
                let uri = event["requestURI"].as_str().unwrap_or_default();
                own.push(format!("{} {uri}", event["verb"].as_str().unwrap_or_default()));
            }
        }
        Ok(json!({"requests": own.len(), "own": own, "by-user-agent": agents}))
    }
}
