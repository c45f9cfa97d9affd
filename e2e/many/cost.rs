//! What one command costs: its time, CPU and memory, and the CPU of the programs that it runs.

use crate::failure::Failure;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the memory of a running command is looked at: the kernel keeps its peak, but not beyond the end.
const LOOKS: Duration = Duration::from_millis(10);

/// What the kernel tells the CPU time of one process in, per second.
pub const TICKS: f64 = 100.0;

/// One command that has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cost {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub seconds: f64,
    /// CPU of the process itself, in whole ticks.
    pub cpu: f64,
    /// CPU of the process and of all programs that it ran.
    pub cpu_with_children: f64,
    /// Peak of the process itself.
    pub rss_kib: u64,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end, in a process that has run nothing else: all its children are taken for the command's.
pub fn measure(command: &mut Command) -> Result<Cost, Failure> {
    let failed = |error: std::io::Error| Failure::new("a command could not be measured", error);
    let started = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (stdout, stderr) = (collected(child.stdout.take()), collected(child.stderr.take()));
    let pid = child.id();
    let peak = thread::spawn(move || peak(pid));
    // Its numbers can be read until its exit code is taken.
    let ended = Id::Pid(Pid::from_raw(i32::try_from(pid).unwrap_or_default()));
    waitid(ended, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).map_err(|error| failed(error.into()))?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = ticks(pid) / TICKS;
    let status = child.wait().map_err(failed)?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| failed(error.into()))?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Cost {
        code: status.code(),
        seconds,
        cpu,
        cpu_with_children: Duration::from_micros(microseconds.unsigned_abs()).as_secs_f64(),
        rss_kib: peak.join().unwrap_or_default(),
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// The peak of a process, as seen last before its end.
fn peak(pid: u32) -> u64 {
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        // A process that has ended has no memory.
        let Some(now) = line.and_then(|line| line.split_whitespace().next()?.parse().ok()) else { return peak };
        peak = now;
        thread::sleep(LOOKS);
    }
}

/// User and system time of a process without its children: fields 14 and 15 of its line, counted after its name.
fn ticks(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn collected(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // Bytes read before an error are kept.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
