//! Commands broken off anywhere: killed exactly before or after a line of their journal, by a power cut, by signals and
//! closed pipes. The same command again must end as an unbroken run ends.
//!
//! A CI run breaks one run off several times, at points that a seed decides; E2E_FULL=1 takes many points, each in a
//! run of its own. A point that is never reached is a failure.

mod broken_off;
mod control_plane;
pub(crate) mod ends;
mod init;
mod lab;
mod power_cut;
mod reset;
mod upload_certs;
mod worker;

use kubestrap_e2e::chance::{Chance, is_full};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::{Blow, Breaker, Point, lines_at_end, sample, spread};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::{logs, say};

/// Points of a command with E2E_FULL=1: at least 40, and some that a run may not have.
const FULL: u64 = 44;

const SIGKILL: Blow = Blow::Signal(9);

/// The runs of one command: the points at which each is broken off.
fn runs(lines: u64, in_ci: u64, in_full: u64) -> Vec<Vec<Point>> {
    if is_full() {
        return spread(lines, in_full).into_iter().map(|point| vec![point]).collect();
    }
    // A run that had to ask again, for an object or for a vote in etcd, has written some lines more than the next one will.
    vec![sample(&mut Chance::from_environment(), lines * 9 / 10, in_ci)]
}

/// Kills the command at each of these points, one after the other. Says how many of them were not there, because the
/// command had ended by then: the last lines of some runs are.
fn kill(breaker: &Breaker, node: &Node, command: &[&str], points: &[Point]) -> Result<usize, Failure> {
    for (index, point) in points.iter().enumerate() {
        match breaker.break_off(node, command, *point, SIGKILL) {
            Ok(reached) => {
                expect(matches!(reached.output.code, None | Some(137)), "the command was not killed", &reached.output)?;
                told(command, *point, &reached.line);
            }
            Err(failure) => {
                let near = |lines: u64| lines > 0 && point.line <= lines + lines / 10 + 1;
                if is_full() && lines_at_end(node)?.is_some_and(near) {
                    say(&format!("there is no point {point} in this run"));
                    return Ok(points.len() - index);
                }
                return Err(failure);
            }
        }
    }
    Ok(0)
}

fn told(command: &[&str], point: Point, line: &str) {
    say(&format!("{} broken off {point}: {line:.90}", command.get(1).unwrap_or(&"")));
}

/// Makes all the runs, and says how many points did not end well. The first bad run does not end it.
fn all_end_well(
    run: &Run,
    command: &str,
    runs: &[Vec<Point>],
    attempt: impl Fn(&[Point]) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let (mut bad, mut missed) = (Vec::new(), 0);
    for (index, points) in runs.iter().enumerate() {
        let failure = match attempt(points) {
            Ok(not_there) => {
                missed += not_there;
                continue;
            }
            Err(failure) => failure,
        };
        let named: Vec<String> = points.iter().map(ToString::to_string).collect();
        let folder = logs::collect(run, &format!("{}-killed-{index}", command.replace(' ', "-")), &failure, None);
        bad.push(format!("{}: {failure}\nlogs are in {}", named.join(", "), folder.display()));
        say(bad.last().map_or("", String::as_str));
    }
    let points = runs.iter().map(Vec::len).sum::<usize>() - missed;
    say(&format!("{command}: {points} points, {} did not end well", bad.len()));
    expect(bad.is_empty(), format!("{command} does not end as an unbroken run ends"), bad.join("\n"))
}
