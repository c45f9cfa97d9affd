//! Takes a run away without a trace: processes, cgroups, mounts, links, folders. It needs the run's record and
//! nothing else, works on half-made and half-removed runs, and touches nothing that does not carry the run's number.

use crate::command::here;
use crate::failure::Failure;
use crate::nodes::cgroups;
use crate::run::{Record, STATE};
use crate::wait::wait_for;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, umount2};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Removes the runs whose owner has ended, except those that were kept.
pub fn dead_runs() -> Result<(), Failure> {
    for record in Record::all() {
        if !record.is_owned() && !record.is_kept() {
            remove(&record)?;
        }
    }
    Ok(())
}

/// Removes one run. Waits if someone else, such as its warden, is doing so already.
pub fn remove(record: &Record) -> Result<(), Failure> {
    let state = record.state();
    let Ok(lock) = File::create(state.join("lock")) else {
        return Ok(()); // already gone
    };
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, error)| Failure::new(format!("cannot lock {}", state.display()), error))?;
    if Record::load(record.number).map(|found| found.owner).ok().as_ref() != Some(&record.owner) {
        return Ok(()); // someone else was quicker; the number may be in use again
    }
    for parent in &record.cgroups {
        for cgroup in cgroups::children_with_prefix(parent, &format!("{}-", record.prefix())) {
            cgroups::remove(&cgroup)?;
        }
    }
    for node in fs::read_dir(&record.folder).into_iter().flatten().flatten() {
        forget_root(&node.path().join("root"));
    }
    unmount_below(&[&record.folder, &state])?;
    remove_links(&record.prefix())?;
    remove_nspawn_folders(&record.prefix());
    // Something killed a moment ago may still be writing.
    wait_for("the nodes' folders to be removable", Duration::from_secs(20), || gone(&record.folder))?;
    if let Some(nodes) = record.folder.parent() {
        let _ = fs::remove_dir(nodes); // only when no other run is left
    }
    // Renamed first: a state folder is there as a whole or not at all.
    let removed = state.with_file_name(format!(".gone-{}-{}", record.number, std::process::id()));
    fs::rename(&state, &removed).map_err(|error| Failure::new(format!("cannot rename {}", state.display()), error))?;
    wait_for("the state folder to be removable", Duration::from_secs(20), || gone(&removed))?;
    let _ = fs::remove_dir(STATE); // likewise
    Ok(())
}

/// Unmounts everything at or below `folder`, the latest mount first.
pub fn unmount_below(folders: &[&Path]) -> Result<(), Failure> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| Failure::new("cannot read the mount table", error))?;
    for line in mounts.lines().rev() {
        let Some(point) = line.split(' ').nth(4).map(PathBuf::from) else { continue };
        if folders.iter().any(|folder| point.starts_with(folder)) {
            umount2(&point, MntFlags::MNT_DETACH)
                .map_err(|error| Failure::new(format!("cannot unmount {}", point.display()), error))?;
        }
    }
    Ok(())
}

/// systemd-nspawn's lock on a root folder is a file of its own, named after the folder's inode, that stays.
pub fn forget_root(root: &Path) {
    if let Ok(found) = fs::metadata(root) {
        let _ = fs::remove_file(format!("/run/systemd/nspawn/locks/inode-{}:{}", found.dev(), found.ino()));
    }
}

/// Removes a folder that may not be there.
pub fn gone(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove {}", folder.display()), error))
        }
        _ => Ok(()),
    }
}

/// Removes the bridge and the nodes' links; a link's other end goes with it.
fn remove_links(prefix: &str) -> Result<(), Failure> {
    let ours = |name: &str| name == prefix || name.starts_with(&format!("{prefix}-"));
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    for name in links.filter_map(|link| link.file_name().into_string().ok()).filter(|name| ours(name)) {
        let removed = here("ip", &["link", "del", &name]);
        // The kernel takes a link away by itself once its network namespace has ended.
        if removed.is_err() && Path::new("/sys/class/net").join(&name).exists() {
            removed?;
        }
    }
    Ok(())
}

/// systemd-nspawn keeps a folder per machine, and folders for these, and does not remove them.
fn remove_nspawn_folders(prefix: &str) {
    let nspawn = Path::new("/run/systemd/nspawn");
    for folder in fs::read_dir(nspawn).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let machines = fs::read_dir(&folder).into_iter().flatten().flatten();
        let ours = |name: &str| name.starts_with(&format!("{prefix}-"));
        for machine in machines.filter(|machine| ours(&machine.file_name().to_string_lossy())) {
            let _ = fs::remove_dir_all(machine.path());
        }
        let _ = fs::remove_dir(folder); // only when no other machine is there
    }
    let _ = fs::remove_dir(nspawn);
}
