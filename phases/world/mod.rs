//! The world: everything outside the program, behind ports.
//!
//! Queries are methods of the ports; changes are values, and all of them go through `World::change`, which works out the
//! way back, writes both to the journal, makes the change and marks it done. A dry run and a test are other worlds, never
//! a branch inside a phase.

mod change;
mod cluster;
mod content;
mod entropy;
mod etcd;
mod host;
mod overlay;
mod overlay_etcd;
mod progress;
mod time;

pub use change::{Change, ObjectChange, Undo, UnitAction, UnmountFlag, Verb};
pub use cluster::{Answer, Cluster, ClusterError, HiddenToken, Identity, ObjectRef};
pub use content::{Content, Secret, sha256_hex};
pub use entropy::{Entropy, KeyAlgorithm};
pub use etcd::{Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus, MemberAction, MemberChange, MemberId};
pub use host::{
    Command, ContainerInfo, DiskLatency, Facts, FileInfo, FileKind, Host, HostError, ImagePull, Interface, Mount,
    Output, Peer, PortOwner, Probed, Probes, Route, RuntimeStatus, Sandbox, Space, UnitState,
};
pub use overlay::Overlay;
pub use progress::{Event, Progress};
pub use time::{Clock, Probe, Time, Wait, WaitError, interrupted};

use std::time::Duration;

use crate::plan::{Entry, Journal};
use crate::problem::Problem;

/// kubeadm's `kubernetesAPICall`.
pub const API_CALL_LIMIT: Duration = Duration::from_secs(60);

/// The ports together, and the one door for changes.
pub struct World<'a> {
    host: &'a dyn Host,
    cluster: &'a dyn Cluster,
    etcd: &'a dyn Etcd,
    time: &'a dyn Time,
    entropy: &'a dyn Entropy,
    progress: &'a dyn Progress,
    journal: &'a Journal<'a>,
    api_call_limit: Duration,
}

impl<'a> World<'a> {
    /// Puts the ports together.
    pub fn new(
        host: &'a dyn Host,
        (cluster, etcd): (&'a dyn Cluster, &'a dyn Etcd),
        time: &'a dyn Time,
        (entropy, progress): (&'a dyn Entropy, &'a dyn Progress),
        journal: &'a Journal<'a>,
    ) -> Self {
        Self { host, cluster, etcd, time, entropy, progress, journal, api_call_limit: API_CALL_LIMIT }
    }

    /// The same with another limit for calls of the API server.
    #[must_use]
    pub fn with_api_call_limit(mut self, limit: Duration) -> Self {
        self.api_call_limit = limit;
        self
    }

    /// How long a call of the API server is tried again that fails for a reason which may pass.
    pub fn api_call_limit(&self) -> Duration {
        self.api_call_limit
    }

    /// The machine, to look at.
    pub fn host(&self) -> &dyn Host {
        self.host
    }

    /// API servers, to look at.
    pub fn cluster(&self) -> &dyn Cluster {
        self.cluster
    }

    /// etcd's own API, to look at.
    pub fn etcd(&self) -> &dyn Etcd {
        self.etcd
    }

    /// Clock and waiting.
    pub fn time(&self) -> &dyn Time {
        self.time
    }

    /// Random bytes and key pairs.
    pub fn entropy(&self) -> &dyn Entropy {
        self.entropy
    }

    /// What has been done on this node so far.
    pub fn journal(&self) -> &Journal<'a> {
        self.journal
    }

    /// Tells the person what goes on.
    pub fn tell(&self, event: Event<'_>) {
        self.progress.event(event);
    }

    /// Tells one fact about the current phase; shown beside its name when it is finished.
    pub fn note(&self, text: &str) {
        self.tell(Event::Note(text));
    }

    /// The one door through which the program changes anything.
    ///
    /// # Errors
    /// When the user has asked to stop, the way back cannot be worked out, the journal cannot be written, or the change itself fails.
    pub fn change(&self, change: &Change) -> Result<(), Problem> {
        if self.time.is_interrupted() {
            return Err(interrupted());
        }
        self.journal.open()?;
        let undo = match change {
            Change::Object(object) => self.cluster.prepare(object)?,
            Change::Member(member) => self.etcd.prepare(member)?,
            _ => self.host.prepare(change)?,
        };
        let entry: Entry = self.journal.intend(change, &undo)?;
        self.tell(Event::Changing(change));
        match change {
            Change::Object(object) => self.cluster.apply(object)?,
            Change::Member(member) => self.etcd.apply(member)?,
            _ => self.host.apply(change)?,
        }
        self.journal.done(entry)
    }

    /// Writes a file unless it is already there with this content and mode. Says whether anything was changed.
    ///
    /// # Errors
    /// When the file cannot be looked at or written.
    pub fn put_file(&self, path: &std::path::Path, content: Content, mode: u32) -> Result<bool, Problem> {
        if let Some(found) = self.host.stat(path)?
            && found.kind == FileKind::File
            && found.mode & 0o7777 == mode
            && self.host.read(path)?.as_deref() == Some(content.bytes())
        {
            return Ok(false);
        }
        if let Some(parent) = path.parent() {
            self.put_folder(parent, 0o755)?;
        }
        self.change(&Change::File { path: path.to_owned(), content, mode })?;
        Ok(true)
    }

    /// Makes a folder and those above it unless they are there; an existing folder keeps its mode.
    ///
    /// # Errors
    /// When a folder cannot be looked at or made.
    pub fn put_folder(&self, path: &std::path::Path, mode: u32) -> Result<bool, Problem> {
        if self.host.stat(path)?.is_some() {
            return Ok(false);
        }
        if let Some(parent) = path.parent() {
            self.put_folder(parent, 0o755)?;
        }
        self.change(&Change::Folder { path: path.to_owned(), mode })?;
        Ok(true)
    }
}
