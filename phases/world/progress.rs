//! What goes on, told while it happens. This crate never prints.

use std::time::Duration;

use super::Change;
use crate::problem::Problem;

/// The port to the person watching.
pub trait Progress {
    /// Takes one event.
    fn event(&self, event: Event<'_>);
}

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A workflow begins: its name, and what it is about to work on.
    WorkflowStarted {
        /// `init`, `join`, …
        name: &'a str,
        /// Release, node and address.
        subject: &'a str,
    },
    /// A phase begins.
    PhaseStarted {
        /// Path, such as `certs/apiserver`.
        path: &'a str,
        /// Its one line.
        about: &'a str,
    },
    /// A change is about to be made.
    Changing(&'a Change),
    /// A wait goes on.
    Waiting {
        /// What for.
        what: &'a str,
        /// Since when.
        since: Duration,
        /// Until when at most.
        within: Duration,
        /// What was seen last.
        last: &'a str,
    },
    /// A fact about the current phase.
    Note(&'a str),
    /// A warning.
    Warning(&'a Problem),
    /// A phase is finished.
    PhaseFinished {
        /// Path.
        path: &'a str,
        /// How many changes it made.
        changes: usize,
    },
    /// A phase was left out.
    PhaseSkipped {
        /// Path.
        path: &'a str,
        /// Why.
        why: &'a str,
    },
    /// What the command is run for, such as the join command; the only thing that goes to standard output.
    Result(&'a str),
    /// A phase failed.
    PhaseFailed {
        /// Path.
        path: &'a str,
    },
}
