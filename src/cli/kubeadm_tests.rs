//! kubeadm's whole command line against ours: every command and flag of 1.20.2 and 1.36.2 is there, or stands in `ABSENT`
//! with a reason.
//!
//! Compares with `testdata/kubeadm/commands-*.txt`, whose rows say which; renewed with `UPDATE_GOLDEN=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::command;

/// What every command of ours takes; kubeadm has less, which makes no row differ.
const EVERYWHERE: [&str; 5] = ["dry-run", "output", "plain", "rootfs", "help"];

/// What kubeadm has and this program has not: a command with all below it (empty: any), a flag or a form of output
/// (empty: the command itself), and why.
const ABSENT: [(&str, &str, &str); 4] = [
    ("", "output=go-template", "a template language of Go's; -o json with jq gives the same"),
    ("", "output=jsonpath", "a language of kubectl's; -o json with jq gives the same"),
    ("", "output=kyaml", "another way to write YAML; -o yaml and -o json are read by the same parsers"),
    ("config view", "", "deprecated in 1.20 and gone in 1.22: kubectl -n kube-system get cm kubeadm-config -o yaml"),
];

/// Names that are kept without serving them.
const RESERVED: [&str; 2] = ["upgrade", "alpha selfhosting"];

/// One row of a table: the command and what it takes.
struct Row {
    command: String,
    takes: Vec<String>,
}

fn table(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/kubeadm/commands-{version}.txt"))
}

fn rows(text: &str) -> Vec<Row> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let takes = columns[2].split_whitespace().map(str::to_owned).collect();
        Row { command: columns[1].to_owned(), takes }
    })
    .collect()
}

/// The command of a path, where the last word may be a value as in `completion bash`.
fn find<'c>(root: &'c Command, path: &str) -> Option<&'c Command> {
    let mut found = root;
    for word in path.split(' ').filter(|word| !word.is_empty() && *word != "(every" && *word != "command)") {
        found = match found.find_subcommand(word) {
            Some(below) => below,
            None => {
                let is_value = |argument: &Arg| {
                    argument.is_positional()
                        && argument.get_possible_values().iter().any(|value| value.matches(word, false))
                };
                return found.get_arguments().any(is_value).then_some(found);
            }
        };
    }
    Some(found)
}

/// Whether a command takes a flag, or a flag with a value as in `output=json`.
fn takes(command: &Command, what: &str) -> bool {
    let (flag, value) = what.split_once('=').map_or((what, None), |(flag, value)| (flag, Some(value)));
    let is_it = |argument: &&Arg| {
        argument.get_long() == Some(flag)
            || argument.get_all_aliases().is_some_and(|aliases| aliases.contains(&flag))
            || (flag.len() == 1 && argument.get_short() == flag.chars().next())
    };
    let Some(argument) = command.get_arguments().find(is_it) else { return flag == "help" };
    value.is_none_or(|value| argument.get_possible_values().iter().any(|known| known.matches(value, false)))
}

/// Whether our command takes more than kubeadm's.
fn is_extended(command: &Command, row: &Row) -> bool {
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(Arg::get_long)
        .any(|flag| !EVERYWHERE.contains(&flag) && !row.takes.iter().any(|known| known == flag))
}

fn is_within(command: &str, of: &str) -> bool {
    of.is_empty() || command == of || command.strip_prefix(of).is_some_and(|rest| rest.starts_with(' '))
}

/// The entry of `ABSENT` for something that is not there.
fn reason(command: &str, what: &str) -> Option<usize> {
    let what = what.strip_prefix("experimental-").filter(|rest| rest.starts_with("output=")).unwrap_or(what);
    ABSENT.iter().position(|(of, absent, _)| is_within(command, of) && *absent == what)
}

/// What is said of a row.
struct Judgement {
    verdict: &'static str,
    /// What is missing, with its entry of `ABSENT`.
    missing: Vec<(String, Option<usize>)>,
}

