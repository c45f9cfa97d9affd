//! From a workflow's table to `phase` sub-commands, and from what was typed to a selection.

use clap::{ArgMatches, Command};
use kubestrap_phases::plan::{Selection, Step, Workflow};

use super::shared::{list, texts};

/// Adds `phase …` with every group and phase of the workflow, each with the command's own flags, and `--skip-phases`.
pub(super) fn with_phases<J>(
    command: Command,
    workflow: &'static Workflow<J>,
    flags: fn(Command) -> Command,
) -> Command {
    let phase = Command::new("phase")
        .about("Run a single phase or group of phases")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(workflow.steps.iter().map(|step| of_step(step, flags)));
    flags(command)
        .arg(list(
            "skip-phases",
            "PHASES",
            "Phases or groups to leave out, by the names under `phase`, as in group/phase",
        ))
        .args_conflicts_with_subcommands(true)
        .subcommand(phase)
}

fn of_step<J>(step: &'static Step<J>, flags: fn(Command) -> Command) -> Command {
    match step {
        Step::Phase(phase) => flags(Command::new(phase.name()).about(phase.about())),
        Step::Group { name, about, steps } => Command::new(*name)
            .about(*about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(flags(Command::new("all").about("All phases of this group")))
            .subcommands(steps.iter().map(|step| of_step(step, flags))),
    }
}

/// Which phases are wanted, and the matches that hold their flags.
pub(super) fn selection(matches: &ArgMatches) -> (Selection, &ArgMatches) {
    let Some(("phase", mut inner)) = matches.subcommand() else {
        return (Selection { only: None, skip: texts(matches, "skip-phases") }, matches);
    };
    let mut path: Vec<&str> = Vec::new();
    while let Some((name, below)) = inner.subcommand() {
        if name != "all" {
            path.push(name);
        }
        inner = below;
    }
    (Selection { only: Some(path.join("/")), skip: Vec::new() }, inner)
}
