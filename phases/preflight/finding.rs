//! What a check says: passed, a warning, an error, or why it could not look.

use super::table::Area;
use crate::problem::Problem;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is well.
    Passed,
    /// Not asked: it does not apply here, or needs rights that are not there.
    Skipped,
    /// The node can be made, and somebody should know.
    Warning,
    /// The node would not work.
    Error,
}

/// One result of a check, with its place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Part of the machine it is about.
    pub area: Area,
    /// How it ended.
    pub verdict: Verdict,
    /// Name as `id`, what was found as `what`, and for warnings and errors why that matters and how to mend it.
    pub problem: Problem,
    /// Whether a good result need not be shown to people: one of many alike.
    pub is_brief: bool,
}

/// One result as a check gives it.
pub(super) struct Finding {
    /// For checks that look at many things: the name of this one.
    pub(super) name: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) problem: Problem,
    pub(super) is_brief: bool,
}

impl Finding {
    fn new(verdict: Verdict, what: impl Into<String>) -> Self {
        Self { name: None, verdict, problem: Problem::new(String::new(), what), is_brief: false }
    }

    /// All is well, with a fact that is worth a word.
    pub(super) fn passed(what: impl Into<String>) -> Self {
        Self::new(Verdict::Passed, what)
    }

    /// All is well, as with many others.
    pub(super) fn fine(what: impl Into<String>) -> Self {
        Self { is_brief: true, ..Self::new(Verdict::Passed, what) }
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, why)
    }

    /// Skipped, because only root can look.
    pub(super) fn needs_root(what: impl std::fmt::Display) -> Self {
        Self::skipped(format!("{what}: needs root"))
    }

    pub(super) fn error(what: impl Into<String>) -> Self {
        Self::new(Verdict::Error, what)
    }

    pub(super) fn warning(what: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, what)
    }

    /// An error in somebody else's words.
    pub(super) fn of_problem(problem: Problem) -> Self {
        Self { name: None, verdict: Verdict::Error, problem, is_brief: false }
    }

    pub(super) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.problem = self.problem.why(why);
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.problem = self.problem.fix(fix);
        self
    }
}

/// What a check gives: usually one finding.
pub(super) type Findings = Result<Vec<Finding>, Problem>;

/// One finding.
pub(super) fn one(finding: Finding) -> Findings {
    Ok(vec![finding])
}

/// Several findings of one check, or the good one when there is nothing to say.
pub(super) fn or(findings: Vec<Finding>, good: Finding) -> Findings {
    Ok(if findings.is_empty() { vec![good] } else { findings })
}
