//! How kubestrap speaks: living lines and colours on a terminal, plain lines in a pipe, and one JSON object per line
//! with `-o json`. The terminal is a pseudo terminal that `script` makes on the node.

use crate::{events, only_kubestrap, scenario};
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;
use serde_json::Value;
use std::collections::BTreeSet;

/// Names of events and of their fields, without "event" and "at", which all have.
const EVENTS: [(&str, &[&str]); 10] = [
    ("started", &["command", "subject"]),
    ("phase-started", &["phase"]),
    ("phase-finished", &["phase", "changes", "seconds"]),
    ("phase-skipped", &["phase", "why"]),
    ("phase-failed", &["phase"]),
    ("change", &["summary"]),
    ("note", &["text"]),
    ("result", &["text"]),
    ("warning", &["problem"]),
    ("dry-run", &["command", "assumed", "changes", "complete"]),
];
const PROBLEM: [&str; 7] = ["id", "what", "saw", "where", "why", "fix", "findings"];

/// Takes long enough to be seen at work, and leaves the node alone.
const DRY_RUN: &str = "kubestrap init phase certs all --dry-run";
/// Fails in preflight, because of a port.
const FAILS: &str = "kubestrap init --pod-network-cidr 10.244.0.0/16";
const TAKE_PORT: &str = "systemd-run --quiet --collect --unit=listener socat TCP-LISTEN:6443,fork EXEC:true; \
    until ss -ltn | grep -q :6443; do :; done";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_terminal_gets_living_lines_and_a_pipe_plain_ones() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_terminal_gets_living_lines_and_a_pipe_plain_ones", |run| {
        let node = Node::create(run, "speaks")?;
        let seen = at_terminal(&node, DRY_RUN)?.success()?;
        expect(seen.stdout.contains('\u{1b}'), "a terminal gets no control characters", &seen)?;
        let piped = node.ok(&["sh", "-c", DRY_RUN])?;
        has_no_control_characters(&piped)?;
        expect(piped.stderr.lines().any(|line| line.starts_with("ok ")), "no phase has a line", &piped)?;
        let plain = at_terminal(&node, &format!("{DRY_RUN} --plain"))?.success()?;
        has_no_control_characters(&plain)?;
        has_no_control_characters(&node.ok(&["kubestrap", "reset", "--help"])?)?;

        node.script(TAKE_PORT)?;
        let red = at_terminal(&node, FAILS)?;
        expect(red.code == Some(2) && red.stdout.contains("\u{1b}[1;31merror:"), "the problem has no colour", &red)?;
        let grey = at_terminal(&node, &format!("env NO_COLOR=1 {FAILS}"))?;
        let coloured = grey.stdout.split("\u{1b}[").skip(1).any(|rest| sequence_end(rest) == Some('m'));
        expect(!coloured, "NO_COLOR is not obeyed", format!("{:?}", grey.stdout))?;
        let piped = node.run(&["sh", "-c", FAILS])?;
        has_no_control_characters(&piped)?;
        for word in ["error:", "Port-6443", "why:", "fix:", "id:"] {
            expect(piped.stderr.contains(word), format!("the problem lacks {word}"), &piped)?;
        }
        say(piped.stderr.trim_end());
        node.destroy()
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn json_output_is_one_object_per_line_with_stable_names() {
    if !only_kubestrap() {
        return;
    }
    scenario("json_output_is_one_object_per_line_with_stable_names", |run| {
        let node = Node::create(run, "speaks-json")?;
        let good = node.ok(&["sh", "-c", &format!("{DRY_RUN} -o json")])?;
        let events = events::of(&good)?;
        events.iter().try_for_each(is_stable)?;
        let names: BTreeSet<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
        for name in ["started", "phase-started", "phase-finished"] {
            expect(names.contains(name), format!("there is no event {name}"), &good)?;
        }
        node.script(TAKE_PORT)?;
        let bad = node.run(&["sh", "-c", &format!("{FAILS} -o json")])?;
        let events = events::of(&bad)?;
        let (last, others) = events.split_last().ok_or_else(|| Failure::new("nothing was said", &bad))?;
        others.iter().try_for_each(is_stable)?;
        has_fields(last, &["problem", "exit-code"])?;
        has_problem(&last["problem"])?;
        expect(last["event"] == "problem" && last["exit-code"] == 2, "the last event is no problem", last)?;
        node.destroy()
    });
}

/// Everything that would be seen there; standard error too.
fn at_terminal(node: &Node, command: &str) -> Result<Output, Failure> {
    node.run(&["env", "TERM=xterm-256color", "script", "--quiet", "--return", "--command", command, "/dev/null"])
}

/// The terminal itself ends lines with a carriage return.
fn has_no_control_characters(output: &Output) -> Result<(), Failure> {
    let text = format!("{}{}", output.stdout, output.stderr).replace("\r\n", "\n");
    let found = text.lines().find(|line| line.contains(|letter: char| letter.is_control()));
    expect(found.is_none(), "a line has control characters", format!("{found:?} of {}", output.command))
}

fn sequence_end(rest: &str) -> Option<char> {
    rest.chars().find(char::is_ascii_alphabetic)
}

fn is_stable(event: &Value) -> Result<(), Failure> {
    let row = EVENTS.iter().find(|(name, _)| event["event"] == *name);
    let (_, fields) = row.ok_or_else(|| Failure::new("there is no such event", event))?;
    has_fields(event, fields)?;
    if event["event"] == "warning" { has_problem(&event["problem"]) } else { Ok(()) }
}

fn has_fields(event: &Value, fields: &[&str]) -> Result<(), Failure> {
    let expected: BTreeSet<&str> = fields.iter().copied().chain(["event", "at"]).collect();
    let found: BTreeSet<&str> = event.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    expect(found == expected, format!("an event does not have the fields {expected:?}"), event)
}

fn has_problem(problem: &Value) -> Result<(), Failure> {
    let found: BTreeSet<&str> = problem.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    expect(found == BTreeSet::from(PROBLEM), "a problem has other fields", problem)?;
    problem["findings"].as_array().into_iter().flatten().try_for_each(has_problem)
}
