//! The command tree. A command file holds flags and closing words; the work is done by `launch`.

mod config;
mod init;
mod join;
mod phases;
mod remove;
mod reset;
mod shared;
mod token;

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use kubestrap_phases::problem::Problem;
use serde_json::json;

use crate::report::Report;
pub(crate) use shared::Shared;

/// Reads the command line, does what it says, and tells how it ended.
pub(crate) fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(usage_code(&error));
        }
    };
    let shared = Shared::of(&matches);
    let report = Report::new(shared.output, shared.plain);
    match dispatch(&matches, &shared, &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            report.problem(&problem);
            ExitCode::from(problem.exit.code())
        }
    }
}

/// Help and version are results; a wrong command line is a failure, with kubeadm's code 1.
fn usage_code(error: &clap::Error) -> u8 {
    u8::from(error.use_stderr())
}

/// The whole tree, also for help and completion.
pub(crate) fn command() -> Command {
    let root = Command::new("kubestrap")
        .about("Turns Linux machines into Kubernetes nodes, in phases that can be killed anywhere and run again")
        .version(env!("CARGO_PKG_VERSION"))
        .arg_required_else_help(true)
        .subcommand_required(true)
        .infer_long_args(false);
    Shared::augment(root).subcommands([
        init::command(),
        join::command(),
        reset::command(),
        remove::command(),
        token::command(),
        config::command(),
        Command::new("version").about("Print the version of kubestrap"),
    ])
}

fn dispatch(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    match matches.subcommand() {
        Some(("init", matches)) => init::run(matches, shared, report),
        Some(("join", matches)) => join::run(matches, shared, report),
        Some(("reset", matches)) => reset::run(matches, shared, report),
        Some(("remove", matches)) => remove::run(matches, shared, report),
        Some(("token", matches)) => token::run(matches, shared, report),
        Some(("config", matches)) => config::run(matches, shared, report),
        _ => {
            let version = env!("CARGO_PKG_VERSION");
            report.answer(&format!("kubestrap {version}"), &json!({ "clientVersion": { "gitVersion": version } }));
            Ok(())
        }
    }
}

#[cfg(test)]
mod help_tests;

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_sound() {
        super::command().debug_assert();
    }
}
