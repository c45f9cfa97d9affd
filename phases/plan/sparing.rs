//! A journal's store for a run that makes room: `reset` goes on where the disk has no space for its lines.
//!
//! Such lines wait in memory and are written as soon as there is space again. A run that is killed meanwhile has lost
//! them, and the next one finds what it removed gone, which is fine: reset looks before it removes.

use std::cell::{Cell, RefCell};

use super::{Store, StoreError};

/// A store over another one, whose full disk ends no run.
pub struct Sparing<'a> {
    store: &'a dyn Store,
    waiting: RefCell<Vec<String>>,
    was_full: Cell<bool>,
}

impl<'a> Sparing<'a> {
    /// Over the journal's own store.
    pub fn over(store: &'a dyn Store) -> Self {
        Self { store, waiting: RefCell::default(), was_full: Cell::default() }
    }

    /// Whether lines had to wait at any time.
    pub fn was_full(&self) -> bool {
        self.was_full.get()
    }
}

impl Store for Sparing<'_> {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        let mut lines = self.store.lines()?;
        lines.extend(self.waiting.borrow().iter().cloned());
        Ok(lines)
    }

    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError> {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(line.to_owned());
        while let Some(first) = waiting.first() {
            match self.store.append(first, sync && waiting.len() == 1) {
                Ok(()) => drop(waiting.remove(0)),
                Err(error) if error.is_disk_full() => {
                    self.was_full.set(true);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        self.store.replace(lines)
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        self.store.job()
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.store.keep_job(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::BrittleStore;

    #[test]
    fn lines_that_find_no_space_wait_and_keep_their_order() {
        let store = BrittleStore::default();
        let sparing = Sparing::over(&store);
        sparing.append("1", true).unwrap();
        assert!(!sparing.was_full());
        store.left.set(Some(0));
        sparing.append("2", true).unwrap();
        sparing.append("3", true).unwrap();
        assert_eq!((store.lines().unwrap().len(), sparing.was_full()), (1, true));
        assert_eq!(sparing.lines().unwrap(), ["1", "2", "3"]);
        store.left.set(None);
        sparing.append("4", true).unwrap();
        assert_eq!(store.lines().unwrap(), ["1", "2", "3", "4"]);
    }
}
