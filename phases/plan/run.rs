//! The loop: looks for what a phase needs, runs it, reports. The first phase that fails ends the run: what was made
//! stays, and the same command goes on from there.

use super::{Plan, PlannedPhase, Verdict};
use crate::problem::Problem;
use crate::world::{Event, World};

/// Runs the phases of a plan in order.
///
/// # Errors
/// The problem of the phase that stopped the run.
pub fn run<J>(plan: &Plan<J>, job: &J, world: &World<'_>) -> Result<(), Problem> {
    for (path, why) in &plan.nothing {
        world.tell(Event::PhaseSkipped { path, why });
    }
    for planned in &plan.phases {
        if let Verdict::Skip(why) = &planned.verdict {
            world.tell(Event::PhaseSkipped { path: &planned.path, why });
            continue;
        }
        world.tell(Event::PhaseStarted { path: &planned.path, about: planned.phase.about() });
        world.journal().enter(&planned.path);
        let before = world.journal().changes();
        let outcome = look_for_needs(plan, planned, job, world).and_then(|()| planned.phase.run(job, world));
        match outcome {
            Ok(()) => {
                let changes = world.journal().changes() - before;
                world.tell(Event::PhaseFinished { path: &planned.path, changes });
            }
            Err(problem) => {
                world.tell(Event::PhaseFailed { path: &planned.path });
                return Err(problem);
            }
        }
    }
    Ok(())
}

fn look_for_needs<J>(plan: &Plan<J>, planned: &PlannedPhase<J>, job: &J, world: &World<'_>) -> Result<(), Problem> {
    for need in planned.phase.needs(job) {
        if world.host().stat(&need.path)?.is_some() {
            continue;
        }
        let problem =
            Problem::new("artifact-missing", format!("{} needs {}, and it is not there", planned.path, need.what))
                .at(need.path.display().to_string())
                .why("the phase that makes it has not run on this node, or it is kept elsewhere");
        return Err(match plan.workflow.maker(&need.path, job) {
            Some(path) => problem
                .fix(format!("kubestrap {} phase {}", plan.workflow.name, path.replace('/', " ")))
                .fix(format!("or put the file in place: {}", need.path.display())),
            None => problem.fix(format!("put the file in place: {}", need.path.display())),
        });
    }
    Ok(())
}
