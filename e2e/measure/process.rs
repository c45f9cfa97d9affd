//! What one command costs: seconds, processor time, memory, bytes written. For that the command runs below a meter, a
//! process of its own that has no other child: `e2e meter`, which runs where the command does.
//!
//! The kernel tells all but the memory when the command has ended: of the command alone as long as its exit code has not been
//! taken, then of it and all children that it waited for. Its memory is looked at while it runs.

use crate::command::{self, Output};
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::PATIENCE;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the memory of a running command is looked at: the kernel keeps its peak, but not beyond the end.
const LOOKS: Duration = Duration::from_millis(10);

/// Where the `e2e` program lies on a node; in memory.
pub const PROGRAM: &str = "/run/kubestrap-e2e/e2e";

/// What a command has cost, and what it said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cost {
    /// None when a signal ended it.
    pub code: Option<i32>,
    /// When it began, in seconds of the monotonic clock, as [`now`] tells it.
    pub began: f64,
    /// The same moment in seconds since 1970, for comparing with logs.
    pub began_at: f64,
    pub seconds: f64,
    /// Processor time, children included.
    pub user: f64,
    pub system: f64,
    /// Processor time of the command itself.
    pub own_cpu: f64,
    /// Memory of the command itself at its largest.
    pub peak_kib: u64,
    /// Memory of the largest process, children included, at its largest; never less than the meter's own few MiB.
    pub largest_kib: u64,
    /// What was written to file systems that have a disk.
    pub written: u64,
    /// What was handed to `write`, pipes and sockets included.
    pub handed: u64,
    pub stdout: String,
    /// Processor time of the command itself when each line of its standard output was there.
    pub own_cpu_at: Vec<f64>,
    pub stderr: String,
}

impl Cost {
    /// Processor time of the command and of all processes that it waited for.
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// Seconds of the clock that never goes back; the same in all processes of this machine and its nodes.
pub fn now() -> f64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

/// The program that measures.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The `e2e` program.
    pub program: PathBuf,
}

impl Meter {
    /// Copies the program to a node.
    pub fn install(&self, node: &Node) -> Result<(), Failure> {
        let bytes = fs::read(&self.program).map_err(|error| Failure::new("cannot read the e2e program", error))?;
        let script = format!("mkdir -p \"$(dirname {PROGRAM})\"; cat >{PROGRAM}; chmod 0700 {PROGRAM}");
        node.run_with(&["sh", "-euc", &script], &bytes, PATIENCE)?.success()?;
        Ok(())
    }

    /// Runs a command on a node that has this program; it must succeed.
    pub fn on(&self, node: &Node, words: &[&str]) -> Result<Cost, Failure> {
        let told = node.run_with(&[&[PROGRAM, "meter", "--"], words].concat(), b"", PATIENCE)?;
        Cost::of_success(told, format!("[{}] {}", node.name, words.join(" ")))
    }

    /// Runs a command on this machine; it must succeed.
    pub fn here(&self, program: &Path, words: &[&str]) -> Result<Cost, Failure> {
        let mut meter = Command::new(&self.program);
        let told = command::run(meter.args(["meter", "--"]).arg(program).args(words), b"", PATIENCE)?;
        Cost::of_success(told, format!("{} {}", program.display(), words.join(" ")))
    }
}

impl Cost {
    /// From what the meter has told.
    fn of_success(told: Output, command: String) -> Result<Self, Failure> {
        let cost = Self::parse(&told.success()?)?;
        let Self { code, ref stdout, ref stderr, seconds, .. } = cost;
        let took = Duration::from_secs_f64(seconds);
        Output { command, code, stdout: stdout.clone(), stderr: stderr.clone(), took }.success()?;
        Ok(cost)
    }

    /// Reads the line that a meter has written.
    pub fn parse(told: &Output) -> Result<Self, Failure> {
        serde_json::from_str(told.line()).map_err(|error| Failure::new(format!("nothing was measured: {error}"), told))
    }
}

