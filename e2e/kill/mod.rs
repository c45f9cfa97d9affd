//! Breaks a command off exactly before or after a line of its journal, from outside: `at_line.c`, preloaded into the
//! program, counts the lines that it writes and strikes at the chosen one. The product has no part in it.

use crate::chance::Chance;
use crate::command::Output;
use crate::failure::{Failure, expect};
use crate::nodes::{Node, SOON};
use crate::run::Run;
use crate::tool::PATIENCE;
use crate::wait::wait_for;
use std::fmt;
use std::process::Command;
use std::time::Duration;

/// The journal of the program under test.
pub const JOURNAL: &str = "/var/lib/kubestrap/journal";

/// In memory, so that neither is a trace of the tool.
const LIBRARY: &str = "/run/kubestrap-e2e/at_line.so";
const REPORT: &str = "/run/kubestrap-e2e/at_line";

const SOURCE: &str = include_str!("at_line.c");

/// Where a command is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The line of this run, from 1.
    pub line: u64,
    pub side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The change before this line has been made, the line is not there.
    Before,
    /// The line is there, the change that it announces has not been made.
    After,
}

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The program gets this signal, such as 9 or 15.
    Signal(i32),
    /// The program's parent is killed: `script`, which holds the terminal.
    KillParent,
}

/// A point that was reached.
#[derive(Debug)]
pub struct Reached {
    /// The length of the journal that a power cut cannot take back.
    pub synced: u64,
    /// The line at the point.
    pub line: String,
    /// What the command had said by then.
    pub output: Output,
}

/// The library, built for this run.
#[derive(Debug)]
pub struct Breaker {
    library: Vec<u8>,
}

impl Breaker {
    /// Builds the library in the run's state folder.
    pub fn build(run: &Run) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new("cannot build at_line.so", error);
        let (source, target) = (run.record.state().join("at_line.c"), run.record.state().join("at_line.so"));
        std::fs::write(&source, SOURCE).map_err(failed)?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).args([&target, &source]);
        crate::command::run(&mut cc, b"", SOON)?.success()?;
        Ok(Self { library: std::fs::read(&target).map_err(failed)? })
    }

    /// The command that ends at this point.
    pub fn armed(&self, node: &Node, command: &[&str], at: Point, blow: Blow) -> Result<Vec<String>, Failure> {
        let script = format!("mkdir -p \"$(dirname {LIBRARY})\"; cat >{LIBRARY}; rm -f {REPORT}");
        node.run_with(&["sh", "-euc", &script], &self.library, SOON)?.success()?;
        let side = if at.side == Side::Before { "before" } else { "after" };
        let (signal, target) = match blow {
            Blow::Signal(signal) => (signal, "self"),
            Blow::KillParent => (9, "parent"),
        };
        let mut words = vec![
            "env".to_owned(),
            format!("LD_PRELOAD={LIBRARY}"),
            format!("AT_JOURNAL={JOURNAL}"),
            format!("AT_REPORT={REPORT}"),
            format!("AT_LINE={}", at.line),
            format!("AT_SIDE={side}"),
            format!("AT_SIGNAL={signal}"),
            format!("AT_TARGET={target}"),
        ];
        words.extend(command.iter().map(ToString::to_string));
        Ok(words)
    }

    /// Runs a command that must succeed, unbroken, and says how many lines it wrote.
    pub fn count(&self, node: &Node, command: &[&str]) -> Result<(Output, u64), Failure> {
        let nowhere = Point { line: 0, side: Side::Before };
        let words = self.armed(node, command, nowhere, Blow::Signal(0))?;
        let output = node.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"", PATIENCE)?.success()?;
        match lines_at_end(node)? {
            Some(lines) if lines > 0 => Ok((output, lines)),
            _ => Err(Failure::new("the lines of the journal were not counted", output)),
        }
    }

    /// Runs a command that is broken off at this point. A command that ends before it comes there, or whose writes cannot
    /// be seen, is a failure.
    pub fn break_off(&self, node: &Node, command: &[&str], at: Point, blow: Blow) -> Result<Reached, Failure> {
        let words = self.armed(node, command, at, blow)?;
        let output = node.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"", PATIENCE)?;
        reached(node, at, output)
    }

    /// Runs a command until this point and leaves it there, stopped.
    pub fn stop_at(&self, node: &Node, command: &[&str], at: Point) -> Result<Reached, Failure> {
        const SIGSTOP: i32 = 19;
        // What stands in the report is there before the signal, hence the look at the process itself.
        // In a session of its own: the kernel wakes what is stopped when the shell it belongs to has ended.
        let script = r#"setsid "$@" >/dev/null 2>&1 & pid=$!
            while grep -q '^State:.[^TZ]' /proc/$pid/status; do sleep 0.02; done 2>/dev/null"#;
        let words = self.armed(node, command, at, Blow::Signal(SIGSTOP))?;
        let words: Vec<&str> =
            ["sh", "-uc", script, "sh"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let output = node.run_with(&words, b"", PATIENCE)?;
        reached(node, at, output)
    }
}

