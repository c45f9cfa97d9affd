//! `kubestrap phase`: the catalogue of all phases, and the names that are reserved.

use clap::{Arg, ArgMatches, Command};
use kubestrap_phases::catalogue::{Entry, catalogue, tree};
use kubestrap_phases::problem::Problem;
use serde_json::{Value, json};

use super::shared::{switch, text};
use super::upgrade::PHASES;
use crate::report::Report;

pub(super) fn command() -> Command {
    Command::new("phase")
        .about("Show all phases of all commands: what each does, needs and makes")
        .arg(
            Arg::new("workflow")
                .value_name("COMMAND")
                .help("Only those of this command, such as init or \"token create\""),
        )
        .arg(switch("list", "The same as without it").hide(true))
}

pub(super) fn run(matches: &ArgMatches, report: &Report) -> Result<(), Problem> {
    let wanted = text(matches, "workflow");
    let is_wanted = |workflow: &str| wanted.as_deref().is_none_or(|wanted| wanted == workflow);
    let all = catalogue()?;
    let entries: Vec<Entry> = all.iter().filter(|entry| is_wanted(entry.workflow)).cloned().collect();
    let reserved: Vec<(&str, &str)> = PHASES
        .iter()
        .filter(|(workflow, _)| is_wanted(workflow))
        .flat_map(|(workflow, paths)| paths.iter().map(|path| (*workflow, *path)))
        .collect();
    if entries.is_empty() && reserved.is_empty() {
        return Err(unknown(&wanted.unwrap_or_default(), &all));
    }
    let phases: Vec<Value> = entries.iter().map(Entry::value).collect();
    let names: Vec<Value> =
        reserved.iter().map(|(workflow, path)| json!({"workflow": workflow, "phase": path})).collect();
    let mut parts: Vec<String> = Vec::new();
    parts.extend((!entries.is_empty()).then(|| tree(&entries)));
    for (workflow, paths) in PHASES.iter().filter(|(workflow, _)| is_wanted(workflow)) {
        parts.push(format!("{workflow}   (reserved: this version has none of them)\n  {}", paths.join("\n  ")));
    }
    report.answer(&parts.join("\n\n"), &json!({"phases": phases, "reserved": names}));
    Ok(())
}

fn unknown(wanted: &str, all: &[Entry]) -> Problem {
    let mut names: Vec<&str> = all.iter().map(|entry| entry.workflow).collect();
    names.extend(PHASES.map(|(workflow, _)| workflow));
    names.dedup();
    Problem::new("unknown-phase", format!("there is no command {wanted:?} with phases"))
        .why(format!("those with phases are {}", names.join(", ")))
        .fix("see all of them: kubestrap phase")
}
