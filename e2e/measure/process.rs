//! What one command costs: seconds, processor time, memory, bytes written. The kernel tells it when the command has ended,
//! for the command and all children that it waited for. For that the command runs below a meter, a process of its own
//! that has no other child: `e2e meter`.
//!
//! A command on a node is reached through sh, nsenter, env and timeout, which add some milliseconds and count with it.
//! Its own memory and processor time, without its children, are looked at while it runs, see `own`.

use super::own;
use crate::command;
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::PATIENCE;
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What a command has cost, and what it said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cost {
    /// When it began, in seconds of the monotonic clock, as [`now`] tells it.
    pub began: f64,
    /// The same moment in seconds since 1970, for comparing with logs.
    pub began_at: f64,
    pub seconds: f64,
    /// Processor time.
    pub user: f64,
    pub system: f64,
    /// Memory of the command itself at its largest.
    pub peak_kib: u64,
    /// Memory of the largest process, children included, at its largest; never less than the meter's own few MiB.
    pub largest_kib: u64,
    /// Processor time of the command itself, as seen last; at most 10 ms before its end.
    pub own_cpu: f64,
    /// What was written to file systems that have a disk.
    pub written: u64,
    /// What was handed to `write`, pipes and sockets included.
    pub handed: u64,
    #[serde(skip)]
    pub stdout: String,
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
    /// Runs a command on a node; it must succeed.
    pub fn on(&self, node: &Node, words: &[&str]) -> Result<Cost, Failure> {
        let seconds = PATIENCE.as_secs().to_string();
        let limited = [&["timeout", "--kill-after=5", &seconds], words].concat();
        let inner = node.command(&limited.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        self.measure(&inner, words.first().unwrap_or(&""), &format!("[{}] {}", node.name, words.join(" ")))
    }

    /// Runs a command on this machine; it must succeed.
    pub fn here(&self, program: &Path, words: &[&str]) -> Result<Cost, Failure> {
        let mut inner = Command::new(program);
        inner.args(words);
        self.measure(&inner, "", &format!("{} {}", program.display(), words.join(" ")))
    }

    /// `name` is that of the process to look at; without one, children count with it.
    fn measure(&self, inner: &Command, name: &str, shown: &str) -> Result<Cost, Failure> {
        let file = std::env::temp_dir().join(format!("kubestrap-e2e-meter-{}", std::process::id()));
        let mut outer = Command::new(&self.program);
        outer.arg("meter").arg(&file).arg(name).arg("--").arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            outer.env(name, value.unwrap_or_default());
        }
        let mut output = command::run(&mut outer, b"", PATIENCE + Duration::from_secs(20))?;
        shown.clone_into(&mut output.command);
        let output = output.success()?;
        let read = fs::read_to_string(&file).map_err(|error| error.to_string());
        let _ = fs::remove_file(&file);
        let cost: Result<Cost, String> =
            read.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        let cost = cost.map_err(|error| Failure::new(format!("nothing was measured of {shown}"), error))?;
        Ok(Cost { stdout: output.stdout, ..cost })
    }
}

/// `e2e meter FILE NAME -- PROGRAM…`: runs the program with our own input and output, writes what it and the process NAME below
/// it have cost to the file, and gives its exit code.
pub fn meter(file: &str, name: &str, words: &[&str]) -> Result<u8, Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| Failure::new("a meter needs a command", ""))?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot measure {program}"), error);
    let io = io_of_children().map_err(|error| failed(&error))?;
    let began_at = clock_gettime(ClockId::CLOCK_REALTIME).map_err(|error| failed(&error))?;
    let began = now();
    let mut child = Command::new(program).args(arguments).spawn().map_err(|error| failed(&error))?;
    let (is_over, pid) = (AtomicBool::new(false), child.id());
    let (status, seconds, own) = thread::scope(|scope| {
        let looking = (!name.is_empty()).then(|| scope.spawn(|| own::look(pid, name, &is_over)));
        let status = child.wait();
        let seconds = now() - began;
        is_over.store(true, Ordering::Relaxed);
        (status, seconds, looking.and_then(|looking| looking.join().ok()).unwrap_or_default())
    });
    let status = status.map_err(|error| failed(&error))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| failed(&error))?;
    let later = io_of_children().map_err(|error| failed(&error))?;
    let time = |value: nix::sys::time::TimeVal| value.tv_sec() as f64 + value.tv_usec() as f64 / 1e6;
    let (largest_kib, user, system) =
        (u64::try_from(usage.max_rss()).unwrap_or_default(), time(usage.user_time()), time(usage.system_time()));
    let cost = Cost {
        began,
        began_at: Duration::from(began_at).as_secs_f64(),
        seconds,
        user,
        system,
        // A command that was over before it could be looked at has been alone.
        peak_kib: if own.peak_kib > 0 { own.peak_kib } else { largest_kib },
        largest_kib,
        own_cpu: if own.peak_kib > 0 { own.cpu } else { user + system },
        written: later.1.saturating_sub(io.1),
        handed: later.0.saturating_sub(io.0),
        stdout: String::new(),
    };
    let text = serde_json::to_string(&cost).map_err(|error| failed(&error))?;
    fs::write(file, text).map_err(|error| failed(&error))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
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
