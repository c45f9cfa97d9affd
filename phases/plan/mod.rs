//! Plans: phases in order with verdicts, the loop that runs them, and the journal of what was done.

mod artifact;
pub mod damage;
mod inventory;
mod job_file;
mod journal;
mod last_run;
mod names;
mod phase;
mod run;
mod sparing;
mod workflow;

pub use artifact::Artifact;
pub use inventory::{Inventory, OwnedFile};
pub use job_file::{KeptJob, Resumed};
pub use journal::{Entry, Journal, RunHead, Store, StoreError, UnfinishedRun};
pub use last_run::{LastRun, Recorded};
pub use names::{OTHER_NAMES, OtherName};
pub use phase::{Phase, Verdict};
pub use run::run;
pub use sparing::Sparing;
pub use workflow::{Plan, PlannedPhase, Selection, Step, Workflow, walk};
