//! `kubestrap config …`: commands that deal with configuration files and what follows from them.

mod images;

use clap::{ArgMatches, Command};
use kubestrap_phases::problem::Problem;

use super::shared::Shared;
use crate::report::Report;

pub(super) fn command() -> Command {
    Command::new("config")
        .about("Configuration files, and the images that follow from them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([images::command()])
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    match matches.subcommand() {
        Some(("images", matches)) => images::run(matches, shared, report),
        _ => Ok(()),
    }
}
