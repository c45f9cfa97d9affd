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
mod remove;
mod reset;
mod shared;
mod status;
mod token;
mod undo;
mod upgrade;
mod usage;

use std::process::ExitCode;

use clap::{ArgMatches, ColorChoice, Command};
use kubestrap_phases::problem::Problem;

use crate::report::Report;
pub(crate) use shared::Shared;

/// Reads the command line, does what it says, and tells how it ended.
pub(crate) fn run() -> ExitCode {
    let root = command();
    let words = arguments::in_our_words(std::env::args_os(), &root);
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
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            report.problem(&problem);
            ExitCode::from(problem.exit.code())
        }
    }
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
        preflight::command(),
        reset::command(),
        status::command(),
        undo::command(),
        remove::command(),
        token::command(),
        config::command(),
        certs::command(),
        kubeconfig::command(),
        catalogue::command(),
        upgrade::command(),
        upgrade::alpha(),
        about::version(),
        about::completion(),
        about::man(),
    ])
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
    }
}
