//! Processes of Pods, ended without the container runtime: the kubelet keeps all of them in its cgroup `kubepods`.
//!
//! Their numbers are read from `/sys/fs/cgroup`, of whichever version; a shim is in none of these cgroups and ends by
//! itself when the runtime is back. The kubelet has been stopped before, so that nothing is started anew.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::problem::Problem;
use crate::world::{Change, Command, FileKind, Host, Probe, Wait, WaitError, World};

/// Hierarchies: of version 2, and of version 1 those that every kubelet uses.
const HIERARCHIES: [&str; 5] =
    ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu"];

/// The kubelet's cgroup by driver: cgroupfs, systemd.
const CGROUPS: [&str; 2] = ["kubepods", "kubepods.slice"];

/// Ends them all and waits until they are gone; says how many there were.
pub(super) fn end(world: &World<'_>) -> Result<usize, Problem> {
    let found = of_pods(world.host())?;
    if found.is_empty() {
        return Ok(0);
    }
    // One that ends by itself in this moment is no failure.
    let mut words: Vec<String> = ["sh", "-c", "kill -KILL \"$@\" 2>/dev/null; true", "sh"].map(str::to_owned).to_vec();
    words.extend(found.iter().cloned());
    let purpose = format!("end {} of Pods", in_words(found.len()));
    world.change(&Change::Run { command: Command { words, input: None }, purpose })?;
    let wait = Wait {
        what: "the processes of Pods to end",
        within: Duration::from_secs(10),
        every: Duration::from_millis(50),
    };
    let waited = world.time().wait(&wait, &mut || {
        let left = of_pods(world.host())?;
        Ok(if left.is_disjoint(&found) { Probe::Yes } else { Probe::NotYet(in_words(left.len())) })
    });
    match waited {
        Err(WaitError::TimeUp { last, .. }) => Err(Problem::new("pods-running", "Pods go on running")
            .saw(last)
            .why("the container runtime does not answer, and their processes do not end when they are told to")
            .fix("systemctl start containerd, then: kubestrap reset")
            .fix("or restart the machine, then: kubestrap reset")),
        Err(error) => Err(error.into_problem("pods-running", "Pods go on running")),
        Ok(()) => Ok(found.len()),
    }
}

pub(super) fn in_words(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

fn of_pods(host: &dyn Host) -> Result<BTreeSet<String>, Problem> {
    let tops = HIERARCHIES.iter().flat_map(|hierarchy| CGROUPS.map(|name| PathBuf::from(hierarchy).join(name)));
    let mut folders: Vec<PathBuf> = tops.collect();
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in host.list(&folder)? {
            if entry.kind == FileKind::Folder {
                folders.push(entry.path);
            } else if entry.path.ends_with("cgroup.procs") {
                // A cgroup that went away since has no processes.
                let numbers = host.read(&entry.path).ok().flatten().unwrap_or_default();
                let numbers = String::from_utf8_lossy(&numbers);
                found.extend(numbers.lines().filter(|line| *line != "0").map(str::to_owned));
            }
        }
    }
    Ok(found)
}
