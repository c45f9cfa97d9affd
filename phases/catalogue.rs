//! The catalogue of phases: every workflow with its phases, what each needs and makes, for people and programs.
//!
//! Made from the tables with example jobs of a machine that is not there; reads and writes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{
    Bootstrap, BootstrapToken, CreateToken, DeleteTokens, Discovered, Init, InitFlags, JoinControlPlane, JoinWorker,
    Layout, RemoveFlags, ResetFlags, UserKubeconfig, resolve_init, resolve_remove, resolve_reset,
};
use crate::plan::{Artifact, OTHER_NAMES, Step, Workflow, walk};
use crate::problem::Problem;
use crate::workflows::{INIT, JOIN_CONTROL_PLANE, KUBECONFIG_USER, REMOVE, RESET, TOKEN_CREATE, TOKEN_DELETE};
use crate::world::{Clock, Entropy, KeyAlgorithm, Overlay, Secret};

/// One row: a phase, or a group that holds those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the workflow, as it is typed.
    pub workflow: &'static str,
    /// Such as `certs/apiserver`.
    pub path: String,
    /// Its one line.
    pub about: &'static str,
    /// Whether it is a group.
    pub is_group: bool,
    /// Other names that kubeadm has for it.
    pub also: Vec<&'static str>,
    /// Files that must be there before.
    pub needs: Vec<Artifact>,
    /// Files that are there afterwards.
    pub makes: Vec<Artifact>,
}

/// All phases of all workflows, in order, with the paths of a node that has kubeadm's defaults.
///
/// # Errors
/// None that a test would not find: the example jobs are complete.
pub fn catalogue() -> Result<Vec<Entry>, Problem> {
    let init = example_init()?;
    let (endpoint, certificate_key) = (init.endpoint.clone(), None);
    // It has all phases of a worker, and its own.
    let join = JoinControlPlane { worker: example_join(&init), endpoint, certificate_key };
    let reset = resolve_reset(&ResetFlags::default(), &example_host())?;
    let remove = resolve_remove(&RemoveFlags { target: "node-2".to_owned(), ..RemoveFlags::default() })?;
    let kubeconfig = init.kubeconfig.clone();
    let ids = init.tokens.iter().map(|spec| spec.token.id().clone()).collect();
    let delete = DeleteTokens { ids, kubeconfig: kubeconfig.clone() };
    let create =
        CreateToken { tokens: init.tokens.clone(), kubeconfig, print_join_command: false, certificate_key: None };
    let user = UserKubeconfig {
        cluster: init.cluster.clone(),
        layout: Layout::default(),
        server: init.cluster.server_url(&init.endpoint),
        client_name: "jane".to_owned(),
        organizations: Vec::new(),
        token: None,
    };
    let mut entries = Vec::new();
    add(&INIT, &init, &mut entries);
    add(&JOIN_CONTROL_PLANE, &join, &mut entries);
    add(&RESET, &reset, &mut entries);
    add(&REMOVE, &remove, &mut entries);
    add(&TOKEN_CREATE, &create, &mut entries);
    add(&TOKEN_DELETE, &delete, &mut entries);
    add(&KUBECONFIG_USER, &user, &mut entries);
    Ok(entries)
}

fn add<J>(workflow: &'static Workflow<J>, job: &J, entries: &mut Vec<Entry>) {
    walk(workflow.steps, "", &mut |path, step| {
        let (needs, makes) = match step {
            Step::Phase(phase) => (phase.needs(job), phase.makes(job)),
            Step::Group { .. } => (Vec::new(), Vec::new()),
        };
        let also = OTHER_NAMES.iter().filter(|other| other.workflow == workflow.name && other.today == path);
        entries.push(Entry {
            workflow: workflow.name,
            path: path.to_owned(),
            about: step.about(),
            is_group: matches!(step, Step::Group { .. }),
            also: also.map(|other| other.path).collect(),
            needs,
            makes,
        });
    });
}

impl Entry {
    /// The command that runs it alone; `None` where the workflow is run as a whole only.
    pub fn command(&self) -> Option<String> {
        let whole = if self.is_group { " all" } else { "" };
        let has_phases = matches!(self.workflow, "init" | "join" | "reset");
        has_phases.then(|| format!("kubestrap {} phase {}{whole}", self.workflow, self.path.replace('/', " ")))
    }