/// `e2e meter -- PROGRAM…`: runs the program, and writes what it cost as one line of JSON.
pub fn meter(words: &[&str]) -> Result<(), Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| Failure::new("a meter needs a command", ""))?;
    tell(&measure(Command::new(program).args(arguments))?)
}

/// One line of JSON on standard output.
pub fn tell(cost: &impl Serialize) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("cannot tell what a command cost", error);
    let line = serde_json::to_string(cost).map_err(|error| failed(&error))?;
    writeln!(std::io::stdout(), "{line}").map_err(|error| failed(&error))
}

/// Runs a command to its end, in a process that has run nothing else: all its children are taken for the command's.
pub fn measure(command: &mut Command) -> Result<Cost, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Failure::new(format!("cannot measure {name}"), error);
    let io = io_of_children()?;
    let began_at = clock_gettime(ClockId::CLOCK_REALTIME).map_err(|error| failed(error.into()))?;
    let began = now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let (stdout, stderr) = (collected(child.stdout.take(), pid), collected(child.stderr.take(), pid));
    let peak = thread::spawn(move || peak(pid));
    // Its clock can be read until its exit code is taken.
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).map_err(|error| failed(error.into()))?;
    let seconds = now() - began;
    let own_cpu = own_cpu(pid).map_err(|error| failed(error.into()))?;
    let status = child.wait().map_err(failed)?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| failed(error.into()))?;
    let later = io_of_children()?;
    let time = |value: nix::sys::time::TimeVal| value.tv_sec() as f64 + value.tv_usec() as f64 / 1e6;
    let largest_kib = u64::try_from(usage.max_rss()).unwrap_or_default();
    let peak_kib = peak.join().unwrap_or_default();
    let (stdout, own_cpu_at) = stdout.join().unwrap_or_default();
    Ok(Cost {
        code: status.code(),
        began,
        began_at: Duration::from(began_at).as_secs_f64(),
        seconds,
        user: time(usage.user_time()),
        system: time(usage.system_time()),
        own_cpu,
        // A command that was over before it could be looked at has been alone.
        peak_kib: if peak_kib > 0 { peak_kib } else { largest_kib },
        largest_kib,
        written: later.1.saturating_sub(io.1),
        handed: later.0.saturating_sub(io.0),
        stdout,
        own_cpu_at,
        stderr: stderr.join().unwrap_or_default().0,
    })
}

/// The peak of a process's memory, over all programs that it becomes: the kernel begins anew with each.
fn peak(pid: Pid) -> u64 {
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        // A process that has ended has no memory.
        let Some(now) = line.and_then(|line| line.split_whitespace().next()?.parse().ok()) else { return peak };
        peak = peak.max(now);
        thread::sleep(LOOKS);
    }
}

/// Seconds of processor time of a process whose exit code has not been taken.
fn own_cpu(pid: Pid) -> nix::Result<f64> {
    Ok(Duration::from(clock_getcpuclockid(pid).and_then(clock_gettime)?).as_secs_f64())
}

/// What a process writes, and its processor time at the end of each line.
fn collected(pipe: Option<impl Read + Send + 'static>, pid: Pid) -> JoinHandle<(String, Vec<f64>)> {
    thread::spawn(move || {
        let (mut bytes, mut times) = (Vec::new(), Vec::new());
        let mut pipe = pipe.map(BufReader::new);
        // Bytes read before an error are kept.
        while pipe.as_mut().is_some_and(|pipe| pipe.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0)) {
            // It may have ended.
            times.push(own_cpu(pid).unwrap_or_else(|_| times.last().copied().unwrap_or_default()));
        }
        (String::from_utf8_lossy(&bytes).into_owned(), times)
    })
}

/// Bytes handed to `write` and bytes bound for a disk, of this process and of all children it has waited for.
fn io_of_children() -> Result<(u64, u64), Failure> {
    let path = "/proc/self/io";
    let text = fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {path}"), error))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    Ok((field("wchar"), field("write_bytes")))
}
