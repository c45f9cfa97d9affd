//! Journal: what this program was about to do, and what it did, line by line on disk before and after each change.
//!
//! ```text
//! {"run":{"version":1,"command":"init","started":…,"whole":true}}
//! {"n":1,"phase":"certs/ca","change":{…},"undo":{…}}     on disk before the machine is touched
//! {"done":1}                                             afterwards
//! {"end":"done"}
//! ```
//!
//! Changes of one batch have their intents together, and their done marks after the last of them. An intent without a done
//! mark may or may not have happened; phases look again. Content is never in a line. What was
//! asked of a whole run stands in a file of its own beside the journal until the run is done (see `job_file`).

use std::cell::{Cell, Ref, RefCell};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Inventory;
use crate::problem::{Explain, Problem};
use crate::world::{Change, Clock, Undo, full_disk_fixes, is_full};

/// Version of the journal's lines.
const JOURNAL_VERSION: u32 = 1;

/// Where journal lines are kept.
pub trait Store {
    /// All lines so far, of all runs.
    fn lines(&self) -> Result<Vec<String>, StoreError>;
    /// Adds a line; with `sync` it is on disk before this returns.
    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError>;
    /// Leaves only these lines, all at once.
    fn replace(&self, lines: &[String]) -> Result<(), StoreError>;
    /// What was kept of the unfinished run's job.
    fn job(&self) -> Result<Option<String>, StoreError>;
    /// Keeps a run's job, on disk before this returns, or with `None` nothing more. It holds secrets.
    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError>;
    /// The number of another process that works with it now. Does not wait; a store that is nobody else's has none.
    fn held_by(&self) -> Option<String> {
        None
    }
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
    /// Whether it goes on with the run before it.
    #[serde(default)]
    pub continues: bool,
    /// Whether it is a whole workflow, which has to be finished or taken back, or a phase run alone. Journals of the first
    /// releases do not say.
    #[serde(default = "yes")]
    pub whole: bool,
}

fn yes() -> bool {
    true
}

impl RunHead {
    /// The head of a whole workflow's run.
    pub fn whole(command: &str, started: i64) -> Self {
        Self { version: JOURNAL_VERSION, command: command.to_owned(), started, continues: false, whole: true }
    }

    /// The head of a run of single phases, or of a small command.
    pub fn part(command: &str, started: i64) -> Self {
        Self { whole: false, ..Self::whole(command, started) }
    }
}

/// A whole run that did not come to its end, with all runs that went on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// `init`, `join`, `reset`.
    pub command: String,
    /// When the first of them began, in seconds since 1970.
    pub started: i64,
    /// Phase of its last intent.
    pub phase: String,
    /// Changes done.
    pub done: usize,
    /// Id and text of the problem that ended it; `None` when it was killed.
    pub failure: Option<(String, String)>,
}

/// An intent that waits for its done mark.
#[derive(Debug)]
pub struct Entry(usize);

/// The journal of this node.
pub struct Journal<'a> {
    store: &'a dyn Store,
    phase: RefCell<String>,
    /// First line of a run that has changed nothing so far, and its job where it is kept.
    pending: RefCell<Option<(RunHead, Option<String>)>>,
    has_job: Cell<bool>,
    next: Cell<usize>,
    changes: Cell<usize>,
    read: RefCell<Lines>,
}

