//! A wrong command line: told in clap's words to people, as a problem to programs that have asked for JSON or YAML.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Error, ValueEnum as _};
use kubestrap_phases::problem::Problem;

use crate::report::{Output, Report};

/// Tells what is wrong, or gives the help or version that was asked for.
pub(super) fn end(error: &Error, words: &[OsString]) -> ExitCode {
    match output(words) {
        Output::Text | Output::Short => drop(error.print()),
        // What was asked for is given as it is, in any form of output.
        _ if !error.use_stderr() => drop(error.print()),
        form => Report::new(form, true).problem(&problem(error, words)),
    }
    ExitCode::from(code(error))
}

/// Whether lines without control characters are asked for, wherever that stands among the words.
pub(super) fn is_plain(words: &[OsString]) -> bool {
    options(words).any(|word| word == "--plain")
}

/// Help and version are results; a wrong command line is a failure, with kubeadm's code 1.
pub(super) fn code(error: &Error) -> u8 {
    u8::from(error.use_stderr())
}

fn options(words: &[OsString]) -> impl Iterator<Item = &str> {
    words.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--")
}

/// The form of output that the words ask for, as far as they can be understood.
fn output(words: &[OsString]) -> Output {
    let mut words = options(words);
    let mut found = Output::Text;
    while let Some(word) = words.next() {
        let value = match word {
            "-o" | "--output" | "--experimental-output" => words.next(),
            _ => ["--output=", "--experimental-output="]
                .iter()
                .find_map(|flag| word.strip_prefix(flag))
                .or_else(|| Some(word.strip_prefix("-o")?.trim_start_matches('='))),
        };
        if let Some(form) = value.and_then(|value| Output::from_str(value, true).ok()) {
            found = form;
        }
    }
    found
}

fn problem(error: &Error, words: &[OsString]) -> Problem {
    let text = error.render().to_string();
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let first = if is_help { "the command is not complete" } else { text.lines().next().unwrap_or_default() };
    let reason = error.kind().as_str().unwrap_or("it ends where a sub-command is needed");
    let mut problem = Problem::new("command-line", first.trim_start_matches("error: ")).why(match values(error) {
        Some(values) => format!("{reason}; possible are {values}"),
        None => reason.to_owned(),
    });
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue] {
        if let Some(name) = named(error, kind) {
            problem = problem.fix(format!("write {name}"));
        }
    }
    problem.fix(format!("see what there is: {} --help", command(words)))
}

fn values(error: &Error) -> Option<String> {
    match error.get(ContextKind::ValidValue).or_else(|| error.get(ContextKind::ValidSubcommand)) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    }
}

fn named(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        // clap gives every name that is near, the nearest last.
        ContextValue::Strings(names) => names.last().cloned(),
        _ => None,
    }
}

/// The command that was meant, as far as the words name one.
fn command(words: &[OsString]) -> String {
    let root = super::command();
    let (mut path, mut at) = (root.get_name().to_owned(), &root);
    for word in options(words) {
        if let Some(below) = at.find_subcommand(word) {
            path = format!("{path} {}", below.get_name());
            at = below;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn wrong(line: &str) -> Problem {
        problem(&super::super::command().try_get_matches_from(words(line)).expect_err(line), &words(line))
    }

    #[test]
    fn the_form_of_output_is_found_anywhere_in_a_wrong_line() {
        for (line, expected) in [
            ("kubestrap init --nonsense -o json", Output::Json),
            ("kubestrap -ojson init --nonsense", Output::Json),
            ("kubestrap --output=yaml nonsense", Output::Yaml),
            ("kubestrap --output yaml", Output::Yaml),
            ("kubestrap -o=json x", Output::Json),
            ("kubestrap token --experimental-output=json x", Output::Json),
            ("kubestrap init -o toml", Output::Text),
            ("kubestrap init -- -o json", Output::Text),
            ("kubestrap init -o", Output::Text),
        ] {
            assert_eq!(output(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn a_wrong_word_is_told_with_the_nearest_one() {
        for (line, what, fix) in [
            ("kubestrap init --pod-network-cdir x", "'--pod-network-cdir'", "write --pod-network-cidr"),
            ("kubestrap iint", "'iint'", "write init"),
            ("kubestrap init phase certs apisrver", "'apisrver'", "write apiserver"),
            ("kubestrap -o jsn version", "'jsn'", "write json"),
            ("kubestrap init --token", "'--token <TOKEN>'", "see what there is: kubestrap init --help"),
            ("kubestrap remove", "not provided", "see what there is: kubestrap remove --help"),
        ] {
            let problem = wrong(line);
            assert_eq!(problem.id, "command-line");
            assert!(problem.what.contains(what), "{line}: {problem:?}");
            assert!(problem.fixes.iter().any(|found| found == fix), "{line}: {problem:?}");
            assert!(!problem.why.is_empty(), "{line}");
        }
    }

    #[test]
    fn a_line_that_ends_too_early_is_told_without_the_whole_help() {
        let problem = wrong("kubestrap init phase");
        assert_eq!(problem.what, "the command is not complete");
        assert_eq!(problem.fixes, ["see what there is: kubestrap init phase --help"]);
    }
}
