//! In which order the disk is written when several things are changed at once, whatever goes wrong.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::*;
use crate::plan::{Store, StoreError};
use crate::support::Bench;

/// A machine and a journal that tell what is done to them.
#[derive(Default)]
struct Told {
    bench: Bench,
    log: RefCell<Vec<String>>,
    /// The file that cannot be written, and whether the disk can be waited for.
    refuses: Option<&'static str>,
    cannot_settle: Cell<bool>,
}

impl Told {
    fn tell(&self, what: String) {
        self.log.borrow_mut().push(what);
    }

    fn change(&self, paths: &[&str]) -> (Option<String>, String) {
        let journal = Journal::new(self);
        let cluster = (&self.bench.overlay as &dyn Cluster, &self.bench.overlay as &dyn Etcd);
        let ports = (&self.bench.entropy as &dyn Entropy, &self.bench.recorder as &dyn Progress);
        let world = World::new(self, cluster, &self.bench.time, ports, &journal);
        let changes: Vec<Change> = paths.iter().map(|path| Change::Folder { path: path.into(), mode: 0o755 }).collect();
        let outcome = world.change_all(&changes);
        (outcome.err().map(|problem| problem.id), self.log.take().join(" "))
    }

    fn name(change: &Change) -> String {
        change.summary().split(' ').nth(2).unwrap_or_default().to_owned()
    }
}

impl Store for Told {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        self.bench.store.lines()
    }

    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError> {
        let is_mark = line.contains("done");
        self.tell(format!("{}{}", if is_mark { "done" } else { "line" }, if sync { "+sync" } else { "" }));
        self.bench.store.append(line, sync)
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        self.bench.store.replace(lines)
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        self.bench.store.job()
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.bench.store.keep_job(job)
    }
}

impl Host for Told {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        self.bench.overlay.read(path)
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        self.bench.overlay.stat(path)
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        Host::list(&self.bench.overlay, folder)
    }

    fn rootfs(&self) -> Option<&Path> {
        None
    }

    fn facts(&self) -> Result<Facts, HostError> {
        self.bench.overlay.facts()
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        self.bench.overlay.listeners()
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        self.bench.overlay.unit(name)
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        self.bench.overlay.ask(command)
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.bench.overlay.runtime(socket)
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        self.tell(format!("prepare{}", Self::name(change)));
        Host::prepare(&self.bench.overlay, change)
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        let path = Self::name(change);
        if self.refuses == Some(path.as_str()) {
            let source = Error::from(ErrorKind::ReadOnlyFilesystem);
            return Err(HostError::Write { action: "write", path: path.into(), source });
        }
        self.tell(format!("apply{path}"));
        Host::apply(&self.bench.overlay, change)
    }

    fn settle(&self) -> Result<(), HostError> {
        self.tell("settle".to_owned());
        let has_applied = self.log.borrow().iter().any(|told| told.starts_with("apply"));
        if has_applied && self.cannot_settle.get() {
            let source = Error::from(ErrorKind::Other);
            return Err(HostError::Write { action: "sync", path: PathBuf::from("/"), source });
        }
        Ok(())
    }
}

#[test]
fn copies_last_before_the_lines_and_changes_before_the_marks_that_say_so() {
    let told = Told::default();
    assert_eq!(told.change(&["/a"]), (None, "prepare/a settle line+sync apply/a settle done".to_owned()));
    let expected = "prepare/b prepare/c settle line line+sync apply/b apply/c settle done done";
    assert_eq!(told.change(&["/b", "/c"]), (None, expected.to_owned()));
    assert_eq!(told.change(&[]), (None, String::new()));
}

#[test]
fn what_was_made_before_the_change_that_failed_is_marked_and_what_comes_after_is_not_made() {
    let told = Told { refuses: Some("/b"), ..Told::default() };
    let expected = "prepare/a prepare/b prepare/c settle line line line+sync apply/a settle done";
    assert_eq!(told.change(&["/a", "/b", "/c"]), (Some("host-write".to_owned()), expected.to_owned()));
}

#[test]
fn what_may_not_last_is_not_marked() {
    let told = Told::default();
    told.cannot_settle.set(true);
    let expected = "prepare/a settle line+sync apply/a settle";
    assert_eq!(told.change(&["/a"]), (Some("host-write".to_owned()), expected.to_owned()));
}