/// Lines that were read, and their values: it is asked for them again and again while it grows.
#[derive(Debug, Default)]
struct Lines {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Lines {
    /// A last line cut off by a power cut is no line.
    fn read(&mut self, texts: Vec<String>) {
        if !texts.starts_with(&self.texts) {
            *self = Self::default();
        }
        self.values.extend(texts[self.texts.len()..].iter().filter_map(|line| serde_json::from_str(line).ok()));
        self.texts = texts;
    }
}

impl<'a> Journal<'a> {
    /// Opens the journal; writes nothing.
    pub fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            phase: RefCell::default(),
            pending: RefCell::default(),
            has_job: Cell::new(false),
            next: Cell::new(1),
            changes: Cell::new(0),
            read: RefCell::default(),
        }
    }

    /// Begins a run. Its first line is written before its first change, so that a run that is refused leaves no trace; so is
    /// the job, which whoever goes on with the run finds again.
    pub fn begin(&self, head: RunHead, job: Option<String>) {
        self.next.set(1);
        self.pending.replace(Some((head, job)));
    }

    /// Writes the last line of a run, if it has a first one: that it is done, or why not. The job of a run that is done is
    /// kept no longer.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn end(&self, failure: Option<&Problem>) -> Result<(), Problem> {
        if self.pending.take().is_some() {
            return Ok(());
        }
        let Some(problem) = failure else {
            self.store.append(&json!({ "end": "done" }).to_string(), true)?;
            if self.has_job.get() {
                self.store.keep_job(None)?;
            }
            return Ok(());
        };
        let why = json!({ "id": problem.id, "what": problem.what });
        Ok(self.store.append(&json!({ "end": "failed", "problem": why }).to_string(), true)?)
    }

    /// Writes the first line of the run, unless it is there: before anything is touched, copies of what will be replaced
    /// included.
    pub(crate) fn open(&self) -> Result<(), Problem> {
        let pending = self.pending.borrow().clone();
        if let Some((head, job)) = pending {
            if let Some(job) = job {
                self.store.keep_job(Some(&job))?;
                self.has_job.set(true);
            }
            self.store.append(&json!({ "run": head }).to_string(), true)?;
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

    /// Says what will be changed, and how that is taken back: on disk when this returns.
    pub(crate) fn intend(&self, changes: &[Change], ways_back: &[Undo]) -> Result<Vec<Entry>, Problem> {
        let mut entries = Vec::new();
        for (change, undo) in changes.iter().zip(ways_back) {
            let number = self.next.get();
            self.next.set(number + 1);
            let (phase, change) = (self.phase.borrow(), change.journal_form());
            let line = json!({"n": number, "phase": *phase, "change": change, "undo": undo});
            entries.push(Entry(number));
            self.store.append(&line.to_string(), entries.len() == changes.len())?;
        }
        Ok(entries)
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
        Ok(self.values()?.iter().filter_map(|line| line.get("undo")).all(|undo| undo["kind"] == "nothing"))
    }

    /// The newest whole run, when its end is missing or was a failure.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn unfinished(&self) -> Result<Option<UnfinishedRun>, Problem> {
        Ok(unfinished(&self.values()?))
    }

    /// The number of the process whose run is at work now, where it is not this one.
    pub fn at_work(&self) -> Option<String> {
        self.store.held_by()
    }

    /// When the first whole `init` or `join` began, as far as the journal goes back.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn made_node_at(&self) -> Result<Option<Clock>, Problem> {
        let lines = self.values()?;
        let heads = lines.iter().filter_map(|line| serde_json::from_value(line["run"].clone()).ok());
        let mut making = heads.filter(|head: &RunHead| head.whole && ["init", "join"].contains(&&*head.command));
        Ok(making.next().map(|head| Clock(head.started)))
    }

    /// What was kept of the unfinished run's job.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn job(&self) -> Result<Option<String>, Problem> {
        Ok(self.store.job()?)
    }

    /// Lines as values.
    pub(crate) fn values(&self) -> Result<Ref<'_, [Value]>, Problem> {
        self.read.borrow_mut().read(self.store.lines()?);
        let lines = Ref::map(self.read.borrow(), |read| read.values.as_slice());
        let newest = lines.iter().filter_map(|line| line["run"]["version"].as_u64()).max().unwrap_or_default();
        if newest > u64::from(JOURNAL_VERSION) {
            return Err(Problem::new("journal-version", "a newer kubestrap has worked on this node")
                .why(format!("its journal has version {newest}, and this program reads up to {JOURNAL_VERSION}"))
                .fix("run the newer kubestrap again: kubestrap version says which one this is"));
        }
        Ok(lines)
    }
}

/// The newest whole run without a good end.
pub(super) fn unfinished(lines: &[Value]) -> Option<UnfinishedRun> {
    let mut found: Option<UnfinishedRun> = None;
    let mut is_whole = false;
    for line in lines {
        if let Some(head) = line.get("run").and_then(|head| serde_json::from_value::<RunHead>(head.clone()).ok()) {
            is_whole = head.whole;
            if head.continues
                && let Some(run) = &mut found
            {
                run.failure = None;
            } else if is_whole {
                let RunHead { command, started, .. } = head;
                found = Some(UnfinishedRun { command, started, phase: String::new(), done: 0, failure: None });
            }
        } else if !is_whole {
        } else if let (Some(end), Some(run)) = (line.get("end"), &mut found) {
            let text = |field: &str| line["problem"][field].as_str().unwrap_or_default().to_owned();
            run.failure = Some((text("id"), text("what")));
            found = found.filter(|_| end != "done");
        } else if let Some(run) = &mut found {
            if let Some(phase) = line.get("phase").and_then(Value::as_str) {
                phase.clone_into(&mut run.phase);
            }
            run.done += usize::from(line.get("done").is_some());
        }
    }
    found
}