fn judge(root: &Command, row: &Row) -> Judgement {
    if RESERVED.iter().any(|reserved| is_within(&row.command, reserved)) {
        return Judgement { verdict: "reserved", missing: Vec::new() };
    }
    let Some(command) = find(root, &row.command) else {
        return Judgement { verdict: "absent", missing: vec![(String::new(), reason(&row.command, ""))] };
    };
    let missing = row.takes.iter().filter(|what| !takes(command, what));
    let missing: Vec<_> = missing.map(|what| (what.clone(), reason(&row.command, what))).collect();
    let verdict = match missing.is_empty() {
        false => "absent",
        true if is_extended(command, row) => "extended",
        true => "same",
    };
    Judgement { verdict, missing }
}

impl Judgement {
    /// The last column: reasons, each with the flags it is for.
    fn why(&self) -> String {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (what, entry) in &self.missing {
            let why = entry.map_or("not explained", |entry| ABSENT[entry].2);
            by_reason.entry(why).or_default().push(what);
        }
        let texts = by_reason.into_iter().map(|(why, flags)| match flags.join(" ") {
            flags if flags.is_empty() => why.to_owned(),
            flags => format!("{flags}: {why}"),
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

fn built() -> Command {
    let mut root = command();
    root.build();
    root
}

const VERSIONS: [&str; 2] = ["1.20", "1.36"];

fn judged() -> Vec<(Row, Judgement)> {
    let root = built();
    let texts = VERSIONS.map(|version| std::fs::read_to_string(table(version)).unwrap());
    let rows = texts.iter().flat_map(|text| rows(text));
    rows.map(|row| {
        let judgement = judge(&root, &row);
        (row, judgement)
    })
    .collect()
}

#[test]
fn everything_that_kubeadm_takes_is_there_or_has_a_reason() {
    let mut unexplained = Vec::new();
    for (row, judgement) in judged() {
        for (what, _) in judgement.missing.iter().filter(|(_, entry)| entry.is_none()) {
            unexplained.push(format!("{} {what}", row.command));
        }
    }
    assert!(unexplained.is_empty(), "absent without a reason:\n{}", unexplained.join("\n"));
}

#[test]
fn what_is_called_absent_is() {
    let judged = judged();
    let used: BTreeSet<usize> =
        judged.iter().flat_map(|(_, judgement)| &judgement.missing).filter_map(|(_, entry)| *entry).collect();
    let idle: Vec<_> = (0..ABSENT.len()).filter(|entry| !used.contains(entry)).map(|entry| ABSENT[entry]).collect();
    assert!(idle.is_empty(), "these are there by now, take them out of ABSENT: {idle:#?}");
    assert!(judged.len() > 200, "the tables were read: {}", judged.len());
}

#[test]
fn fewer_than_five_things_are_absent_for_good() {
    let for_good: Vec<_> = ABSENT.iter().filter(|(.., why)| !why.starts_with("branch ")).collect();
    assert!(for_good.len() < 5, "{for_good:#?}");
}

#[test]
fn names_that_are_reserved_say_what_to_use_instead() {
    for line in ["upgrade apply v1.21.0 -y", "upgrade node phase kubelet-config", "alpha selfhosting pivot --force"] {
        let words = ["kubestrap"].into_iter().chain(line.split(' '));
        let matches = command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (name, below) = matches.subcommand().unwrap();
        let problem = match name {
            "upgrade" => super::upgrade::run(below),
            _ => super::upgrade::run_alpha(),
        };
        assert!(problem.unwrap_err().fixes[0].contains("kubeadm"), "{line}");
    }
}

#[test]
fn the_tables_say_how_we_compare() {
    let root = built();
    let is_renewal = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| !value.is_empty());
    let mut differing = Vec::new();
    for version in VERSIONS {
        let text = std::fs::read_to_string(table(version)).unwrap();
        let mut expected: Vec<String> =
            text.lines().take_while(|line| line.starts_with('#')).map(str::to_owned).collect();
        for row in rows(&text) {
            let judgement = judge(&root, &row);
            let line = [judgement.verdict, &row.command, &row.takes.join(" "), &judgement.why()].join(" | ");
            expected.push(line.trim_end().to_owned());
        }
        let expected = expected.join("\n") + "\n";
        if text != expected {
            differing.push(version);
            if is_renewal {
                std::fs::write(table(version), expected).unwrap();
            }
        }
    }
    let word = if is_renewal { "renewed, read the difference" } else { "other verdicts, renew with UPDATE_GOLDEN=1" };
    assert!(differing.is_empty(), "{word}: {differing:?}");
}
