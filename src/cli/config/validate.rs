//! `kubestrap config validate`: flags.

use std::path::PathBuf;

use clap::{ArgMatches, Command, value_parser};
use kubestrap_phases::config::{Allowed, validate};
use kubestrap_phases::problem::Problem;
use serde_json::{Value, json};

use super::super::shared::{Shared, switch, value};
use super::text_of;
use crate::report::{Output, Report, say};

const AFTER: &str = "\
Prints ok, or all mistakes at once with file, line and what to write instead. Looks at the file only: what this machine \
or a cluster would object to is not asked (init --dry-run asks it).";

pub(super) fn command() -> Command {
    Command::new("validate")
        .about("Look for mistakes in a configuration file")
        .after_long_help(AFTER)
        .arg(value("config", "FILE", "File to read").required(true).value_parser(value_parser!(PathBuf)))
        .arg(switch("allow-deprecated-api", "Do not warn of a version older than the one the file's release writes"))
        .arg(switch("allow-experimental-api", "Read versions that kubeadm calls experimental: v1"))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some(file) = matches.get_one::<PathBuf>("config") else { return Ok(()) };
    let allowed = Allowed {
        experimental: matches.get_flag("allow-experimental-api"),
        deprecated: matches.get_flag("allow-deprecated-api"),
    };
    let validated = validate(&text_of(file, shared)?, &file.display().to_string(), allowed)?;
    if shared.output == Output::Text {
        validated.warnings.iter().for_each(warn);
    }
    report.answer(
        "ok",
        &json!({
            "valid": true,
            "kinds": validated.kinds,
            "warnings": validated.warnings.iter().map(told).collect::<Vec<_>>(),
        }),
    );
    Ok(())
}

/// In lines, as no phase is under way that it could belong to.
fn warn(warning: &Problem) {
    let place = warning.place.as_deref().unwrap_or_default();
    say(&format!("warn  {}: {} ({place}): {}", warning.id, warning.what, warning.why));
    warning.fixes.iter().for_each(|fix| say(&format!("      fix: {fix}")));
}

fn told(warning: &Problem) -> Value {
    json!({
        "id": warning.id, "what": warning.what, "where": warning.place, "why": warning.why, "fix": warning.fixes,
    })
}
