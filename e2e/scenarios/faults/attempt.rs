//! One fault: a node is made and broken, the command meets it, and what it says is kept. A node costs two seconds, so
//! each fault gets its own and none has to be taken back.

use super::report;
use super::table::{Command, Fault, WORDS};
use crate::shared_cluster;
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::logs;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{KUBE_PROXY_CONFIG, KUBERNETES_VERSION, POD_SUBNET, Tool};
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const CONFIG: &str = "/run/kubestrap-e2e/fault.yaml";

/// `discovery` gives up after five minutes, kubeadm's wait for the control plane after four.
const PATIENCE: Duration = Duration::from_secs(400);

/// kubeadm's preflight wants crictl, which Debian does not carry: this one answers what it asks.
const CRICTL: &str = r#"#!/bin/sh
for image; do :; done
case $3 in
info) ctr plugins ls 2>/dev/null | awk '$2 == "cri" && $NF == "ok" {found = 1} END {exit !found}' ;;
inspecti) ctr -n k8s.io images ls -q | grep -qxF "$image" ;;
pull) ctr -n k8s.io images pull "$image" ;;
esac
"#;

/// What the kubelet and the components said last; for faults whose cause was not named.
const LAST_WORDS: &str = r#"journalctl --no-pager -o cat -u kubelet -n 40 | cut -c1-600
for log in /var/log/pods/*/*/*.log; do echo "==> $log"; tail -n 6 "$log" | cut -c1-600; done; ctr -n k8s.io tasks ls"#;

/// The node of the first fault; in a run that is not full, only this one is mended.
const FIRST: &str = "fault-0";

/// What all faults of a run work with.
pub(super) struct Bench<'a> {
    run: &'a Run,
    tool: Tool,
    cluster: Option<&'a Cluster>,
    count: AtomicU32,
    /// Answers are kept.
    is_full: bool,
}

/// A fault and what came of it.
pub(super) struct Attempt<'a> {
    pub(super) fault: &'a Fault,
    /// The problem's id and those of its findings, or why there is none.
    pub(super) ids: Vec<String>,
    /// The problem in one line; kubeadm's last words.
    pub(super) said: String,
    pub(super) seconds: f32,
    /// Why the command did not go on after the fault was mended.
    pub(super) stuck: Option<String>,
    evidence: String,
}

impl<'a> Bench<'a> {
    pub(super) fn new(run: &'static Run, tool: Tool, faults: &[&Fault], is_full: bool) -> Result<Self, Failure> {
        let joins = faults.iter().any(|fault| fault.command == Command::Join);
        let cluster = if joins { Some(shared_cluster(run)?) } else { None };
        Ok(Self { run, tool, cluster, count: AtomicU32::new(0), is_full })
    }