/// The lines that the last command wrote, if it came to its end without reaching its point.
pub fn lines_at_end(node: &Node) -> Result<Option<u64>, Failure> {
    let report = node.run(&["cat", REPORT])?.stdout;
    Ok(report.strip_prefix("end ").and_then(|rest| rest.trim().parse().ok()))
}

/// What the library reported; it says "end" where the program came to its end without reaching the point.
pub fn reached(node: &Node, at: Point, output: Output) -> Result<Reached, Failure> {
    let report = node.run(&["cat", REPORT])?.stdout;
    let found = report.strip_prefix("point ").and_then(|rest| rest.split_once(' '));
    match found.and_then(|(synced, line)| Some((synced.parse().ok()?, line.trim().to_owned()))) {
        Some((synced, line)) => Ok(Reached { synced, line, output }),
        None => Err(Failure::new(
            format!("the command was over before it came to the point {at}"),
            format!("{report}{output}"),
        )),
    }
}

/// Waits until no kubestrap runs on a node, which its caller may have left behind.
pub fn wait_until_over(node: &Node) -> Result<(), Failure> {
    wait_for("kubestrap to end", Duration::from_secs(60), || {
        let found = node.run(&["pgrep", "-x", "kubestrap"])?;
        expect(found.code == Some(1), "it runs", found)
    })
}

impl fmt::Display for Point {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.side == Side::Before { "before" } else { "after" };
        write!(out, "{side} line {}", self.line)
    }
}

/// Points for one run that is broken off several times, one in each part of the `lines` lines that an unbroken run writes.
/// Each is counted from where the one before was: the run that goes on begins with a line of its own instead.
pub fn sample(chance: &mut Chance, lines: u64, count: u64) -> Vec<Point> {
    let mut from = 0;
    let mut nth = |n: u64| {
        let (begin, end) = (lines * n / count, lines * (n + 1) / count);
        let line = begin + chance.below(end - begin);
        let side = if chance.below(2) == 0 { Side::Before } else { Side::After };
        let point = Point { line: (line - from).max(1), side };
        from = line;
        point
    };
    (0..count).map(&mut nth).collect()
}

/// All points of so many lines, or `at_most` of them, spread evenly.
pub fn spread(lines: u64, at_most: u64) -> Vec<Point> {
    let all = lines * 2;
    if all <= at_most {
        let sides = |line| [Side::Before, Side::After].map(|side| Point { line, side });
        return (1..=lines).flat_map(sides).collect();
    }
    let nth = |n: u64| Point {
        line: 1 + n * lines / at_most,
        side: if n.is_multiple_of(2) { Side::Before } else { Side::After },
    };
    (0..at_most).map(nth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_a_point_in_each_part() {
        let points = sample(&mut Chance::of(7), 100, 4);
        let places = points.iter().scan(0, |from, point| {
            *from += point.line;
            Some(*from / 25)
        });
        assert_eq!(places.collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn few_lines_are_all_taken_on_both_sides_and_many_are_spread() {
        let points: Vec<String> = spread(2, 40).iter().map(ToString::to_string).collect();
        assert_eq!(points, ["before line 1", "after line 1", "before line 2", "after line 2"]);
        let many = spread(140, 40);
        assert_eq!((many.len(), many[0].line, many[39].line), (40, 1, 137));
        assert_eq!(many.iter().filter(|point| point.side == Side::After).count(), 20);
    }
}
