//! What a dry run finds out: the changes that would be made, what had to be assumed, and what would stop the real run.
//!
//! One of these goes with the world of a dry run; the world of a real run has none. Decides nothing about the node.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;

use super::{Change, Overlay};

/// The findings of a dry run. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct DryRun(Rc<Found>);

#[derive(Debug, Default)]
struct Found {
    is_on: Cell<bool>,
    takes_cluster_for_granted: Cell<bool>,
    needs_address: Cell<bool>,
    is_supposing: Cell<bool>,
    changes: RefCell<Vec<Change>>,
    assumed: RefCell<Vec<String>>,
    stops: RefCell<BTreeSet<String>>,
    files: RefCell<Vec<(PathBuf, String)>>,
    objects: RefCell<Vec<Value>>,
}

impl DryRun {
    /// Switches it on: nothing is changed from here on.
    pub fn begin(&self) {
        self.0.is_on.set(true);
    }

    /// Whether this is a dry run.
    pub fn is_on(&self) -> bool {
        self.0.is_on.get()
    }

    /// Says whether a cluster that does not answer is taken to be there and empty. A workflow that makes or needs a
    /// cluster goes on so; one that takes a node away does without, as in the real run.
    pub fn take_cluster_for_granted(&self, granted: bool) {
        self.0.takes_cluster_for_granted.set(granted);
    }

    /// Whether a cluster that does not answer is taken to be there and empty.
    pub fn takes_cluster_for_granted(&self) -> bool {
        self.is_on() && self.0.takes_cluster_for_granted.get()
    }

    /// Says that the run needs an address of this machine, so that one is presumed where no default route tells it.
    pub fn need_address(&self) {
        self.0.needs_address.set(true);
    }

    /// Whether an address of this machine is needed.
    pub(crate) fn needs_address(&self) -> bool {
        self.is_on() && self.0.needs_address.get()
    }

    /// Notes what the run cannot know and goes on with, once, in one line.
    pub fn assume(&self, line: impl Into<String>) {
        let line = line.into();
        let mut assumed = self.0.assumed.borrow_mut();
        if !assumed.contains(&line) {
            assumed.push(line);
        }
    }

    /// Puts a file into the world of the run that the machine does not have; `line` says so.
    pub fn assume_file(&self, path: impl Into<PathBuf>, text: impl Into<String>, line: impl Into<String>) {
        self.0.files.borrow_mut().push((path.into(), text.into()));
        self.assume(line);
    }

    /// Puts an object into the world of the run that no cluster has told of; `line` says so.
    pub fn assume_object(&self, object: Value, line: impl Into<String>) {
        self.0.objects.borrow_mut().push(object);
        self.assume(line);
    }

    /// Lays what was assumed into an overlay.
    #[must_use]
    pub fn furnish<'a>(&self, overlay: Overlay<'a>) -> Overlay<'a> {
        let overlay = self
            .0
            .files
            .borrow()
            .iter()
            .fold(overlay, |overlay, (path, text)| overlay.with_file(&path.to_string_lossy(), text, 0o600));
        self.0.objects.borrow().iter().fold(overlay, |overlay, object| overlay.with_object(object.clone()))
    }

    /// What was assumed, in order.
    pub fn assumed(&self) -> Vec<String> {
        self.0.assumed.borrow().clone()
    }

    /// The changes that would be made, in order.
    pub fn changes(&self) -> Vec<Change> {
        self.0.changes.borrow().clone()
    }

    /// Whether what happens now is only supposed to have happened before the run.
    pub(crate) fn is_supposing(&self) -> bool {
        self.0.is_supposing.get()
    }

    /// Runs something as if it had happened before: its changes are seen by what follows, and are not counted.
    pub(crate) fn suppose<T>(&self, happen: impl FnOnce() -> T) -> T {
        let before = self.0.is_supposing.replace(true);
        let outcome = happen();
        self.0.is_supposing.set(before);
        outcome
    }

    /// Counts a change.
    pub(crate) fn count(&self, change: &Change) {
        if !self.is_supposing() {
            self.0.changes.borrow_mut().push(change.clone());
        }
    }

    /// Whether this stop has not been told yet.
    pub(crate) fn is_new_stop(&self, id: &str) -> bool {
        !self.is_supposing() && self.0.stops.borrow_mut().insert(id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_supposed_is_not_counted() {
        let dry = DryRun::default();
        let change = |path: &str| Change::Remove { path: PathBuf::from(path), keep: true };
        dry.suppose(|| dry.count(&change("/before")));
        dry.count(&change("/now"));
        assert_eq!(dry.changes(), [change("/now")]);
    }

    #[test]
    fn the_same_assumption_is_told_once() {
        let dry = DryRun::default();
        dry.assume("no cluster answers");
        dry.assume("no cluster answers");
        assert_eq!(dry.assumed(), ["no cluster answers"]);
    }
}
