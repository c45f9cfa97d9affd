//! From the words that were typed to the words that clap reads: kubeadm's ways to write flags that clap does not know.
//!
//! `_` counts as `-` in names of flags, and a switch may have a value: `--dry-run=true`, `--force=false`.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{ArgAction, Command};

/// Words after `--` are left alone, as is what is no text.
pub(super) fn in_our_words(words: impl IntoIterator<Item = OsString>, root: &Command) -> Vec<OsString> {
    let mut switches = BTreeSet::new();
    collect_switches(root, &mut switches);
    let mut words = words.into_iter();
    let mut read = Vec::new();
    for word in words.by_ref() {
        if word == "--" {
            read.push(word);
            break;
        }
        match word.to_str().and_then(|text| text.strip_prefix("--")) {
            Some(flag) => read.extend(rewritten(flag, &switches).map(OsString::from)),
            None => read.push(word),
        }
    }
    read.extend(words);
    read
}

/// The flag as clap reads it; `None` for a switch that was set to false.
fn rewritten(flag: &str, switches: &BTreeSet<String>) -> Option<String> {
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    let name = name.replace('_', "-");
    match value {
        None => Some(format!("--{name}")),
        Some(value) if switches.contains(&name) => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(format!("--{name}")),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => None,
            // clap says what is wrong with it.
            _ => Some(format!("--{name}={value}")),
        },
        Some(value) => Some(format!("--{name}={value}")),
    }
}

fn collect_switches(command: &Command, found: &mut BTreeSet<String>) {
    for argument in command.get_arguments().filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue)) {
        let names = argument.get_long().into_iter().chain(argument.get_all_aliases().into_iter().flatten());
        found.extend(names.map(str::to_owned));
    }
    command.get_subcommands().for_each(|below| collect_switches(below, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let words = in_our_words(line.split(' ').map(OsString::from), &super::super::command());
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_are_read_as_kubeadm_reads_them() {
        for (typed, expected) in [
            ("init --node_name a_b", "init --node-name a_b"),
            ("init --pod_network_cidr=10.0.0.0/8", "init --pod-network-cidr=10.0.0.0/8"),
            ("init --feature-gates=My_Gate=true", "init --feature-gates=My_Gate=true"),
            ("init --dry-run=true --skip_token_print=1", "init --dry-run --skip-token-print"),
            ("reset --force=false --dry_run=F -f", "reset -f"),
            ("reset --force=yes", "reset --force=yes"),
            ("token create --description=true", "token create --description=true"),
            ("token create -- --a_b", "token create -- --a_b"),
        ] {
            assert_eq!(read(typed), expected, "{typed}");
        }
    }
}
