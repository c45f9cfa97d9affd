//! What went wrong in a test or in the harness: what was tried, and everything known about why it did not work.

use std::fmt;

/// A failed expectation or a failed operation, with the evidence.
#[derive(Debug, Clone)]
pub struct Failure {
    what: String,
    why: String,
}

impl Failure {
    /// `what` is a clause such as "cannot start node cp-1", `why` may have many lines.
    pub fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.what)?;
        for line in self.why.lines() {
            write!(out, "\n    {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// `expect(condition, what, evidence)?` reads better in scenarios than a panic, and lets logs be collected.
pub fn expect(holds: bool, what: impl Into<String>, evidence: impl fmt::Display) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(what, evidence)) }
}
