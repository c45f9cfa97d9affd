//! Status: what this machine is in a cluster, which run is unfinished and what to type, and what is wrong, if anything is.
//!
//! ```text
//! journal ─┐
//! files ───┼─► look ─► Status ─► one screen, or one object
//! cluster ─┘
//! ```
//!
//! Looks only. What cannot be found out is said to be unknown, with the reason; nothing here ends in a failure.

mod look;
mod show;
#[cfg(test)]
mod tests;

pub use look::look;

use std::path::PathBuf;

use crate::plan::UnfinishedRun;
use crate::plan::damage::Damage;
use crate::problem::Problem;
use crate::world::Clock;

/// What this machine is, as seen at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Node name, or the host's where there is no Node.
    pub name: String,
    /// What it is in a cluster.
    pub role: Role,
    /// The moment.
    pub now: Clock,
    /// When the first whole `init` or `join` in the journal began.
    pub since: Option<Clock>,
    /// The run that has to be finished or taken back.
    pub unfinished: Option<UnfinishedRun>,
    /// The process that is at work on it now; `None` where nobody is.
    pub at_work: Option<String>,
    /// The API server that this node talks to; `None` where no kubeconfig names one.
    pub api: Option<Api>,
    /// Members of etcd, or why they are not known; `None` on a node without one.
    pub etcd: Option<Result<Vec<Member>, String>>,
    /// The kubelet's unit.
    pub kubelet: Kubelet,
    /// The certificate that ends first: file and moment.
    pub first_to_expire: Option<(PathBuf, Clock)>,
    /// Files, folders, and files that are no longer as they were written; or why the journal cannot be read.
    pub inventory: Result<Inventory, String>,
    /// What is wrong, each with one cause.
    pub troubles: Vec<Problem>,
}

/// What a machine is in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It runs an API server.
    ControlPlane,
    /// It runs a kubelet alone.
    Worker,
    /// Nothing yet, or nothing any more.
    None,
}

/// An API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// `https://host:port`.
    pub server: String,
    /// Release it says it is, or why it does not answer.
    pub release: Result<String, String>,
}

/// A member of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its node's name.
    pub name: String,
    /// Why it is not well; `None` when it is.
    pub ailment: Option<String>,
}

/// The kubelet of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubelet {
    /// `active`, `activating`, `inactive`, `failed`; empty where there is no unit.
    pub state: String,
    /// What its Node says of itself; `None` where there is no Node to ask for.
    pub node: Option<Result<bool, String>>,
}

/// What is ours on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// How many files.
    pub files: usize,
    /// How many folders.
    pub folders: usize,
    /// Files that are no longer as they were written.
    pub damages: Vec<Damage>,
}

impl Status {
    /// What to type next, where something is to be done.
    pub fn next(&self) -> Vec<String> {
        match &self.unfinished {
            Some(_) if self.at_work.is_some() => Vec::new(),
            Some(run) if run.command == "reset" || run.command == "undo" => {
                vec![format!("kubestrap {}  (goes on where it stopped)", run.command)]
            }
            Some(run) => vec![
                format!("kubestrap {}  with the flags of then (goes on where it stopped)", run.command),
                "kubestrap undo  (takes back what it has made)".to_owned(),
            ],
            None => Vec::new(),
        }
    }
}
