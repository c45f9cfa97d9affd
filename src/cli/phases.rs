//! From a workflow's table to `phase` sub-commands, and from what was typed to a selection.

use clap::{ArgMatches, Command};
use kubestrap_phases::plan::{Selection, Step, Workflow};
use kubestrap_phases::workflows::RENAMED;

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
    let phase = with_old_names(phase, workflow.name, flags);
    flags(command)
        .arg(list(
            "skip-phases",
            "PHASES",
            "Phases or groups to leave out, by the names under `phase`, as in group/phase",
        ))
        .args_conflicts_with_subcommands(true)
        .subcommand(phase)
}

/// What other releases call a phase is understood, and not shown.
fn with_old_names(phase: Command, command: &str, flags: fn(Command) -> Command) -> Command {
    RENAMED.iter().filter(|(of, ..)| *of == command).fold(phase, |phase, (_, old, new)| {
        let about = format!("Other name of {new}");
        match old.split_once('/') {
            Some((group, name)) => phase.mut_subcommand(group, move |group| {
                group.subcommand(flags(Command::new(name).about(about).hide(true)))
            }),
            None => phase.subcommand(flags(Command::new(*old).about(about).hide(true))),
        }
    })
}

fn renamed(command: &str, path: String) -> String {
    let row = RENAMED.iter().find(|(of, old, _)| *of == command && *old == path);
    row.map_or(path, |(.., new)| (*new).to_owned())
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

/// Which phases of a command are wanted, and the matches that hold their flags.
pub(super) fn selection<'m>(matches: &'m ArgMatches, command: &str) -> (Selection, &'m ArgMatches) {
    let Some(("phase", mut inner)) = matches.subcommand() else {
        let skip = texts(matches, "skip-phases").into_iter().map(|path| renamed(command, path)).collect();
        return (Selection { only: None, skip }, matches);
    };
    let mut path: Vec<&str> = Vec::new();
    while let Some((name, below)) = inner.subcommand() {
        if name != "all" {
            path.push(name);
        }
        inner = below;
    }
    (Selection { only: Some(renamed(command, path.join("/"))), skip: Vec::new() }, inner)
}
