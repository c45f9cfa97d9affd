//! The world: everything outside the program, behind ports.
//!
//! Queries are methods of the ports; changes are values, and all of them go through `World::change`, which works out the
//! way back, writes both to the journal, makes the change and marks it done. A dry run and a test are other worlds, never
//! a branch inside a phase.

mod account;
mod change;
mod cluster;
mod content;
mod dry;
mod entropy;
mod etcd;
mod host;
mod overlay;
mod overlay_etcd;
mod presumed;
mod progress;
mod shown;
mod time;

pub use account::Account;
pub use change::{Change, ObjectChange, Undo, UnitAction, UnmountFlag, Verb};
pub use cluster::{Answer, Cluster, ClusterError, HiddenToken, Identity, ObjectRef};
pub use content::{Content, Secret, sha256_hex};
pub use dry::DryRun;
pub use entropy::{Entropy, KeyAlgorithm};
pub use etcd::{Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus, MemberAction, MemberChange, MemberId};
pub use host::{
    Command, ContainerInfo, DiskLatency, Facts, FileInfo, FileKind, Host, HostError, ImagePull, Interface, Mount,
    Output, Peer, PortOwner, Probed, Probes, Route, RuntimeStatus, Sandbox, Space, UnitState,
};
pub(crate) use host::{full_disk_fixes, is_full};
pub use overlay::Overlay;
pub use presumed::Presumed;
pub use progress::{Event, Progress};
pub use time::{Clock, Probe, Time, Wait, WaitError, interrupted};

use std::path::Path;
use std::time::Duration;

