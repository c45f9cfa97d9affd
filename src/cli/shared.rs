//! Flags of all commands, and the environment: the only place that reads either.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::report::Output;

/// What holds for the whole run.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Form of the output.
    pub(crate) output: Output,
    /// Plain lines also on a terminal.
    pub(crate) plain: bool,
    /// Only show what would be changed.
    pub(crate) dry_run: bool,
    /// The folder that the machine's files lie below, where it is not `/`.
    pub(crate) rootfs: Option<PathBuf>,
    /// Proxy variables and the like.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

impl Shared {
    /// Adds the flags that all commands take.
    pub(crate) fn augment(command: Command) -> Command {
        command
            .arg(
                Arg::new("output")
                    .short('o')
                    .long("output")
                    .value_name("FORM")
                    .global(true)
                    .help_heading("Output")
                    .value_parser(value_parser!(Output))
                    .default_value("text")
                    .help("Form of the output"),
            )
            .arg(switch("plain", "Plain lines also on a terminal").help_heading("Output").global(true))
            .arg(
                switch("dry-run", "Change nothing; end with the list of what would be changed")
                    .help_heading("Output")
                    .global(true),
            )
            .arg(
                value("rootfs", "FOLDER", "Work on the files below a folder, as if it were /; nothing is run there")
                    .value_parser(value_parser!(PathBuf))
                    .global(true),
            )
            .arg(
                Arg::new("v")
                    .short('v')
                    .long("v")
                    .global(true)
                    .hide(true)
                    .value_name("LEVEL")
                    .help("Accepted for kubeadm's sake; every cause is shown without it"),
            )
    }

    /// Reads them, and the environment.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        Self {
            output: matches.get_one("output").copied().unwrap_or(Output::Text),
            plain: matches.get_flag("plain") || is_dumb_terminal(),
            dry_run: matches.get_flag("dry-run"),
            rootfs: matches.get_one("rootfs").cloned(),
            environment: std::env::vars_os().collect(),
        }
    }
}

/// Whether the terminal understands nothing but lines.
fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// A flag without a value.
pub(crate) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A flag with a value.
pub(crate) fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(placeholder).help(help)
}

/// A flag with values separated by commas, or given several times.
pub(crate) fn list(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    value(name, placeholder, help).action(ArgAction::Append).value_delimiter(',')
}

/// The value of a flag, as typed.
pub(crate) fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// The values of a list flag.
pub(crate) fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.try_get_many::<String>(name).ok().flatten().into_iter().flatten().cloned().collect()
}
