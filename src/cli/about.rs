//! What the program says of itself: `version`, `completion SHELL` and the hidden `man FOLDER`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::releases::{NEWEST_MINOR, OLDEST_MINOR};
use serde_json::{Value, json};

use super::shared::Shared;
use crate::report::{Output, Report, say};

const FORMS: [Output; 4] = [Output::Text, Output::Json, Output::Yaml, Output::Short];

pub(super) fn version() -> Command {
    Command::new("version").about("Print the version of kubestrap and the Kubernetes releases it serves").arg(
        Arg::new("output")
            .short('o')
            .long("output")
            .value_name("FORM")
            .help_heading("Output")
            .value_parser(Output::parser_of(&FORMS))
            .default_value("text")
            .help("Form of the output"),
    )
}

pub(super) fn run_version(shared: &Shared, report: &Report) {
    let value = version_object();
    let version = value["clientVersion"]["gitVersion"].as_str().unwrap_or_default();
    let platform = value["clientVersion"]["platform"].as_str().unwrap_or_default();
    let text = match shared.output {
        Output::Short => version.to_owned(),
        _ => format!("kubestrap {version} ({platform}), for Kubernetes 1.{OLDEST_MINOR} to 1.{NEWEST_MINOR}"),
    };
    report.answer(&text, &value);
}

/// The shape that programs know from kubeadm; what only a Go program has is left out.
fn version_object() -> Value {
    json!({
        "clientVersion": {
            "major": env!("CARGO_PKG_VERSION_MAJOR"),
            "minor": env!("CARGO_PKG_VERSION_MINOR"),
            "gitVersion": concat!("v", env!("CARGO_PKG_VERSION")),
            "compiler": "rustc",
            "platform": format!("{}/{}", std::env::consts::OS, architecture()),
        },
        "kubernetesVersions": { "oldest": format!("v1.{OLDEST_MINOR}"), "newest": format!("v1.{NEWEST_MINOR}") },
    })
}

/// The architecture as Kubernetes calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

pub(super) fn completion() -> Command {
    let shells = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell];
    Command::new("completion")
        .about("Print what makes a shell complete kubestrap's commands and flags")
        .after_help("For this shell:  source <(kubestrap completion bash)")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(clap::builder::PossibleValuesParser::new(shells.map(|shell| shell.to_string())))
                .help("The shell"),
        )
}

pub(super) fn run_completion(matches: &ArgMatches, report: &Report) {
    let shell = matches.get_one::<String>("shell").and_then(|name| name.parse::<Shell>().ok()).unwrap_or(Shell::Bash);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "kubestrap", &mut script);
    let script = String::from_utf8_lossy(&script);
    report.answer(&script, &json!({ "shell": shell.to_string(), "script": script }));
}

pub(super) fn man() -> Command {
    Command::new("man").hide(true).about("Write manual pages of all commands into a folder, for packages").arg(
        Arg::new("folder")
            .value_name("FOLDER")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("Where to; the folder must exist"),
    )
}

pub(super) fn run_man(matches: &ArgMatches, shared: &Shared) -> Result<(), Problem> {
    let Some(folder) = matches.get_one::<PathBuf>("folder") else { return Ok(()) };
    if shared.dry_run {
        say(&format!("the manual pages would be written to {}", folder.display()));
        return Ok(());
    }
    let made = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(super::command(), folder));
    made.map_err(|error| {
        Problem::new("man-pages", "cannot write the manual pages")
            .at(folder.display().to_string())
            .why(error.to_string())
            .fix(format!("name a folder that can be written: mkdir -p {}", folder.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_has_the_fields_that_programs_read_of_kubeadms() {
        let version = version_object();
        let client = &version["clientVersion"];
        let text = client["gitVersion"].as_str().unwrap();
        let (major, minor) = (client["major"].as_str().unwrap(), client["minor"].as_str().unwrap());
        assert!(text.starts_with(&format!("v{major}.{minor}.")), "{version}");
        assert!(client["platform"].as_str().unwrap().starts_with("linux/"), "{version}");
        assert_eq!(version["kubernetesVersions"]["oldest"], "v1.20");
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_phases() {
        for shell in ["bash", "zsh", "fish", "powershell"] {
            let mut script = Vec::new();
            let known: Shell = shell.parse().unwrap();
            clap_complete::generate(known, &mut super::super::command(), "kubestrap", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("wait-control-plane"), "{shell}");
        }
    }
}
