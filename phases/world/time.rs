//! Clock and waiting: no bare sleeps, and a wait that fails keeps what it saw last.

use std::time::Duration;

use crate::problem::Problem;

/// The port to the clock.
pub trait Time {
    /// Wall clock.
    fn now(&self) -> Clock;
    /// Whether the user has asked the run to stop.
    fn is_interrupted(&self) -> bool {
        false
    }
    /// Asks the probe until it says yes, a problem ends the wait, the limit is over, or the user stops the run.
    fn wait(&self, wait: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError>;
}

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Clock(pub i64);

impl Clock {
    /// As RFC 3339 in UTC, to the second.
    pub fn rfc3339(self) -> String {
        time::OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|moment| moment.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_default()
    }

    /// Reads RFC 3339.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        Some(Self(moment.unix_timestamp()))
    }

    /// This moment and a while.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(while_.as_secs()))
    }
}

/// What is waited for, how long at most, and how often to look.
#[derive(Debug, Clone, Copy)]
pub struct Wait<'a> {
    /// What is waited for, for people.
    pub what: &'a str,
    /// Limit.
    pub within: Duration,
    /// Pause between two looks.
    pub every: Duration,
}

/// Answer of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It is so.
    Yes,
    /// Not yet, and this was seen.
    NotYet(String),
}

/// A wait that did not end well.
#[derive(Debug)]
pub enum WaitError {
    /// Time is up; the last answer of the probe.
    TimeUp {
        /// Last answer.
        last: String,
        /// How long was waited.
        after: Duration,
    },
    /// The probe found a problem that waiting cannot cure.
    Hopeless(Problem),
    /// The user stopped the run.
    Interrupted,
}

impl WaitError {
    /// The problem to report, where no diagnosis knows better.
    pub fn into_problem(self, id: &str, what: &str) -> Problem {
        match self {
            Self::Hopeless(problem) => problem,
            Self::Interrupted => interrupted(),
            Self::TimeUp { last, after } => {
                Problem::new(id, format!("{what}: not within {} s", after.as_secs())).saw(last)
            }
        }
    }
}

/// The problem of a run that the user stopped.
pub fn interrupted() -> Problem {
    Problem::new("interrupted", "stopped on request")
        .why("a signal asked for it")
        .fix("run the same command again to go on from here")
        .exit(crate::problem::Exit::Interrupted)
}
