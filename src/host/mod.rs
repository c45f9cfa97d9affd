//! The machine: the real `Host` port, the journal on disk and the lock of the state folder.
//!
//! `linux.rs` is the port; each kind of look or change has a file of its own. Nothing is decided here: what to change
//! comes from a phase, and everything that is changed was written to the journal before.

mod commands;
mod cri;
mod facts;
mod files;
mod fresh;
mod linux;
mod listeners;
mod mounts;
mod network;
mod own_file;
mod ports;
mod probes;
mod remote;
mod root;
mod runtime;
mod sandboxes;
mod state;
mod tree;
mod undo;
mod units;

#[cfg(test)]
mod scratch;

pub(crate) use linux::Linux;
pub(crate) use own_file::write_for_user;
pub(crate) use root::Root;
pub(crate) use state::JournalFile;

/// Whether whoever runs this may change the machine.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kubestrap_phases::plan::{Journal, RunHead, Store};
    use kubestrap_phases::problem::Problem;
    use kubestrap_phases::world::{Content, Event, Overlay, Progress, World};

    use super::scratch::Scratch;
    use super::{JournalFile, Linux};
    use crate::entropy::Real;
    use crate::time::{Interrupt, RealTime};

    struct Quiet;

    impl Progress for Quiet {
        fn event(&self, _event: Event<'_>) {}
    }

    /// What a run does to a machine, from the first line of the journal to the last.
    fn run(scratch: &Scratch) -> Result<bool, Problem> {
        let state = scratch.join("state");
        let (host, cluster, store) = (Linux::new(&state), Overlay::default(), JournalFile::new(&state));
        let (time, entropy, journal) =
            (RealTime::new(&Quiet, Interrupt::default()), Real::default(), Journal::new(&store));
        journal.begin(RunHead::whole("init", 1), None);
        let world = World::new(&host, (&cluster, &cluster), &time, (&entropy, &Quiet), &journal);
        let changed = world.put_file(&scratch.join("etc/kubernetes/token"), Content::new("s3cret"), 0o600)?;
        journal.end(None)?;
        Ok(changed)
    }

    #[test]
    fn a_run_changes_the_machine_once_and_its_journal_knows_what_is_ours_and_no_secret() {
        let scratch = Scratch::new();
        assert_eq!((run(&scratch).unwrap(), run(&scratch).unwrap()), (true, false));
        let file = scratch.join("etc/kubernetes/token");
        assert_eq!(fs::read_to_string(&file).unwrap(), "s3cret");
        let store = JournalFile::new(&scratch.join("state"));
        assert!(!store.lines().unwrap().concat().contains("s3cret"));
        let inventory = Journal::new(&store).inventory().unwrap();
        assert!(inventory.owns(&file) && inventory.owns(&scratch.join("etc")), "{inventory:?}");
        assert!(Journal::new(&store).unfinished().unwrap().is_none());
    }

    #[test]
    fn a_run_beside_another_one_changes_nothing() {
        let scratch = Scratch::new();
        let other = JournalFile::new(&scratch.join("state"));
        other.append("{}", true).unwrap();
        assert_eq!(run(&scratch).unwrap_err().id, "another-run");
        assert!(!scratch.join("etc").exists());
    }

    #[test]
    fn a_run_that_changes_nothing_leaves_no_trace() {
        let scratch = Scratch::new();
        let store = JournalFile::new(&scratch.join("state"));
        let journal = Journal::new(&store);
        journal.begin(RunHead::whole("init", 1), None);
        journal.end(Some(&Problem::new("test", "it failed"))).unwrap();
        assert!(!scratch.join("state").exists());
    }
}
