//! `kubestrap config schema`: flags.

use clap::{ArgMatches, Command};
use kubestrap_phases::config::schema;
use kubestrap_phases::problem::Problem;

use super::super::shared::{text, value};
use crate::report::Report;

const AFTER: &str = "\
Made from the same tables that read the files. An editor whose YAML language server reads JSON Schema completes and checks \
every document of a file after this line at its top:

    # yaml-language-server: $schema=kubeadm.schema.json";

pub(super) fn command() -> Command {
    Command::new("schema")
        .about("Print a JSON Schema (draft 2020-12) of configuration files, for editors")
        .after_long_help(AFTER)
        .arg(value("kind", "KIND", "Only this kind, in all its versions; default: all kinds"))
}

pub(super) fn run(matches: &ArgMatches, report: &Report) -> Result<(), Problem> {
    let schema = schema(text(matches, "kind").as_deref())?;
    report.answer(&format!("{schema:#}"), &schema);
    Ok(())
}