    /// For programs; names are stable.
    pub fn value(&self) -> Value {
        let files = |files: &[Artifact]| -> Vec<Value> {
            files.iter().map(|file| json!({"what": file.what, "path": file.path})).collect()
        };
        json!({
            "workflow": self.workflow, "phase": self.path, "about": self.about, "group": self.is_group,
            "command": self.command(), "also": self.also, "needs": files(&self.needs), "makes": files(&self.makes),
        })
    }
}

/// The tree for people.
pub fn tree(entries: &[Entry]) -> String {
    let mut lines = Vec::new();
    let mut workflow = "";
    for entry in entries {
        if entry.workflow != workflow {
            workflow = entry.workflow;
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(workflow.to_owned());
        }
        let depth = 1 + entry.path.matches('/').count();
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        lines.push(format!("{:<34}{}", format!("{}{name}", "  ".repeat(depth)), entry.about));
        let mut detail = |word: &str, texts: Vec<String>| {
            if !texts.is_empty() {
                lines.push(format!("{:34}{word} {}", "", texts.join(", ")));
            }
        };
        let paths = |files: &[Artifact]| files.iter().map(|file| file.path.display().to_string()).collect();
        detail("also", entry.also.iter().map(|&name| name.to_owned()).collect());
        detail("needs", paths(&entry.needs));
        detail("makes", paths(&entry.makes));
    }
    lines.join("\n")
}

/// A machine with nothing but a runtime.
fn example_host() -> Overlay<'static> {
    let mut host = Overlay::default();
    host.facts.host_name = "node-1".to_owned();
    host.facts.cri_sockets = vec!["/run/containerd/containerd.sock".into()];
    host
}

fn example_init() -> Result<Init, Problem> {
    let flags = InitFlags { apiserver_advertise_address: Some("192.0.2.1".to_owned()), ..InitFlags::default() };
    resolve_init(&flags, &example_host(), Clock(0), &NoEntropy)
}

fn example_join(init: &Init) -> JoinWorker {
    let bootstrap = init.tokens.first().map(|spec| spec.token.clone());
    JoinWorker {
        cluster: init.cluster.clone(),
        node: init.node.clone(),
        discovery: Discovered {
            server: init.cluster.server_url(&init.endpoint),
            ca_pem: String::new(),
            bootstrap: Bootstrap::Token(bootstrap.unwrap_or_else(|| BootstrapToken::random(|| 0))),
            ca_cert_path: init.node.layout.certificate("ca.crt"),
            tls_bootstrap_timeout: Duration::ZERO,
        },
    }
}

/// Examples need no randomness.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn bytes(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }

    fn key_pem(&self, _algorithm: KeyAlgorithm) -> Secret<String> {
        Secret::new(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(workflow: &str, path: &str) -> Entry {
        let found = catalogue().unwrap().into_iter().find(|entry| entry.workflow == workflow && entry.path == path);
        found.unwrap_or_else(|| panic!("{workflow} {path}"))
    }

    #[test]
    fn a_phase_is_told_with_what_it_needs_and_makes() {
        let apiserver = entry("init", "certs/apiserver");
        assert_eq!(apiserver.command().as_deref(), Some("kubestrap init phase certs apiserver"));
        let value = apiserver.value();
        let paths = |field: &str| -> Vec<String> {
            let files = value[field].as_array().unwrap().iter();
            files.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
        };
        assert!(paths("makes").contains(&"/etc/kubernetes/pki/apiserver.crt".to_owned()), "{value}");
        assert!(paths("needs").contains(&"/etc/kubernetes/pki/ca.crt".to_owned()), "{value}");
        assert_eq!(entry("init", "certs").command().as_deref(), Some("kubestrap init phase certs all"));
        assert_eq!(entry("token delete", "delete").command(), None);
        assert_eq!(entry("reset", "cleanup-node").also, ["cleanupnode"]);
    }

    #[test]
    fn every_phase_that_a_phase_command_runs_is_in_the_tree() {
        let entries = catalogue().unwrap();
        let tree = tree(&entries);
        for path in INIT.paths().iter().chain(&JOIN_CONTROL_PLANE.paths()).chain(&RESET.paths()) {
            let name = path.rsplit('/').next().unwrap();
            assert!(tree.lines().any(|line| line.split_whitespace().next() == Some(name)), "{path}\n{tree}");
        }
        assert!(entries.len() > 50, "{}", entries.len());
    }
}
