//! Phase `clean-files`: removes what the inventory lists (and puts back what was there before), what the kubelet and our static Pods made at run time, and on
//! nodes made by kubeadm what kubeadm is known to make. Everything else stays and is named in the end.
//!
//! Users and groups that we added go last. A folder goes only when nothing is left in it. Mount points are never crossed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::known::Known;
use super::mounts::{Mounts, add_removal};
use super::{accounts, left};
use crate::config::Reset;
use crate::plan::damage::{self, Harm};
use crate::plan::{Inventory, Phase};
use crate::problem::Problem;
use crate::world::{Change, FileKind, World};

/// The phase.
pub struct CleanFiles;

impl Phase<Reset> for CleanFiles {
    fn name(&self) -> &'static str {
        "clean-files"
    }

    fn about(&self) -> &'static str {
        "removes the files that made this machine a node, and names what it leaves"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let inventory = world.journal().inventory()?;
        let mounts = Mounts::look(job, world.host())?;
        let known = Known::of(job, &inventory, world.host())?;
        let edited = damage::look(&inventory, world.host())?.into_iter().filter(|damage| damage.harm != Harm::Empty);
        let edited: Vec<PathBuf> = edited.map(|damage| damage.path).collect();
        let ours = inventory.files().filter(|(_, owned)| owned.before.is_none()).map(|(path, _)| path.to_owned());
        let is_ours_alone = |path: &PathBuf| !inventory.files().any(|(ours, _)| ours == path);
        let others: Vec<PathBuf> = known.files.iter().filter(|path| is_ours_alone(path)).cloned().collect();
        let removed: Vec<PathBuf> = ours.chain(others).collect();
        remove_files(&removed, world)?;
        let files = removed.iter().map(PathBuf::as_path).chain(inventory.files().map(|(path, _)| path));
        let folders: BTreeSet<PathBuf> = files.filter_map(Path::parent).map(Path::to_owned).collect();
        for folder in &folders {
            remove_half_written(folder, world)?;
        }
        let mut trees = Vec::new();
        for path in known.trees.iter().chain(&trees_asked_for(job)) {
            add_removal(path, &mounts, world, &mut trees)?;
        }
        world.change_all(&trees)?;
        // Last, since on a full disk there is room for them only now.
        put_all_back(&inventory, world)?;
        let known = [job.certificates_dir.join("etcd"), job.certificates_dir.clone(), job.node.layout.manifests()];
        remove_empty(inventory.folders().chain(known.iter().map(PathBuf::as_path)), world)?;
        accounts::remove(&inventory, world)?;
        left::tell(job, &edited, world)
    }
}

/// What goes only where the user says so: kubeadm's backups, and things of others that `--force` names.
fn trees_asked_for(job: &Reset) -> Vec<PathBuf> {
    let tmp = job.cleanup_tmp_dir.then(|| job.node.layout.tmp());
    tmp.into_iter().chain(job.named.iter().cloned()).collect()
}

fn put_all_back(inventory: &Inventory, world: &World<'_>) -> Result<(), Problem> {
    for (path, owned) in inventory.files() {
        if let Some((kept, mode)) = &owned.before {
            put_back(path, kept, *mode, world)?;
        }
    }
    Ok(())
}

/// Replaces our file by what was there before it, so that there is no moment, and no later run, without either.
fn put_back(path: &Path, kept: &Path, mode: u32, world: &World<'_>) -> Result<(), Problem> {
    if world.put_back(path, kept, mode)? { Ok(()) } else { remove_files(&[path.to_owned()], world) }
}

/// A reset is final, and the copies would be gone with its journal: none are made.
fn remove_files(paths: &[PathBuf], world: &World<'_>) -> Result<(), Problem> {
    let mut going = Vec::new();
    for path in paths {
        let found = world.host().stat(path)?;
        if found.is_some_and(|at| matches!(at.kind, FileKind::File | FileKind::Link) && !at.is_mount_point) {
            going.push(Change::Remove { path: path.clone(), keep: false });
        }
    }
    world.change_all(&going)
}

/// What a run that was killed left of a file it was writing: `.name.kubestrap-<pid>`. It may hold a key.
fn remove_half_written(folder: &Path, world: &World<'_>) -> Result<(), Problem> {
    for entry in world.host().list(folder)? {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pid = name.strip_prefix('.').and_then(|name| name.rsplit_once(".kubestrap-")).map(|(_, pid)| pid);
        if pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
            world.change(&Change::Remove { path: entry.path, keep: false })?;
        }
    }
    Ok(())
}

/// Removes those of the folders that have nothing in them but others of them; those deeper down come first.
fn remove_empty<'a>(folders: impl Iterator<Item = &'a Path>, world: &World<'_>) -> Result<(), Problem> {
    let mut going: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let found = world.host().stat(folder)?;
        if found.is_some_and(|at| at.kind == FileKind::Folder && !at.is_mount_point)
            && world.host().list(folder)?.iter().all(|entry| going.contains(&entry.path))
            && !going.iter().any(|known| known == folder)
        {
            going.push(folder.to_owned());
        }
    }
    let changes: Vec<Change> = going.into_iter().map(|path| Change::Remove { path, keep: true }).collect();
    world.change_all(&changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ResetFlags, resolve_reset};
    use crate::support::Bench;
    use crate::world::Overlay;

    #[test]
    fn backups_of_kubeadm_go_only_where_that_is_wanted() {
        let backup = "/etc/kubernetes/tmp/kubeadm-backup-manifests/etcd.yaml";
        for (is_wanted, stays) in [(false, true), (true, false)] {
            let mut overlay = Overlay::default().with_file(backup, "", 0o600);
            overlay.facts.host_name = "n1".to_owned();
            let bench = Bench::over(overlay);
            let flags = ResetFlags { cleanup_tmp_dir: is_wanted, ..ResetFlags::default() };
            let job = resolve_reset(&flags, &bench.overlay).expect("a job");
            bench.within(|world| CleanFiles.run(&job, world)).expect("cleaned");
            assert_eq!(crate::world::Host::stat(&bench.overlay, Path::new(backup)).expect("looked").is_some(), stays);
        }
    }
}
