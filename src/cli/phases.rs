//! From a workflow's table to `phase` sub-commands, and from what was typed to a selection.

use clap::{ArgMatches, Command};
use kubestrap_phases::plan::{Fate, OTHER_NAMES, Selection, Step, Workflow};

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
        .subcommands(workflow.steps.iter().map(|step| of_step(workflow.name, step, flags)))
        .subcommands(elsewhere(workflow, "", flags));
    let phase = workflow.steps.iter().filter(|step| matches!(step, Step::Group { .. })).fold(phase, |phase, group| {
        phase.mut_subcommand(group.name(), |command| command.subcommands(elsewhere(workflow, group.name(), flags)))
    });
    flags(command)
        .arg(list(
            "skip-phases",
            "PHASES",
            "Phases or groups to leave out, by the names under `phase`, as in group/phase",
        ))
        .args_conflicts_with_subcommands(true)
        .subcommand(phase)
}

fn of_step<J>(workflow: &str, step: &'static Step<J>, flags: fn(Command) -> Command) -> Command {
    let command = Command::new(step.name()).about(step.about()).aliases(other_words(workflow, step.name()));
    let Step::Group { name, steps, .. } = step else { return flags(command) };
    let command = if PHASES_OF_KUBEADM.contains(name) {
        flags(command).args_conflicts_with_subcommands(true)
    } else {
        command.subcommand_required(true).arg_required_else_help(true)
    };
    command
        .subcommand(flags(Command::new("all").about("All phases of this group")))
        .subcommands(steps.iter().map(|step| of_step(workflow, step, flags)))
}

/// Groups that are one phase in kubeadm, and so run without `all` too.
const PHASES_OF_KUBEADM: [&str; 1] = ["cleanup-node"];

/// Other names of a phase at the top of a workflow.
fn other_words(workflow: &str, path: &'static str) -> impl Iterator<Item = &'static str> {
    let same = OTHER_NAMES
        .iter()
        .filter(move |other| other.workflow == workflow && other.fate == Fate::Is(path) && !other.path.contains('/'));
    same.map(|other| other.path).collect::<Vec<_>>().into_iter()
}

/// Phases of kubeadm's in a group that have nothing left to do, or have left the group; hidden.
fn elsewhere<J>(workflow: &Workflow<J>, group: &str, flags: fn(Command) -> Command) -> Vec<Command> {
    let paths = workflow.paths();
    let mut commands = Vec::new();
    for other in OTHER_NAMES.iter().filter(|other| other.workflow == workflow.name) {
        let (parent, name) = other.path.rsplit_once('/').unwrap_or(("", other.path));
        let about = match other.fate {
            Fate::Nothing(why) => format!("Nothing to do: {why}"),
            Fate::Is(today) if !parent.is_empty() => format!("Is {today}"),
            Fate::Is(_) => continue,
        };
        if parent == group && !paths.iter().any(|path| path == other.path) {
            commands.push(flags(Command::new(name).about(about).hide(true)));
        }
    }
    commands
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
