//! Flags of all commands, and the environment: the only place that reads either.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use kubestrap_phases::config::Layout;
use kubestrap_phases::problem::Problem;

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
                    .alias("experimental-output")
                    .value_name("FORM")
                    .global(true)
                    .help_heading("Output")
                    .value_parser(Output::parser())
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
                    .display_order(500)
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
            .args(["vmodule", "log-file", "log-file-max-size"].map(|name| unheeded(name).global(true)))
            .args(
                ["add-dir-header", "one-output", "skip-headers", "skip-log-headers"]
                    .map(|name| switch(name, "Accepted for kubeadm's sake, without effect").hide(true).global(true)),
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

impl Shared {
    /// The kubeconfig that was named, else kubeadm's choice for commands that need no node: the first file of
    /// `$KUBECONFIG`, or `~/.kube/config`, and the administrator's of this node where there is none. The environment is
    /// that of this system: below `--rootfs` it names nothing.
    pub(crate) fn kubeconfig(&self, matches: &ArgMatches) -> PathBuf {
        let named: Option<&PathBuf> = matches.get_one("kubeconfig");
        named.cloned().unwrap_or_else(|| {
            let mut candidates: Vec<PathBuf> = match self.variable("KUBECONFIG") {
                Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
                None => {
                    self.variable("HOME").map(|home| PathBuf::from(home).join(".kube/config")).into_iter().collect()
                }
            };
            candidates.retain(|path| self.rootfs.is_none() && path.exists());
            candidates.into_iter().next().unwrap_or_else(|| Layout::default().kubeconfig("admin.conf"))
        })
    }

    /// Where somebody who is not root keeps the journal of changes to clusters.
    pub(crate) fn own_state(&self) -> Option<PathBuf> {
        let own = self.variable("XDG_STATE_HOME").map(PathBuf::from);
        let own = own.or_else(|| self.variable("HOME").map(|home| PathBuf::from(home).join(".local/state")));
        own.filter(|path| path.is_absolute()).map(|path| path.join("kubestrap"))
    }

    /// A variable of the environment; an empty one counts as not set.
    fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }
}

/// Whether the terminal understands nothing but lines.
fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// The flags of kubectl's printers that kubeadm's listing commands take; without effect and hidden.
pub(crate) fn printer_flags(command: Command) -> Command {
    let flags = ["allow-missing-template-keys", "show-managed-fields"];
    command.args(flags.map(|name| unheeded(name).num_args(0..=1).require_equals(true)))
}

/// A flag of kubeadm's that changes nothing here; hidden.
pub(crate) fn unheeded(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("VALUE").hide(true).help("Accepted for kubeadm's sake, without effect")
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

/// `--patches`, also by its name before 1.22.
pub(crate) fn patches() -> Arg {
    value("patches", "FOLDER", "Folder with patches for manifests and the kubelet: target[suffix][+type].yaml")
        .alias("experimental-patches")
}

/// The value of a flag, as typed.
pub(crate) fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// The values of a list flag.
pub(crate) fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.try_get_many::<String>(name).ok().flatten().into_iter().flatten().cloned().collect()
}

/// A folder, absolute whatever folder the command was typed in.
pub(crate) fn folder(matches: &ArgMatches, name: &str) -> Result<Option<PathBuf>, Problem> {
    let Some(path) = matches.try_get_one::<PathBuf>(name).ok().flatten() else { return Ok(None) };
    std::path::absolute(path).map(Some).map_err(|error| {
        Problem::new("bad-folder", format!("--{name} names no folder"))
            .at(path.display().to_string())
            .why(error.to_string())
            .fix(format!("--{name} /absolute/path"))
    })
}

/// Where `--csr-only` writes; `None` without it.
pub(crate) fn requests_folder(matches: &ArgMatches) -> Result<Option<PathBuf>, Problem> {
    let found = folder(matches, "csr-dir")?;
    match (matches.get_flag("csr-only"), found) {
        (false, None) => Ok(None),
        (true, Some(folder)) => Ok(Some(folder)),
        (true, None) => Err(Problem::new("csr-dir-missing", "it is not said where the requests go")
            .at("--csr-dir")
            .why("a request and its key must not lie where the certificate in use has its own")
            .fix("--csr-only --csr-dir /root/requests")),
        (false, Some(folder)) => {
            Err(Problem::new("csr-dir-unused", "--csr-dir says where requests go, and none are wanted")
                .at("--csr-dir")
                .why("without --csr-only certificates are made here")
                .fix(format!("--csr-only --csr-dir {}", folder.display())))
        }
    }
}
