//! From a workflow's table to `phase` sub-commands, and from what was typed to a selection.

use clap::{ArgMatches, Command};
use kubestrap_phases::plan::{OTHER_NAMES, Selection, Step, Workflow};

use super::reach::Reach;
use super::shared::{list, texts};

/// Adds `phase …` with every group and phase of the workflow, each with the command's own flags, and `--skip-phases`.
pub(super) fn with_phases<J>(
    command: Command,
    workflow: &'static Workflow<J>,
    flags: fn(Command) -> Command,
    reach: Reach<'_>,
) -> Command {
    let phase = Command::new("phase").about("Run a single phase or group of phases");
    flags(command)
        .arg(list(
            "skip-phases",
            "PHASES",
            "Phases or groups to leave out, by the names under `phase`, as in group/phase",
        ))
        .args_conflicts_with_subcommands(true)
        .subcommand(if reach.has("phase") { of_steps(phase, workflow, flags) } else { phase })
}

fn of_steps<J>(phase: Command, workflow: &'static Workflow<J>, flags: fn(Command) -> Command) -> Command {
    let phase = phase
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(workflow.steps.iter().map(|step| of_step(workflow.name, step, flags)))
        .subcommands(elsewhere(workflow, "", flags));
    workflow.steps.iter().filter(|step| matches!(step, Step::Group { .. })).fold(phase, |phase, group| {
        phase.mut_subcommand(group.name(), |command| command.subcommands(elsewhere(workflow, group.name(), flags)))
    })
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
        .filter(move |other| other.workflow == workflow && other.today == path && !other.path.contains('/'));
    same.map(|other| other.path).collect::<Vec<_>>().into_iter()
}

/// Phases of kubeadm's that have left a group; hidden.
fn elsewhere<J>(workflow: &Workflow<J>, group: &str, flags: fn(Command) -> Command) -> Vec<Command> {
    let paths = workflow.paths();
    let others = OTHER_NAMES.iter().filter(|other| other.workflow == workflow.name);
    let gone = others.filter_map(|other| {
        let (parent, name) = other.path.rsplit_once('/')?;
        let is_gone = parent == group && !paths.iter().any(|path| path == other.path);
        is_gone.then(|| flags(Command::new(name).about(format!("Is {}", other.today)).hide(true)))
    });
    gone.collect()
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
