//! Undo: takes back what the last run has made, newest change first, and leaves what was there before it.
//!
//! ```text
//! objects ─ update-cluster-status ─ remove-etcd-member ─ delete-node ─ cleanup-node ─ changes
//! ```
//!
//! Where the run has brought up a kubelet, Pods and volumes have come with it: the phases of reset end these, and see only
//! what this run has made, since its journal shows them nothing else.

mod changes;
mod objects;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::config::{NodeConfig, OnNode, Reset};
use crate::plan::{LastRun, Phase, Recorded, Step, Verdict};
use crate::problem::Problem;
use crate::reset::{
    CleanFiles, CleanIptables, DeleteNode, RemoveEtcdMember, RemovePods, StopKubelet, Unmount, UpdateClusterStatus,
};
use crate::world::{Undo, World};

pub use changes::TakeBack;
pub use objects::Objects;

/// What `undo` has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoRun {
    /// This machine, as reset sees it.
    pub reset: Reset,
    /// The run's changes in their order.
    pub changes: Vec<Recorded>,
    /// Whether the run has made a node of this machine, whose kubelet is there now.
    pub made_node: bool,
    /// Whether the run has made the cluster whose objects it changed, and which ends with this node.
    pub made_cluster: bool,
}

impl UndoRun {
    /// The job that takes back the last run.
    pub fn of(last: &LastRun<'_>, reset: Reset) -> Self {
        let changes = last.changes().to_vec();
        let has = |kind: &str, field: &str, value: &str| {
            changes.iter().any(|done| done.text("kind") == kind && done.text(field) == value)
        };
        let layout = &reset.node.layout;
        let wrote = |path: std::path::PathBuf| has("file", "path", &path.to_string_lossy());
        let has_credentials =
            ["kubelet.conf", "bootstrap-kubelet.conf"].iter().any(|file| wrote(layout.kubeconfig(file)));
        let made_node = has("unit", "name", "kubelet.service") && has_credentials;
        let made_cluster = last.command() == "init" && wrote(layout.manifest("etcd"));
        let reset = Reset { skip_drain: true, force: true, ..reset };
        Self { reset, changes, made_node, made_cluster }
    }

    /// What stays as it is, since there is no way back: why, each once.
    pub fn impossible(&self) -> Vec<&str> {
        let adds_member = self.changes.iter().any(|done| matches!(done.undo, Undo::RemoveMember { .. }));
        let reasons = self.changes.iter().filter_map(|done| match &done.undo {
            // A member that the run has added is removed whole.
            Undo::Impossible { .. } if adds_member && done.text("kind") == "member" => None,
            Undo::Impossible { why } => Some(why.as_str()),
            _ => None,
        });
        let mut seen = BTreeSet::new();
        reasons.filter(|why| seen.insert(*why)).collect()
    }
}

/// What stopped the undo, beside what had stopped the run.
#[must_use]
pub fn half_way(problem: Problem, last: &LastRun<'_>) -> Problem {
    let first = last.failure().map(|(id, what)| format!("the {} had ended with {id}: {what}", last.command()));
    let saw = [problem.saw.clone(), first].into_iter().flatten().collect::<Vec<_>>().join("\n");
    Problem {
        what: format!("the undo stopped half-way: {}", problem.what),
        saw: Some(saw).filter(|saw| !saw.is_empty()),
        ..problem
    }
    .fix("then go on with it: kubestrap undo")
}

impl OnNode for UndoRun {
    fn node(&self) -> &NodeConfig {
        &self.reset.node
    }
}

impl Step<UndoRun> {
    /// What the kubelet and its Pods have left, as reset removes it.
    pub const UNDO_NODE: Self = Self::Group {
        name: "cleanup-node",
        about: "stops the kubelet that the run has brought up, and removes what it has made",
        steps: &[
            Self::Phase(&OfReset(&StopKubelet)),
            Self::Phase(&OfReset(&RemovePods)),
            Self::Phase(&OfReset(&Unmount)),
            Self::Phase(&OfReset(&CleanFiles)),
            Self::Phase(&OfReset(&CleanIptables)),
        ],
    };
    /// As reset takes a node out of its cluster.
    pub const UNDO_STATUS: Self = Self::Phase(&OfReset(&UpdateClusterStatus));
    /// As reset takes a node out of its cluster.
    pub const UNDO_MEMBER: Self = Self::Phase(&OfReset(&RemoveEtcdMember));
    /// As reset takes a node out of its cluster.
    pub const UNDO_REGISTRATION: Self = Self::Phase(&OfReset(&DeleteNode));
}

/// A phase of reset, done where the run has made a node.
pub struct OfReset(&'static dyn Phase<Reset>);

impl Phase<UndoRun> for OfReset {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn about(&self) -> &'static str {
        self.0.about()
    }

    fn verdict(&self, job: &UndoRun) -> Verdict {
        if job.made_node { self.0.verdict(&job.reset) } else { Verdict::Foreign("the run has made no node".to_owned()) }
    }

    fn run(&self, job: &UndoRun, world: &World<'_>) -> Result<(), Problem> {
        self.0.run(&job.reset, world)
    }
}
