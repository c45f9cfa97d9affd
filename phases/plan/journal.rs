//! Journal: what this program was about to do, and what it did, line by line on disk before and after each change.
//!
//! ```text
//! {"run":{"version":1,"command":"init","started":…}}
//! {"n":1,"phase":"certs/ca","change":{…},"undo":{…}}     on disk before the machine is touched
//! {"done":1}                                             afterwards
//! {"end":"done"}
//! ```
//!
//! An intent without a done mark may or may not have happened; phases look again. Content is never in a line.

use std::cell::{Cell, RefCell};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Inventory;
use crate::problem::{Explain, Problem};
use crate::world::{Change, Undo, full_disk_fixes, is_full};

/// Version of the journal's lines.
const JOURNAL_VERSION: u32 = 1;

/// Where journal lines are kept.
pub trait Store {
    /// All lines so far, of all runs.
    fn lines(&self) -> Result<Vec<String>, StoreError>;
    /// Adds a line; with `sync` it is on disk before this returns.
    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError>;
}

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("cannot keep the journal in {path}")]
    Failed {
        /// The journal's file.
        path: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Another run writes it.
    #[error("another run of kubestrap is working on this node, process {holder}")]
    Held {
        /// The lock file.
        path: String,
        /// Its process id, as far as it has written it.
        holder: String,
    },
}

impl StoreError {
    /// Whether there is no space left for the journal.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if is_full(source.kind()))
    }
}

impl Explain for StoreError {
    fn id(&self) -> &'static str {
        match self {
            Self::Failed { .. } if self.is_disk_full() => "disk-full",
            Self::Failed { .. } => "journal",
            Self::Held { .. } => "another-run",
        }
    }

    fn place(&self) -> Option<String> {
        let (Self::Failed { path, .. } | Self::Held { path, .. }) = self;
        Some(path.clone())
    }

    fn fixes(&self) -> Vec<String> {
        match self {
            Self::Failed { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                vec!["run the same command as root: sudo kubestrap …".to_owned()]
            }
            Self::Failed { path, .. } if self.is_disk_full() => full_disk_fixes(Path::new(path)),
            Self::Failed { path, .. } => {
                vec![format!("see what is there: ls -ld {path}; then run the same command again")]
            }
            Self::Held { holder, .. } => vec![
                "wait until it has ended, then run the same command again".to_owned(),
                format!("see what it does: ps -fp {holder}"),
            ],
        }
    }
}

/// First line of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// Version of the lines.
    pub version: u32,
    /// `init`, `join`, `reset`.
    pub command: String,
    /// Seconds since 1970.
    pub started: i64,
}

/// A run whose end is not in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// Its first line.
    pub head: RunHead,
    /// Phase of its last intent.
    pub phase: String,
    /// Changes done.
    pub done: usize,
}

/// An intent that waits for its done mark.
#[derive(Debug)]
pub struct Entry(usize);

/// The journal of this node.
pub struct Journal<'a> {
    store: &'a dyn Store,
    phase: RefCell<String>,
    /// First line of a run that has changed nothing so far.
    pending: RefCell<Option<String>>,
    next: Cell<usize>,
    changes: Cell<usize>,
}

impl<'a> Journal<'a> {
    /// Opens the journal; writes nothing.
    pub fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            phase: RefCell::default(),
            pending: RefCell::default(),
            next: Cell::new(1),
            changes: Cell::new(0),
        }
    }

    /// Begins a run. Its first line is written before its first change, so that a run that is refused leaves no trace.
    pub fn begin(&self, command: &str, started: i64) {
        let head = RunHead { version: JOURNAL_VERSION, command: command.to_owned(), started };
        self.next.set(1);
        self.pending.replace(Some(json!({ "run": head }).to_string()));
    }

    /// Writes the last line of a run, if it has a first one.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end(&self, outcome: &str) -> Result<(), Problem> {
        if self.pending.take().is_some() {
            return Ok(());
        }
        Ok(self.store.append(&json!({ "end": outcome }).to_string(), true)?)
    }

    /// Writes the first line of the run, unless it is there: before anything is touched, copies of what will be replaced
    /// included.
    pub(crate) fn open(&self) -> Result<(), Problem> {
        let head = self.pending.borrow().clone();
        if let Some(head) = head {
            self.store.append(&head, true)?;
            self.pending.take();
        }
        Ok(())
    }

    /// Says which phase the next changes belong to.
    pub fn enter(&self, phase: &str) {
        phase.clone_into(&mut self.phase.borrow_mut());
    }

    /// How many changes were made through this journal.
    pub fn changes(&self) -> usize {
        self.changes.get()
    }

    pub(crate) fn intend(&self, change: &Change, undo: &Undo) -> Result<Entry, Problem> {
        let number = self.next.get();
        self.next.set(number + 1);
        let line = json!({"n": number, "phase": *self.phase.borrow(), "change": change.journal_form(), "undo": undo});
        self.store.append(&line.to_string(), true)?;
        Ok(Entry(number))
    }

    /// The done mark need not be synced: without it the change is looked at again, which is always right.
    pub(crate) fn done(&self, entry: Entry) -> Result<(), Problem> {
        self.changes.set(self.changes.get() + 1);
        let Entry(number) = entry;
        Ok(self.store.append(&json!({ "done": number }).to_string(), false)?)
    }

    /// What kubestrap made on this node and has not removed again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn inventory(&self) -> Result<Inventory, Problem> {
        Ok(Inventory::fold(&self.values()?))
    }

    /// Whether no change in it left anything that would have to be taken back, such as when images could not be pulled.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn has_nothing_to_undo(&self) -> Result<bool, Problem> {
        let lines = self.values()?;
        Ok(lines.iter().filter_map(|line| line.get("undo")).all(|undo| undo["kind"] == "nothing"))
    }

    /// The newest run, when its end is missing or was a failure.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn unfinished(&self) -> Result<Option<UnfinishedRun>, Problem> {
        let mut found: Option<UnfinishedRun> = None;
        for line in self.values()? {
            if let Some(head) = line.get("run").and_then(|head| serde_json::from_value(head.clone()).ok()) {
                found = Some(UnfinishedRun { head, phase: String::new(), done: 0 });
            } else if line.get("end").is_some_and(|end| end == "done") {
                found = None;
            } else if let Some(run) = &mut found {
                if let Some(phase) = line.get("phase").and_then(Value::as_str) {
                    phase.clone_into(&mut run.phase);
                }
                run.done += usize::from(line.get("done").is_some());
            }
        }
        Ok(found)
    }

    /// Lines as values; a last line cut off by a power cut is no line.
    fn values(&self) -> Result<Vec<Value>, Problem> {
        Ok(self.store.lines()?.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}
