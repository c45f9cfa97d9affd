//! The command tree. A command file holds flags and closing words; the work is done by `launch`.

mod about;
mod arguments;
mod catalogue;
mod certs;
mod config;
mod init;
mod init_phases;
mod join;
mod kubeconfig;
mod phases;
mod preflight;
mod reach;
mod remove;
mod reset;
mod shared;
mod status;
mod token;
mod undo;
mod upgrade;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, ColorChoice, Command};
use kubestrap_phases::problem::Problem;

use crate::report::Report;
use reach::Reach;
pub(crate) use shared::Shared;

/// Reads the command line, does what it says, and tells how it ended.
pub(crate) fn run() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let root = reached(&typed);
    let words = arguments::in_our_words(typed, &root);
    let colour = if usage::is_plain(&words) { ColorChoice::Never } else { ColorChoice::Auto };
    let matches = match root.color(colour).try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => return usage::end(&error, &words),
    };
    let shared = Shared::of(&matches);
    let report = Report::new(shared.output, shared.plain);
    let outcome = match matches.subcommand() {
        // Its answer says all; what is left to say is the exit code.
        Some(("preflight", matches)) => preflight::run(matches, &shared, &report),
        _ => dispatch(&matches, &shared, &report).map(|()| ExitCode::SUCCESS),
    };
    match outcome.and_then(|code| report.is_given().map(|()| code)) {
        Ok(code) => code,
        Err(problem) => {
            report.problem(&problem);
            ExitCode::from(problem.exit.code())
        }
    }
}

type Make = fn(Reach<'_>) -> Command;

/// The commands, in the order of the help, and what makes each.
const COMMANDS: [(&str, Make); 17] = [
    ("init", init::command),
    ("join", join::command),
    ("preflight", |_| preflight::command()),
    ("reset", reset::command),
    ("status", |_| status::command()),
    ("undo", |_| undo::command()),
    ("remove", |_| remove::command()),
    ("token", |_| token::command()),
    ("config", |_| config::command()),
    ("certs", |_| certs::command()),
    ("kubeconfig", |_| kubeconfig::command()),
    ("phase", |_| catalogue::command()),
    ("upgrade", |_| upgrade::command()),
    ("alpha", |_| upgrade::alpha()),
    ("version", |_| about::version()),
    ("completion", |_| about::completion()),
    ("man", |_| about::man()),
];

/// The whole tree, for help and completion.
pub(crate) fn command() -> Command {
    tree(Reach::Whole)
}

/// The tree as far as these words can reach it.
fn reached(words: &[OsString]) -> Command {
    tree(Reach::of(words, &COMMANDS.map(|(name, _)| name)))
}

fn tree(reach: Reach<'_>) -> Command {
    let root = Command::new("kubestrap")
        .about("Turns Linux machines into Kubernetes nodes, in phases that can be killed anywhere and run again")
        .version(env!("CARGO_PKG_VERSION"))
        .arg_required_else_help(true)
        .subcommand_required(true)
        .infer_long_args(false);
    Shared::augment(root)
        .subcommands(COMMANDS.map(|(name, make)| if reach.has(name) { make(reach) } else { Command::new(name) }))
}

fn dispatch(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    match matches.subcommand() {
        Some(("init", matches)) => init::run(matches, shared, report),
        Some(("join", matches)) => join::run(matches, shared, report),
        Some(("reset", matches)) => reset::run(matches, shared, report),
        Some(("status", matches)) => status::run(matches, shared, report),
        Some(("undo", matches)) => undo::run(matches, shared, report),
        Some(("remove", matches)) => remove::run(matches, shared, report),
        Some(("token", matches)) => token::run(matches, shared, report),
        Some(("config", matches)) => config::run(matches, shared, report),
        Some(("certs", matches)) => certs::run(matches, shared, report),
        Some(("phase", matches)) => catalogue::run(matches, report),
        Some(("upgrade", matches)) => upgrade::run(matches),
        Some(("alpha", matches)) => match matches.subcommand() {
            Some(("certs", matches)) => certs::run(matches, shared, report),
            Some(("kubeconfig", matches)) => kubeconfig::run(matches, shared, report),
            _ => upgrade::run_alpha(),
        },
        Some(("kubeconfig", matches)) => kubeconfig::run(matches, shared, report),
        Some(("completion", matches)) => {
            about::run_completion(matches, report);
            Ok(())
        }
        Some(("man", matches)) => about::run_man(matches, shared),
        _ => {
            about::run_version(shared, report);
            Ok(())
        }
    }
}

#[cfg(test)]
mod help_tests;
#[cfg(test)]
mod kubeadm_tests;

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_sound() {
        super::command().debug_assert();
        let root = super::command();
        let names: Vec<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, super::COMMANDS.map(|(name, _)| name));
    }
}
