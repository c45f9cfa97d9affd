//! `init`, broken off in the ways that people and machines do it, several in one broken run: signals, a terminal that is
//! closed, standard error that nobody reads any more. The same command goes on each time, and ends as an unbroken run.

use super::{lab::Lab, lab::lend, told};
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::chance::Chance;
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::{Blow, Point, Side, reached, sample, wait_until_over};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::say;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE};

const SIGNALS: [(&str, i32); 3] = [("SIGTERM", 15), ("SIGHUP", 1), ("SIGINT", 2)];

/// The exit code of a run that the user has ended.
const INTERRUPTED: i32 = 130;

/// A pipe with a reader that does not read, and with room for some lines only. When the program cannot write any more (it
/// is in poll(2), for one file, for 50 ms), it gets SIGTERM; SIGKILL ends it when it has not obeyed ten seconds later.
const INTO_A_FULL_PIPE: &str = r#"
pipe=/run/kubestrap-e2e/pipe; rm -f $pipe; mkfifo $pipe
sleep 300 <>$pipe & reader=$!
head --bytes=65000 /dev/zero >$pipe
"$@" >/dev/null 2>$pipe & pid=$!
while ! grep -q '^7 0x[0-9a-f]* 0x1 0x32 ' /proc/$pid/syscall; do kill -0 $pid || exit 1; sleep 0.01; done
kill -TERM $pid
for _ in $(seq 100); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
kill -KILL $pid 2>/dev/null
code=0; wait $pid || code=$?
kill $reader
echo $code"#;

/// The reader is gone before the first line.
const INTO_A_CLOSED_PIPE: &str = r#"
folder=/run/kubestrap-e2e
{ true; until test -e $folder/closed; do sleep 0.02; done; "$@" 2>&1 >$folder/stdout; echo $? >$folder/code; } |
    { exec <&-; touch $folder/closed; }
cat $folder/stdout; exit "$(cat $folder/code)""#;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_goes_on_after_signals_and_closed_terminals_and_pipes() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_goes_on_after_signals_and_closed_terminals_and_pipes", |run| {
        lend(run, |lab| {
            let command = lab.init_command()?;
            let points = sample(&mut Chance::from_environment(), lab.init_lines * 3 / 4, 4);
            for ((name, signal), point) in SIGNALS.iter().zip(&points) {
                let reached = lab.breaker.break_off(&lab.node, &command, *point, Blow::Signal(*signal))?;
                told(&command, *point, &reached.line);
                is_interrupted(name, &reached.output)?;
            }
            close_terminal(lab, &command, points[3])?;
            let piped = with_script(&lab.node, INTO_A_FULL_PIPE, &command)?.success()?;
            say(&format!(
                "init into a full pipe, then SIGTERM: exit code {} after {:.1} s",
                piped.line(),
                piped.took.as_secs_f32()
            ));
            expect(piped.line() == INTERRUPTED.to_string(), "a full pipe keeps SIGTERM from ending the run", &piped)?;
            lab.ended_well(&closed_pipe(run, lab, &command)?)?;
            lab.reset().map(|_| ())
        })
    });
}

fn is_interrupted(signal: &str, output: &Output) -> Result<(), Failure> {
    expect(output.code == Some(INTERRUPTED), format!("{signal} does not end the run as an interrupt"), output)?;
    expect(output.stderr.contains("interrupted"), format!("{signal}: nothing is said of it"), output)
}

/// The terminal's other end is killed while the program runs: it gets SIGHUP, and what it says has nowhere to go.
fn close_terminal(lab: &Lab, command: &[&str], point: Point) -> Result<(), Failure> {
    let point = Point { side: Side::After, ..point };
    let words = lab.breaker.armed(&lab.node, command, point, Blow::KillParent)?.join(" ");
    let command_line = format!("exec {words}");
    let script = ["script", "--quiet", "--return", "--command", &command_line, "/dev/null"];
    let output = lab.node.run_with(&[&["env", "TERM=xterm-256color"], &script[..]].concat(), b"", PATIENCE)?;
    let reached = reached(&lab.node, point, output)?;
    wait_until_over(&lab.node)?;
    told(command, point, &format!("terminal closed: {}", reached.line));
    Ok(())
}

/// A run whose standard error is closed all the time goes on to its end, and gives its result.
fn closed_pipe(run: &Run, lab: &Lab, command: &[&str]) -> Result<Cluster, Failure> {
    let output = with_script(&lab.node, INTO_A_CLOSED_PIPE, command)?.success()?;
    say(&format!("init into a closed pipe: {:.1} s", output.took.as_secs_f32()));
    Cluster::adopt(run, Node::load(&run.record, &lab.node.name)?, JoinCommand::parse(&output.stdout)?)
}

fn with_script(node: &Node, script: &str, command: &[&str]) -> Result<Output, Failure> {
    node.run_with(&[&["sh", "-uc", script, "sh"], command].concat(), b"", PATIENCE)
}