    /// Breaks a new node, and the cluster where the fault is there, and runs the command.
    pub(super) fn attempt<'f>(&self, fault: &'f Fault) -> Result<Attempt<'f>, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let node = Node::create(self.run, &format!("fault-{number}"))?;
        if self.tool == Tool::Kubeadm {
            node.write("/usr/bin/crictl", CRICTL, "0755")?;
        }
        self.on_control_plane(fault.on_cluster)?;
        let outcome = self.attempt_on(&node, fault);
        self.on_control_plane(fault.mends_cluster)?;
        node.destroy()?;
        let attempt = outcome?;
        let mark = if self.tool == Tool::Kubeadm || attempt.is_right() { ' ' } else { '!' };
        let ids = attempt.ids.join(" ");
        say(&format!("{mark} {:<58} {:>5.1} s  {ids:<44} {:.90}", fault.name, attempt.seconds, attempt.said));
        if self.is_full {
            report::keep(self.tool, &attempt)?;
        }
        Ok(attempt)
    }

    fn attempt_on<'f>(&self, node: &Node, fault: &'f Fault) -> Result<Attempt<'f>, Failure> {
        let script = |text: &str| node.script(&format!("ADDRESS={}\n{WORDS}\n{text}", node.address));
        let command = self.command(node, fault)?;
        script(fault.before)?;
        let output = self.run_command(node, &command)?;
        let (ids, said) =
            if self.tool == Tool::Kubeadm { (Vec::new(), kubeadm_said(&output)) } else { kubestrap_said(&output) };
        let mut attempt =
            Attempt { fault, ids, said, seconds: output.took.as_secs_f32(), stuck: None, evidence: String::new() };
        if !attempt.is_right() && self.tool == Tool::Kubestrap {
            let words = node.run(&["sh", "-c", LAST_WORDS]).map(|words| words.stdout).unwrap_or_default();
            attempt.evidence = format!("{output}\n{words}");
            logs::put(&format!("faults/{}.txt", fault.name.replace(['/', ' '], "-")), &attempt.evidence);
        } else if !fault.mends.is_empty() && self.tool == Tool::Kubestrap && (self.is_full || node.name == FIRST) {
            script(fault.mends)?;
            let again = self.run_command(node, &command)?;
            attempt.stuck = (again.code != Some(0)).then(|| format!("{}: {again}", fault.name));
        }
        Ok(attempt)
    }

    fn run_command(&self, node: &Node, command: &str) -> Result<Output, Failure> {
        node.run_with(&["sh", "-c", command], b"", PATIENCE)
    }

    /// The command's words; writes its configuration.
    fn command(&self, node: &Node, fault: &Fault) -> Result<String, Failure> {
        let [a, b, c, _] = node.address.octets();
        let nowhere = format!("{a}.{b}.{c}.251");
        let fill = |text: &str| text.replace("{address}", &node.address.to_string()).replace("{nowhere}", &nowhere);
        let (program, format) = match self.tool {
            Tool::Kubestrap => ("kubestrap", " -o json"),
            Tool::Kubeadm => ("kubeadm", ""),
        };
        let words = match fault.command {
            Command::Init => {
                node.write(CONFIG, &fill(&init_config(fault)), "0600")?;
                format!("init --config {CONFIG} {}", fault.words)
            }
            Command::Join => format!("join {}", self.join_words(fault)?),
        };
        Ok(format!("{} {program} {words}{format}", fault.environment))
    }

    fn join_words(&self, fault: &Fault) -> Result<String, Failure> {
        let cluster = self.cluster.ok_or_else(|| Failure::new("there is no cluster to join", fault.name))?;
        let words = &cluster.join.arguments;
        let after = |flag: &str| {
            let at = words.iter().position(|word| word == flag);
            at.and_then(|at| words.get(at + 1)).map(String::as_str).unwrap_or_default()
        };
        let token = after("--token");
        Ok(fault
            .words
            .replace("{server}", words.first().map(String::as_str).unwrap_or_default())
            .replace("{token}", token)
            .replace("{id}", token.split('.').next().unwrap_or_default())
            .replace("{pin}", after("--discovery-token-ca-cert-hash"))
            .replace("{control-plane}", &cluster.control_plane.name))
    }

    fn on_control_plane(&self, script: &str) -> Result<(), Failure> {
        if let (Some(cluster), false) = (self.cluster, script.is_empty()) {
            let text = format!("export KUBECONFIG=/etc/kubernetes/admin.conf\n{script}");
            cluster.control_plane.run_with(&["sh", "-euc", &text], b"", Duration::from_secs(120))?.success()?;
        }
        Ok(())
    }

    /// Removes the Nodes that joined after their faults were mended.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let names = (0..self.count.load(Ordering::Relaxed)).map(|number| format!("fault-{number}"));
        let names: Vec<String> = names.collect();
        let Some(cluster) = self.cluster else { return Ok(()) };
        let words = ["delete", "nodes", "--ignore-not-found"].into_iter().chain(names.iter().map(String::as_str));
        cluster.kubectl(&words.collect::<Vec<_>>()).map(|_| ())
    }
}

impl Attempt<'_> {
    /// Whether the first thing it names is the cause.
    pub(super) fn is_right(&self) -> bool {
        self.ids.first().is_some_and(|id| self.fault.ids.contains(&id.as_str()))
    }

    pub(super) fn evidence(&self) -> String {
        format!("{}: {:?} instead of {:?}\n{}", self.fault.name, self.ids, self.fault.ids, self.evidence)
    }
}

fn init_config(fault: &Fault) -> String {
    let mut text = format!(
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n{}\n---\n\
         apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: {KUBERNETES_VERSION}\n\
         networking: {{podSubnet: {POD_SUBNET}}}\n{}\n---\n{KUBE_PROXY_CONFIG}",
        fault.init, fault.cluster
    );
    if !fault.kubelet.is_empty() {
        text.push_str("---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n");
        text.push_str(fault.kubelet);
        text.push('\n');
    }
    text
}

/// The ids of the problem that ended the command, and the problem in one line.
fn kubestrap_said(output: &Output) -> (Vec<String>, String) {
    let mut events = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(last) = events.rfind(|event| event["event"] == "problem") else {
        let code = output.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
        return (vec!["none".to_owned()], code);
    };
    let problem = &last["problem"];
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let id = text(problem, "id");
    let findings = problem["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = findings.first().unwrap_or(problem);
    let said = format!("{}: {} [{}]", text(told, "what"), text(told, "why"), text(told, "saw"));
    let ids: Vec<String> = findings.iter().map(|finding| format!("{id}/{}", text(finding, "id"))).collect();
    (if ids.is_empty() { vec![id] } else { ids }, said)
}

/// kubeadm's own words for what went wrong.
fn kubeadm_said(output: &Output) -> String {
    if output.code == Some(0) {
        return "nothing: it ends well".to_owned();
    }
    let lines = || output.stdout.lines().chain(output.stderr.lines()).map(str::trim);
    let errors: Vec<&str> = lines().filter(|line| line.starts_with("[ERROR")).collect();
    let timed_out = lines().find(|line| line.contains("timed out waiting for the condition"));
    // What it finds before its phases begin stands first, above a hint.
    let first = || output.stderr.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('W'));
    let last = lines().rfind(|line| line.starts_with("error")).or_else(first);
    let told = if errors.is_empty() { [timed_out, last].into_iter().flatten().collect() } else { errors };
    let mut told: Vec<&str> = told;
    told.dedup();
    told.join(" · ")
}
