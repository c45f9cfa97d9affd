//! The node on which `init` and `reset` are broken off: one for all scenarios here, as it was before after each of them,
//! and what both do there when nothing breaks them off. Other people's things lie on it all the time.

use super::ends;
use crate::foreign;
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::Breaker;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};
use kubestrap_e2e::wait::wait_for;
use std::sync::{Mutex, PoisonError};

const NAME: &str = "killed";

pub(super) struct Lab {
    pub(super) node: Node,
    pub(super) breaker: Breaker,
    /// Lines of the journal that an unbroken run writes.
    pub(super) init_lines: u64,
    pub(super) reset_lines: u64,
    files: Vec<String>,
    objects: Vec<String>,
}

/// A lab that nobody left in disorder.
static FREE: Mutex<Option<Lab>> = Mutex::new(None);

/// Lends the lab; after a failure its node stays for the logs, and the next one who wants a lab gets a new one.
pub(super) fn lend<T>(run: &Run, body: impl FnOnce(&Lab) -> Result<T, Failure>) -> Result<T, Failure> {
    let lab = Lab::open(run)?;
    let outcome = body(&lab)?;
    lab.give_back();
    Ok(outcome)
}

impl Lab {
    pub(super) fn open(run: &Run) -> Result<Self, Failure> {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).take();
        free.map_or_else(|| Self::make(run), Ok)
    }

    pub(super) fn give_back(self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    fn make(run: &Run) -> Result<Self, Failure> {
        if let Ok(left) = Node::load(&run.record, NAME) {
            left.destroy()?;
        }
        let node = Node::create(run, NAME)?;
        let breaker = Breaker::build(run)?;
        foreign::lay(&node)?;
        let mut lab = Self { node, breaker, init_lines: 0, reset_lines: 0, files: Vec::new(), objects: Vec::new() };
        let (output, lines) = lab.breaker.count(&lab.node, &lab.init_command()?)?;
        let cluster = lab.cluster(run, &output)?;
        lab.init_lines = lines;
        lab.files = ends::of_node(&lab.node, &[])?;
        lab.objects = ends::of_cluster(&cluster)?;
        (_, lab.reset_lines) = lab.breaker.count(&lab.node, &Self::RESET)?;
        say(&format!("unbroken: init writes {lines} lines of the journal, reset {}", lab.reset_lines));
        Ok(lab)
    }

    pub(super) const RESET: [&str; 3] = ["kubestrap", "reset", "--force"];

    /// The command of all runs of `init` here.
    pub(super) fn init_command(&self) -> Result<Vec<&'static str>, Failure> {
        Ok([vec!["kubestrap", "init"], Tool::Kubestrap.init_flags(&self.node)?].concat())
    }

    /// Runs `init` to its end.
    pub(super) fn init(&self, run: &Run) -> Result<Cluster, Failure> {
        let output = self.node.run_with(&self.init_command()?, b"", PATIENCE)?.success()?;
        say(&format!("kubestrap init on {}: {:.1} s", self.node.name, output.took.as_secs_f32()));
        self.cluster(run, &output)
    }

    fn cluster(&self, run: &Run, output: &Output) -> Result<Cluster, Failure> {
        Cluster::adopt(run, Node::load(&run.record, &self.node.name)?, JoinCommand::parse(&output.stdout)?)
    }

    /// `init` has ended as it ends unbroken, and the token that it printed last is the one that there is.
    pub(super) fn ended_well(&self, cluster: &Cluster) -> Result<(), Failure> {
        wait_for("/readyz to say ok", SETTLES, || {
            let ready = cluster.kubectl(&["get", "--raw", "/readyz"])?;
            expect(ready.stdout == "ok", "it does not say ok", ready)
        })?;
        ends::same("files are", &self.files, &ends::of_node(&self.node, &[])?)?;
        ends::same("objects are", &self.objects, &ends::of_cluster(cluster)?)?;
        let position = cluster.join.arguments.iter().position(|word| word == "--token");
        let token = position.and_then(|at| cluster.join.arguments.get(at + 1)).map_or("", String::as_str);
        let name = format!("bootstrap-token-{}", token.split('.').next().unwrap_or_default());
        cluster.kubectl(&["--namespace", "kube-system", "get", "secret", &name]).map(|_| ())
    }

    /// Runs `reset` to its end.
    pub(super) fn reset(&self) -> Result<Output, Failure> {
        self.node.run_with(&Self::RESET, b"", PATIENCE)?.success()
    }

    /// Lays what a power cut took.
    pub(super) fn lay_foreign_things(&self) -> Result<(), Failure> {
        foreign::lay(&self.node)
    }

    pub(super) fn foreign_things_work(&self) -> Result<(), Failure> {
        foreign::works(&self.node)
    }
}
