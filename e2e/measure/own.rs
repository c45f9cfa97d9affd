//! What the command's own process needs, without its children: the kernel tells memory and processor time of children only
//! together, and `kubelet --version`, which both tools call, is larger than either. So the process is looked for below
//! the ones that lead to the node, and its /proc is read every 10 ms, where its peak stands.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(10);
/// What /proc counts processor time in, on all machines.
const TICKS_PER_SECOND: f64 = 100.0;

/// The last that was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    pub(super) peak_kib: u64,
    pub(super) cpu: f64,
}

/// Looks at the program of this name at or below a process until it is over.
pub(super) fn look(pid: u32, program: &str, is_over: &AtomicBool) -> Own {
    let mut own = Own::default();
    let mut found = None;
    while !is_over.load(Ordering::Relaxed) {
        found = found.or_else(|| named(pid, program));
        if let Some(pid) = found {
            own.read(pid);
        }
        thread::sleep(EVERY);
    }
    own
}

/// Each process on the way has one child.
fn named(pid: u32, program: &str) -> Option<u32> {
    if fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end() == program {
        return Some(pid);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    named(children.split(' ').next()?.parse().ok()?, program)
}

impl Own {
    fn read(&mut self, pid: u32) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        self.peak_kib = peak.unwrap_or(self.peak_kib);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
        self.cpu = self.cpu.max(ticks / TICKS_PER_SECOND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_program_is_found_below_those_that_lead_to_it() {
        let mut shell = Command::new("sh").args(["-c", "sleep 60; true"]).stdin(Stdio::null()).spawn().unwrap();
        let found = (0..500).find_map(|_| {
            thread::sleep(EVERY);
            named(shell.id(), "sleep")
        });
        let mut own = Own::default();
        own.read(found.unwrap());
        assert!(own.peak_kib > 0, "{own:?}");
        assert_eq!(named(shell.id(), "kubestrap"), None);
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(found.unwrap()).unwrap()),
            nix::sys::signal::Signal::SIGKILL,
        );
        shell.wait().unwrap();
    }
}
