//! The phase `preflight` of `init` and `join`: errors end the run together, warnings are told, missing images are pulled.

use super::{Server, Subject, Verdict, failed, inspect, runtime};
use crate::config::{Init, JoinControlPlane, JoinWorker};
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Event, World};

/// The phase `preflight`.
pub struct Preflight;

impl Phase<Init> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine and pulls missing images"
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        check(&Subject::of_init(job), world)
    }
}

impl Phase<JoinControlPlane> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine and pulls missing images"
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        check(&Subject::of_control_plane(job, &Server::of_join(&job.worker)), world)
    }
}

impl Phase<JoinWorker> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine"
    }

    fn run(&self, job: &JoinWorker, world: &World<'_>) -> Result<(), Problem> {
        check(&Subject::of_worker(job, &Server::of_join(job)), world)
    }
}

fn check(subject: &Subject<'_>, world: &World<'_>) -> Result<(), Problem> {
    let outcomes = inspect(subject, world)?;
    let with = |verdict| outcomes.iter().filter(move |found| found.verdict == verdict).map(|found| &found.problem);
    let errors: Vec<Problem> = with(Verdict::Error).cloned().collect();
    for warning in with(Verdict::Warning) {
        world.tell(Event::Warning(warning));
    }
    if !errors.is_empty() {
        return Err(failed(errors));
    }
    let asked = outcomes.iter().filter(|found| found.verdict != Verdict::Skipped).count();
    world.note(&match with(Verdict::Warning).count() {
        0 => format!("{asked} checks"),
        1 => format!("{asked} checks, 1 warning"),
        more => format!("{asked} checks, {more} warnings"),
    });
    runtime::pull(subject.node, &subject.images(), world)
}
