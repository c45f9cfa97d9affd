//! The cgroups that nodes live in: one child per node in every hierarchy of this machine, so that each node has its
//! own /kubepods, and everything that runs in a node can be found and killed.

use crate::failure::Failure;
use crate::wait::{Answer, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The cgroups of this process, one per hierarchy, as folders. On a machine with cgroup v2 only, the root: there,
/// a cgroup that holds processes, as ours does, cannot hand controllers on to its children.
pub fn parents() -> Result<Vec<PathBuf>, Failure> {
    let own = of_process(std::process::id());
    let v2 = own.iter().find_map(|cgroup| {
        cgroup.ancestors().find(|path| !path.join("cgroup.type").exists() && path.join("cgroup.controllers").exists())
    });
    match (own.len(), v2) {
        (0, _) => {
            Err(Failure::new("cannot find the cgroups of this process", "no line of /proc/self/cgroup is mounted"))
        }
        (1, Some(root)) => Ok(vec![root.to_owned()]),
        _ => Ok(own),
    }
}

/// The cgroups of any process, one per hierarchy that is mounted, as folders.
pub fn of_process(pid: impl std::fmt::Display) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let folder = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (root, point) = mounts.lines().find_map(|mount| mounted(mount, controllers))?;
        let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(path);
        Some(Path::new(point).join(below.trim_start_matches('/')))
    };
    cgroups.lines().filter_map(folder).collect()
}

/// Root and mount point of the hierarchy with these controllers, if `mount` is its line in mountinfo.
fn mounted<'a>(mount: &'a str, controllers: &str) -> Option<(&'a str, &'a str)> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (file_system, options) = (kind.next()?, kind.nth(1)?);
    let fits = match controllers {
        "" => file_system == "cgroup2",
        _ => {
            file_system == "cgroup"
                && controllers.split(',').all(|name| options.split(',').any(|option| option == name))
        }
    };
    let mut place = place.split(' ').skip(3);
    fits.then_some((place.next()?, place.next()?))
}

/// Makes the cgroup `name` below every parent, and gives the folders.
pub fn create(parents: &[PathBuf], name: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut made = Vec::new();
    for parent in parents {
        let cgroup = parent.join(name);
        fs::create_dir_all(&cgroup)
            .map_err(|error| Failure::new(format!("cannot make {}", cgroup.display()), error))?;
        // In cgroup v1 a cpuset refuses processes until both are filled.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read_to_string(parent.join(file)) {
                let _ = fs::write(cgroup.join(file), value);
            }
        }
        made.push(cgroup);
    }
    Ok(made)
}

pub fn children_with_prefix(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    children(parent).into_iter().filter(ours).collect()
}

/// Kills everything in a cgroup and below it, and removes it.
pub fn remove(cgroup: &Path) -> Result<(), Failure> {
    let what = format!("{} to be empty", cgroup.display());
    let mut killed = Vec::new();
    wait_for(&what, Duration::from_secs(30), || {
        let alive = kill_all(cgroup);
        let reason = format!("processes {alive:?} are alive");
        killed.extend(&alive);
        if alive.is_empty() { remove_empty(cgroup).into() } else { Answer::NotYet(reason) }
    })?;
    // A cgroup is empty a moment before its processes are gone from the process table.
    let _ = wait_for("the processes to be gone", Duration::from_secs(5), || {
        Answer::from_bool(!killed.iter().any(|pid| is_running(*pid)), String::new)
    });
    Ok(())
}

/// A zombie does not run: it is for its parent to take note of it.
fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

/// Sends SIGKILL to everything in a cgroup and below it, and gives the process numbers.
fn kill_all(cgroup: &Path) -> Vec<i32> {
    let listed = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut alive: Vec<i32> = listed.lines().filter_map(|line| line.parse().ok()).collect();
    for pid in &alive {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    alive.extend(children(cgroup).iter().flat_map(|child| kill_all(child)));
    alive
}

fn remove_empty(cgroup: &Path) -> Result<(), Failure> {
    for child in children(cgroup) {
        remove_empty(&child)?;
    }
    match fs::remove_dir(cgroup) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}", cgroup.display()), error))
        }
        _ => Ok(()),
    }
}

fn children(cgroup: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
