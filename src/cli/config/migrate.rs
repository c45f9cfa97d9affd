//! `kubestrap config migrate`: flags.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command, value_parser};
use kubestrap_phases::config::{MigrateOrder, Migrated, documents_text, migrate};
use kubestrap_phases::problem::Problem;
use serde_json::json;

use super::super::shared::{Shared, switch, text, value};
use super::{answer_documents, text_of};
use crate::host::write_for_user;
use crate::report::{Output, Report, say};

const AFTER: &str = "\
Says the same in another version of the format: nothing is filled in from this machine, no token is made, and values are \
not checked (config validate does that). Documents of the kubelet and kube-proxy are kept. Comments and the order of \
fields are not: a document is read and written anew.

Without --to, the version is the one that the file's kubernetesVersion writes, and the newest where the file names none. \
What that version cannot say is refused, one finding for each; a field that it does not have and that holds its \
default is left out and named.";

pub(super) fn command() -> Command {
    let file = |name, help| value(name, "FILE", help).value_parser(value_parser!(PathBuf));
    Command::new("migrate")
        .about("Write a configuration file in another version of the format")
        .after_long_help(AFTER)
        .arg(file("old-config", "File to read").required(true))
        .arg(file(
            "new-config",
            "File to write; readable by its owner only where it holds a token or key; default: standard output",
        ))
        .arg(
            value("to", "VERSION", "Version to write")
                .value_parser(PossibleValuesParser::new(["v1beta2", "v1beta3", "v1beta4"])),
        )
        .arg(switch("allow-experimental-api", "Read versions that kubeadm calls experimental: v1"))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some(old) = matches.get_one::<PathBuf>("old-config") else { return Ok(()) };
    let to = text(matches, "to");
    let order = MigrateOrder {
        text: &text_of(old)?,
        file: &old.display().to_string(),
        to: to.as_deref(),
        experimental: matches.get_flag("allow-experimental-api"),
    };
    let migrated = migrate(&order)?;
    match matches.get_one::<PathBuf>("new-config") {
        Some(new) => write(&migrated, new, shared, report)?,
        None => answer_documents(&migrated.documents, shared, report),
    }
    if shared.output == Output::Text && !migrated.left_out.is_empty() {
        say(&format!("left out, as {} does the same without: {}", migrated.api, migrated.left_out.join(", ")));
    }
    Ok(())
}

/// Writes the user's own file. It is no part of the machine's state: nothing is to be taken back, and reset must not
/// remove it; so it does not go through the journal, which would need root.
fn write(migrated: &Migrated, new: &Path, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let mode = if migrated.holds_secrets { 0o600 } else { 0o644 };
    let done = if shared.dry_run { "would be written" } else { "written" };
    if !shared.dry_run {
        write_for_user(new, documents_text(&migrated.documents).as_bytes(), mode)?;
    }
    if shared.output == Output::Text {
        say(&format!("{} {done} in {}", new.display(), migrated.api));
    } else {
        let value = json!({
            "file": new, "apiVersion": migrated.api, "leftOut": migrated.left_out, "written": !shared.dry_run,
        });
        report.answer("", &value);
    }
    Ok(())
}
