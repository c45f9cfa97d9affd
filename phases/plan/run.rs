//! The loop: looks for what a phase needs, runs it, reports. The first phase that fails ends the run: what was made
//! stays, and the same command goes on from there.

use super::{Phase, Plan, Verdict, Workflow};
use crate::problem::Problem;
use crate::world::{Event, World};

/// Runs the phases of a plan in order.
///
/// # Errors
/// The problem of the phase that stopped the run.
pub fn run<J>(plan: &Plan<J>, job: &J, world: &World<'_>) -> Result<(), Problem> {
    for planned in &plan.phases {
        if let Verdict::Skip(why) = &planned.verdict {
            world.tell(Event::PhaseSkipped { path: &planned.path, why });
            continue;
        }
        world.tell(Event::PhaseStarted { path: &planned.path, about: planned.phase.about() });
        world.journal().enter(&planned.path);
        let found = look_for_needs(plan.workflow, &planned.path, planned.phase, job, world);
        let before = world.journal().changes();
        let outcome = found.and_then(|()| planned.phase.run(job, world));
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

fn look_for_needs<J>(
    workflow: &'static Workflow<J>,
    path: &str,
    phase: &dyn Phase<J>,
    job: &J,
    world: &World<'_>,
) -> Result<(), Problem> {
    for need in phase.needs(job) {
        if world.host().stat(&need.path)?.is_some() {
            continue;
        }
        let maker = workflow.maker(&need.path, job);
        if let (Some(dry), Some((maker, phase))) = (world.dry_run(), &maker)
            && phase.verdict(job) == Verdict::Run
        {
            dry.assume(format!("{} is taken to be there, as the phase {maker} makes it", need.path.display()));
            dry.suppose(|| {
                look_for_needs(workflow, maker, *phase, job, world)?;
                phase.run(job, world)
            })?;
            continue;
        }
        let problem = Problem::new("artifact-missing", format!("{path} needs {}, and it is not there", need.what))
            .at(need.path.display().to_string())
            .why("the phase that makes it has not run on this node, or it is kept elsewhere");
        world.refuse(match maker {
            Some((path, _)) => problem
                .fix(format!("kubestrap {} phase {}", workflow.name, path.replace('/', " ")))
                .fix(format!("or put the file in place: {}", need.path.display())),
            None => problem.fix(format!("put the file in place: {}", need.path.display())),
        })?;
    }
    Ok(())
}