use crate::plan::Journal;
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
    dry: Option<DryRun>,
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
        Self { host, cluster, etcd, time, entropy, progress, journal, api_call_limit: API_CALL_LIMIT, dry: None }
    }

    /// The same with another limit for calls of the API server.
    #[must_use]
    pub fn with_api_call_limit(mut self, limit: Duration) -> Self {
        self.api_call_limit = limit;
        self
    }

    /// The world of a dry run: what it is made of keeps changes in memory, and what would stop a real run is told.
    #[must_use]
    pub fn dry(mut self, dry: &DryRun) -> Self {
        self.dry = Some(dry.clone());
        self
    }

    /// How long a call of the API server is tried again that fails for a reason which may pass.
    pub fn api_call_limit(&self) -> Duration {
        self.api_call_limit
    }

    /// The findings of the dry run, where it is one.
    pub(crate) fn dry_run(&self) -> Option<&DryRun> {
        self.dry.as_ref()
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
        if !self.dry.as_ref().is_some_and(DryRun::is_supposing) {
            self.progress.event(event);
        }
    }

    /// Tells one fact about the current phase; shown beside its name when it is finished.
    pub fn note(&self, text: &str) {
        self.tell(Event::Note(text));
    }

    /// What keeps a run from going on. It ends a real run; a dry run tells each of its findings once, as a warning, and
    /// goes on, so that its list of changes is complete.
    ///
    /// # Errors
    /// The problem itself, in a real run.
    pub fn refuse(&self, problem: Problem) -> Result<(), Problem> {
        let Some(dry) = &self.dry else { return Err(problem) };
        let stops = if problem.findings.is_empty() { vec![problem] } else { problem.findings };
        for stop in stops.into_iter().filter(|stop| dry.is_new_stop(&stop.id)) {
            let what = format!("would stop the real run: {}", stop.what);
            self.tell(Event::Warning(&Problem { what, ..stop }));
        }
        Ok(())
    }

    /// Ends a phase that cannot be done to a tree of files in which no system runs.
    ///
    /// # Errors
    /// `rootfs-not-running`, when `--rootfs` names such a tree.
    pub fn needs_running_system(&self, action: &str) -> Result<(), Problem> {
        match self.host.rootfs() {
            Some(root) => Err(HostError::not_running(action, root).into()),
            None => Ok(()),
        }
    }

    /// The one door through which the program changes anything.
    ///
    /// # Errors
    /// When the user has asked to stop, the way back cannot be worked out, the journal cannot be written, or the change itself fails.
    pub fn change(&self, change: &Change) -> Result<(), Problem> {
        self.change_all(std::slice::from_ref(change))
    }

    /// Several changes, none of which decides how another is taken back. The disk is waited for once: before all of them, for
    /// their copies and lines, and after.
    ///
    /// # Errors
    /// As `change`; what comes after the change that fails is not made.
    pub fn change_all(&self, changes: &[Change]) -> Result<(), Problem> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.time.is_interrupted() {
            return Err(interrupted());
        }
        self.journal.open()?;
        let ways_back = changes.iter().map(|change| self.way_back(change)).collect::<Result<Vec<_>, _>>()?;
        self.host.settle()?;
        let entries = self.journal.intend(changes, &ways_back)?;
        let mut made = 0;
        let outcome = changes.iter().try_for_each(|change| {
            if made > 0 && self.time.is_interrupted() {
                return Err(interrupted());
            }
            self.apply(change)?;
            made += 1;
            Ok(())
        });
        let settled = self.host.settle();
        for entry in entries.into_iter().take(if settled.is_ok() { made } else { 0 }) {
            self.journal.done(entry)?;
        }
        outcome?;
        Ok(settled?)
    }

    fn way_back(&self, change: &Change) -> Result<Undo, Problem> {
        Ok(match change {
            Change::Object(object) => match self.cluster.prepare(object) {
                // Whether a run may go on with a full disk is decided by its journal, next.
                Err(ClusterError::NotKept { source, .. }) if source.is_disk_full() => no_copy(),
                prepared => prepared?,
            },
            Change::Member(member) => self.etcd.prepare(member)?,
            _ => match self.host.prepare(change) {
                // What makes room is not stopped by the want of it; only the copy for the way back is given up.
                Err(error) if error.is_disk_full() && matches!(change, Change::Remove { .. }) => no_copy(),
                prepared => prepared?,
            },
        })
    }

    fn apply(&self, change: &Change) -> Result<(), Problem> {
        self.tell(Event::Changing(change));
        match change {
            Change::Object(object) => self.cluster.apply(object)?,
            Change::Member(member) => self.etcd.apply(member)?,
            _ => self.host.apply(change)?,
        }
        if let Some(dry) = &self.dry {
            dry.count(change);
        }
        Ok(())
    }

    /// Writes a file unless it is already there with this content and mode. Says whether anything was changed.
    ///
    /// # Errors
    /// When the file cannot be looked at or written.
    pub fn put_file(&self, path: &Path, content: Content, mode: u32) -> Result<bool, Problem> {
        self.put(path, content, mode, None)
    }

    /// Makes a file what it was when it was copied beside the journal; false where that copy is gone. The owner of a file
    /// that is there stays.
    ///
    /// # Errors
    /// When a file cannot be looked at or written.
    pub fn put_back(&self, path: &Path, kept: &Path, mode: u32) -> Result<bool, Problem> {
        let Some(bytes) = self.host.read(kept)? else { return Ok(false) };
        self.put(path, Content::new(bytes), mode, Some(kept)).map(|_| true)
    }

    fn put(&self, path: &Path, content: Content, mode: u32, like: Option<&Path>) -> Result<bool, Problem> {
        if let Some(found) = self.host.stat(path)?
            && found.kind == FileKind::File
            && found.mode & 0o7777 == mode
            && self.host.read(path)?.as_deref() == Some(content.bytes())
        {
            return Ok(false);
        }
        let mut changes = Vec::new();
        if let Some(parent) = path.parent() {
            self.add_missing_folders(parent, 0o755, &mut changes)?;
        }
        changes.push(Change::File { path: path.to_owned(), content, mode, like: like.map(Path::to_owned) });
        self.change_all(&changes)?;
        Ok(true)
    }

    /// Makes a folder and those above it unless they are there; an existing folder keeps its mode.
    ///
    /// # Errors
    /// When a folder cannot be looked at or made.
    pub fn put_folder(&self, path: &Path, mode: u32) -> Result<bool, Problem> {
        let mut changes = Vec::new();
        self.add_missing_folders(path, mode, &mut changes)?;
        self.change_all(&changes)?;
        Ok(!changes.is_empty())
    }

    /// Adds what makes a folder and those above it, from the top; nothing for what is there, or is made by then.
    ///
    /// # Errors
    /// When a folder cannot be looked at.
    pub fn add_missing_folders(&self, path: &Path, mode: u32, changes: &mut Vec<Change>) -> Result<(), Problem> {
        let makes_it = |change: &Change| matches!(change, Change::Folder { path: made, .. } if made == path);
        if changes.iter().any(makes_it) || self.host.stat(path)?.is_some() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.add_missing_folders(parent, 0o755, changes)?;
        }
        changes.push(Change::Folder { path: path.to_owned(), mode });
        Ok(())
    }
}

fn no_copy() -> Undo {
    Undo::Impossible { why: "the disk was full: no copy was kept".to_owned() }
}

#[cfg(test)]
#[path = "change_all_tests.rs"]
mod change_all_tests;
