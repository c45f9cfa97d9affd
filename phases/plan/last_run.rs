//! The last run in the journal, with all that went on with it: what `undo` takes back.

use serde_json::Value;

use super::journal::{RunHead, Store, StoreError};
use crate::problem::Problem;
use crate::world::{Clock, Undo};

/// The workflow that takes a run back; its own runs in the journal go on with one another.
const UNDO: &str = "undo";

/// One change of a run, as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The change without its content.
    pub change: Value,
    /// What takes it back.
    pub undo: Undo,
}

impl Recorded {
    /// A field of the change, empty where it has none.
    pub fn text(&self, field: &str) -> &str {
        self.change.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A part of the journal that looks as if it were all: the last run's lines.
pub struct LastRun<'a> {
    store: &'a dyn Store,
    from: usize,
    head: RunHead,
    failure: Option<(String, String)>,
    changes: Vec<Recorded>,
}

impl<'a> LastRun<'a> {
    /// Finds the last run; `None` in an empty journal.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn find(store: &'a dyn Store) -> Result<Option<Self>, Problem> {
        let lines: Vec<Value> =
            store.lines()?.iter().map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
        let heads: Vec<(usize, RunHead)> = lines
            .iter()
            .enumerate()
            .filter_map(|(at, line)| Some((at, serde_json::from_value(line.get("run")?.clone()).ok()?)))
            .collect();
        let unfinished = super::journal::unfinished(&lines);
        let mut found: Option<&(usize, RunHead)> = None;
        let mut whole: Option<&(usize, RunHead)> = None;
        for head in heads.iter().filter(|(_, head)| head.command != UNDO) {
            if head.1.whole && !head.1.continues {
                whole = Some(head);
            }
            found = if head.1.continues { whole.or(Some(head)) } else { Some(head) };
        }
        let failure = unfinished.as_ref().and_then(|run| run.failure.clone());
        // Phases that were run alone in the middle of an unfinished run belong to it.
        let found = if unfinished.is_some_and(|run| run.command != UNDO) { whole.or(found) } else { found };
        let Some((from, head)) = found.cloned() else { return Ok(None) };
        let until =
            heads.iter().find(|(at, head)| *at > from && head.command == UNDO).map_or(lines.len(), |(at, _)| *at);
        let changes = lines[from..until].iter().filter_map(|line| {
            let undo = serde_json::from_value(line.get("undo")?.clone()).ok()?;
            Some(Recorded { change: line.get("change")?.clone(), undo })
        });
        Ok(Some(Self { store, from, head, failure, changes: changes.collect() }))
    }

    /// `init`, `join`, `certs renew`.
    pub fn command(&self) -> &str {
        &self.head.command
    }

    /// When it began.
    pub fn started(&self) -> Clock {
        Clock(self.head.started)
    }

    /// Id and text of the problem that ended it.
    pub fn failure(&self) -> Option<&(String, String)> {
        self.failure.as_ref()
    }

    /// Its changes in their order; what a change without a done mark would have made may be there.
    pub fn changes(&self) -> &[Recorded] {
        &self.changes
    }

    /// Whether there is no other run before it.
    pub fn is_all(&self) -> bool {
        self.from == 0
    }

    /// Takes its lines out of the journal, and its job.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn drop_it(&self) -> Result<(), Problem> {
        let lines = self.store.lines()?;
        self.store.replace(&lines[..self.from.min(lines.len())])?;
        Ok(self.store.keep_job(None)?)
    }
}

impl Store for LastRun<'_> {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.store.lines()?.split_off(self.from))
    }

    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError> {
        self.store.append(line, sync)
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        let before = self.store.lines()?.into_iter().take(self.from);
        self.store.replace(&before.chain(lines.iter().cloned()).collect::<Vec<_>>())
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        self.store.job()
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.store.keep_job(job)
    }
}
