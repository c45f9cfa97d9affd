//! `kubestrap config …`: commands that deal with configuration files alone. None of them but
//! `images pull` needs root, a cluster or the network.

mod images;
mod migrate;
mod print;
mod schema;
mod validate;

use std::path::Path;

use clap::{Arg, ArgMatches, Command};
use kubestrap_phases::config::{Layout, documents_text, read_config_file};
use kubestrap_phases::problem::Problem;
use serde_json::{Value, json};

use super::shared::Shared;
use crate::host::{Linux, Root};
use crate::report::{Output, Report};

pub(super) fn command() -> Command {
    Command::new("config")
        .about("Configuration files: defaults, other versions, mistakes, a schema for editors")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("kubeconfig")
                .long("kubeconfig")
                .value_name("FILE")
                .global(true)
                .hide(true)
                .help("Accepted for kubeadm's sake; no cluster is asked"),
        )
        .subcommands([print::command(), migrate::command(), validate::command(), schema::command(), images::command()])
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    match matches.subcommand() {
        Some(("print", matches)) => print::run(matches, shared, report),
        Some(("migrate", matches)) => migrate::run(matches, shared, report),
        Some(("validate", matches)) => validate::run(matches, shared, report),
        Some(("schema", matches)) => schema::run(matches, report),
        Some(("images", matches)) => images::run(matches, shared, report),
        _ => Ok(()),
    }
}

/// The text of a configuration file.
fn text_of(path: &Path, shared: &Shared) -> Result<String, Problem> {
    let root = Root::of(shared.rootfs.as_deref())?;
    read_config_file(path, &Linux::new(Path::new(Layout::STATE)).below(&root))
}

/// Gives documents as the answer: YAML documents, or a JSON list.
fn answer_documents(documents: &[Value], shared: &Shared, report: &Report) {
    let text = documents_text(documents);
    if shared.output == Output::Yaml {
        // A list would be another file than the one that was asked for.
        report.result(&text);
    } else {
        report.answer(&text, &json!(documents));
    }
}
