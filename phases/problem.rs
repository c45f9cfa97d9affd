//! Problem: what failed, where, what was seen, why, and how to fix it.
//!
//! Every failure that reaches a person is one of these. Ids are stable and listed in README; texts may change. A problem
//! can carry findings (preflight, configuration), each a problem of its own.

use std::fmt;

/// How the program ends because of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    /// Something failed, or the command line was wrong: 1.
    #[default]
    Failed,
    /// Preflight found errors: 2.
    Preflight,
    /// The configuration is invalid: 3.
    Invalid,
    /// The user stopped the run: 130.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Preflight => 2,
            Self::Invalid => 3,
            Self::Interrupted => 130,
        }
    }
}

/// A failure in the words of the person who has to repair it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// Stable name in kebab case; preflight findings carry kubeadm's check names.
    pub id: String,
    /// What failed: a lower-case clause with the thing in it.
    pub what: String,
    /// Evidence: the last answer, the last line of a log.
    pub saw: Option<String>,
    /// The file, object, unit or address concerned.
    pub place: Option<String>,
    /// The cause.
    pub why: String,
    /// Orders that can be copied, best first.
    pub fixes: Vec<String>,
    /// What this problem means for the exit code.
    pub exit: Exit,
    /// The single findings, where the problem is a summary of several.
    pub findings: Vec<Self>,
}

impl Problem {
    /// A problem with its stable id and the clause that says what failed.
    pub fn new(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self { id: id.into(), what: what.into(), ..Self::default() }
    }

    /// Adds the evidence.
    #[must_use]
    pub fn saw(mut self, evidence: impl Into<String>) -> Self {
        self.saw = Some(evidence.into());
        self
    }

    /// Adds where it happened.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Adds one way to fix it; call again for the next best.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }

    /// Sets the exit code that belongs to it.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds the findings that it sums up.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Self>) -> Self {
        self.findings = findings;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// An error that knows its stable id and how to fix it. Its `Display` says what failed, its `source` why.
pub trait Explain: std::error::Error {
    /// Stable id in kebab case.
    fn id(&self) -> &'static str;
    /// Orders that can be copied, best first.
    fn fixes(&self) -> Vec<String>;
    /// The file, object or address concerned.
    fn place(&self) -> Option<String> {
        None
    }
}

impl<E: Explain> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut why = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            why.push(cause.to_string());
            source = cause.source();
        }
        why.dedup();
        Self {
            place: error.place(),
            why: why.join(": "),
            fixes: error.fixes(),
            ..Self::new(error.id(), error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_kubeadm() {
        for (exit, code) in [(Exit::Failed, 1), (Exit::Preflight, 2), (Exit::Invalid, 3), (Exit::Interrupted, 130)] {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }
}
