//! Mounts below the kubelet's folder: those that it made for Pods, which `unmount` takes away, and all others, which
//! reset neither unmounts nor looks into.
//!
//! The kernel lists mount points with links followed; a kubelet's folder that is a link to another disk is followed too.

use std::path::{Path, PathBuf};

use crate::config::Reset;
use crate::problem::Problem;
use crate::world::{Change, FileKind, Host, Mount, World};

/// Folders below the kubelet's in which it mounts volumes: `pods/<uid>/volumes/…`, `plugins/<driver>/…`.
const MOUNTED: [&str; 2] = ["pods", "plugins"];

/// All mounts of this machine, told apart.
pub(super) struct Mounts {
    /// Volumes of Pods, in the order in which they can be unmounted.
    pub(super) of_pods: Vec<Mount>,
    /// Everything else.
    pub(super) others: Vec<Mount>,
}

impl Mounts {
    pub(super) fn look(job: &Reset, host: &dyn Host) -> Result<Self, Problem> {
        let folders = MOUNTED.map(|name| host.resolve(&job.node.layout.kubelet().join(name)));
        let folders = folders.into_iter().collect::<Result<Vec<PathBuf>, _>>()?;
        // What is mounted on `pods` itself, or on a folder in it, is none of the kubelet's.
        let is_deep = |below: &Path| below.components().count() >= 2;
        let is_volume =
            |mount: &Mount| folders.iter().any(|folder| mount.point.strip_prefix(folder).is_ok_and(is_deep));
        let (mut of_pods, others): (Vec<_>, Vec<_>) = host.facts()?.mounts.into_iter().partition(is_volume);
        // A mount inside a mount goes first; of two on the same point, the newer.
        of_pods.sort_by_key(|mount| std::cmp::Reverse(mount.point.components().count()));
        Ok(Self { of_pods, others })
    }

    /// What is mounted on this path or below it, and stays.
    pub(super) fn at_or_below<'a>(&'a self, path: &Path, host: &dyn Host) -> Result<Vec<&'a Mount>, Problem> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
        let resolved = host.resolve(folder)?.join(name);
        Ok(self.others.iter().filter(|mount| mount.point.starts_with(&resolved)).collect())
    }
}

/// Adds what removes a folder with all below it. Of one that holds a mount all but the mounts goes, with the folders that
/// lead there.
pub(super) fn add_removal(
    path: &Path,
    mounts: &Mounts,
    world: &World<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), Problem> {
    let Some(found) = world.host().stat(path)? else { return Ok(()) };
    if found.is_mount_point {
        return Ok(());
    }
    if found.kind != FileKind::Folder || mounts.at_or_below(path, world.host())?.is_empty() {
        changes.push(Change::RemoveTree { path: path.to_owned() });
        return Ok(());
    }
    for entry in world.host().list(path)? {
        add_removal(&entry.path, mounts, world, changes)?;
    }
    Ok(())
}
