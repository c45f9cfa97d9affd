//! Phase: one step that can be run alone.

use super::Artifact;
use crate::problem::Problem;
use crate::world::World;

/// One step that can be run alone: a unit struct or a row of a table.
pub trait Phase<J>: Sync {
    /// Last part of the path, as typed.
    fn name(&self) -> &'static str;
    /// One line, for help, plan and progress.
    fn about(&self) -> &'static str;
    /// What must be there before.
    fn needs(&self, _job: &J) -> Vec<Artifact> {
        Vec::new()
    }
    /// What is there afterwards.
    fn makes(&self, _job: &J) -> Vec<Artifact> {
        Vec::new()
    }
    /// Whether it applies to this job.
    fn verdict(&self, _job: &J) -> Verdict {
        Verdict::Run
    }
    /// Looks at what is there and changes the difference; a second run changes nothing.
    ///
    /// # Errors
    /// The one cause that keeps the phase from being finished.
    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem>;
}

/// Whether a phase applies to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Run,
    /// It does not, and why.
    Skip(String),
    /// It is another kind of node's, and why: left out without a word, unless it is what was asked for.
    Foreign(String),
}
