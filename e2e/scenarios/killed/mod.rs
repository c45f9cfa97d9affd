//! Commands broken off anywhere: killed exactly before or after a line of their journal, by a power cut, by signals and
//! closed pipes. The same command again must end as an unbroken run ends.
//!
//! A CI run breaks one run off several times, at points that a seed decides; E2E_FULL=1 takes many points, each in a
//! run of its own. A point that is never reached is a failure.

mod broken_off;
mod control_plane;
mod ends;
mod init;
mod lab;
mod power_cut;
mod reset;
mod worker;

use kubestrap_e2e::chance::{Chance, is_full};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::{Blow, Breaker, Point, sample, spread};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::{logs, say};

const SIGKILL: Blow = Blow::Signal(9);

/// The runs of one command: the points at which each is broken off.
fn runs(lines: u64, in_ci: u64, in_full: u64) -> Vec<Vec<Point>> {
    if is_full() {
        return spread(lines, in_full).into_iter().map(|point| vec![point]).collect();
    }
    vec![sample(&mut Chance::from_environment(), lines, in_ci)]
}

/// Kills the command at each of these points, one after the other.
fn kill(breaker: &Breaker, node: &Node, command: &[&str], points: &[Point]) -> Result<(), Failure> {
    points.iter().try_for_each(|point| {
        let reached = breaker.break_off(node, command, *point, SIGKILL)?;
        expect(matches!(reached.output.code, None | Some(137)), "the command was not killed", &reached.output)?;
        told(command, *point, &reached.line);
        Ok(())
    })
}

fn told(command: &[&str], point: Point, line: &str) {
    say(&format!("{} broken off {point}: {line:.90}", command.get(1).unwrap_or(&"")));
}

/// Makes all the runs, and says how many points did not end well. The first bad run does not end it.
fn all_end_well(
    run: &Run,
    command: &str,
    runs: &[Vec<Point>],
    attempt: impl Fn(&[Point]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut bad = Vec::new();
    for (index, points) in runs.iter().enumerate() {
        let Err(failure) = attempt(points) else { continue };
        let named: Vec<String> = points.iter().map(ToString::to_string).collect();
        let folder = logs::collect(run, &format!("{command}-killed-{index}"), &failure, None);
        bad.push(format!("{}: {failure}\nlogs are in {}", named.join(", "), folder.display()));
        say(bad.last().map_or("", String::as_str));
    }
    let points: usize = runs.iter().map(Vec::len).sum();
    say(&format!("{command}: {points} points, {} did not end well", bad.len()));
    expect(bad.is_empty(), format!("{command} does not end as an unbroken run ends"), bad.join("\n"))
}
