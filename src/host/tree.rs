//! Removing a folder with everything below it: never through a symbolic link, never across a mount point.
//!
//! Reset removes `/var/lib/kubelet` with this, where volumes of Pods may still be mounted: an NFS share or a host's disk
//! must not be emptied by mistake. So the list of mounts is looked at before anything is removed, and on the way down
//! each folder is opened relative to the one above it, and must lie on the same device.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use kubestrap_phases::world::{HostError, Mount};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::files::{self, Changed};
use super::mounts;

/// Removes what is at the path and below; gone already is fine, of a link only the link goes.
pub(super) fn remove(path: &Path, mounted: &[Mount], changed: &Changed) -> Result<(), HostError> {
    let failed = |source| HostError::Write { action: "remove", path: path.to_owned(), source };
    if !std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return files::remove(path, changed);
    }
    let resolved = mounts::resolved(path);
    let (Some(above), Some(name)) = (resolved.parent(), resolved.file_name()) else {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "the path names no folder in another one")));
    };
    if let Some(mount) = mounted.iter().find(|mount| mount.point.starts_with(&resolved)) {
        return Err(failed(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("{} is mounted on {}; nothing was removed", mount.source, mount.point.display()),
        )));
    }
    let removed = || -> nix::Result<()> {
        let above = Dir::open(above, FOLDER, Mode::empty())?;
        let mut folder = Dir::openat(above.as_fd(), name, FOLDER, Mode::empty())?;
        let device = fstat(folder.as_fd())?.st_dev;
        empty(&mut folder, device)?;
        unlinkat(above.as_fd(), name, UnlinkatFlags::RemoveDir)
    };
    changed.add(above);
    removed().map_err(|error| failed(io::Error::from(error)))
}

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Removes all entries of an open folder. Depth is bounded by open files, which is far more than anything nests.
fn empty(folder: &mut Dir, device: u64) -> nix::Result<()> {
    let names = folder.iter().map(|entry| Ok(entry?.file_name().to_owned())).collect::<nix::Result<Vec<CString>>>()?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        match unlinkat(folder.as_fd(), name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::EISDIR) => {
                let mut below = Dir::openat(folder.as_fd(), name.as_c_str(), FOLDER, Mode::empty())?;
                if fstat(below.as_fd())?.st_dev != device {
                    return Err(Errno::EXDEV);
                }
                empty(&mut below, device)?;
                unlinkat(folder.as_fd(), name.as_c_str(), UnlinkatFlags::RemoveDir)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::scratch::Scratch;
    use super::*;

    fn mounted_on(path: &Path) -> Vec<Mount> {
        vec![Mount {
            point: path.to_owned(),
            source: "nas:/share".to_owned(),
            fs_type: "nfs".to_owned(),
            options: Vec::new(),
        }]
    }

    fn a_tree(scratch: &Scratch) -> std::path::PathBuf {
        let tree = scratch.join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        for name in ["top", "a/one", "a/b/two", "a/b/c/.three"] {
            fs::write(tree.join(name), name).unwrap();
        }
        tree
    }

    #[test]
    fn everything_below_is_removed_and_a_second_time_is_fine() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        remove(&tree, &[], &Changed::default()).unwrap();
        assert!(!tree.exists());
        remove(&tree, &[], &Changed::default()).unwrap();
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        let outside = scratch.join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "kept").unwrap();
        symlink(&outside, tree.join("a/b/way-out")).unwrap();
        symlink(outside.join("precious"), tree.join("file-way-out")).unwrap();
        remove(&tree, &[], &Changed::default()).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "kept");
    }

    #[test]
    fn of_a_link_only_the_link_is_removed() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        let link = scratch.join("link");
        symlink(&tree, &link).unwrap();
        remove(&link, &[], &Changed::default()).unwrap();
        assert!(fs::symlink_metadata(&link).is_err());
        assert!(tree.join("a/b/c/.three").exists());
    }

    #[test]
    fn a_mount_point_at_or_below_keeps_everything_where_it_is() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        for point in [tree.clone(), tree.join("a"), tree.join("a/b/c")] {
            let error = remove(&tree, &mounted_on(&point), &Changed::default()).unwrap_err();
            let HostError::Write { source, .. } = error else { panic!("{error:?}") };
            assert!(source.to_string().contains("nas:/share is mounted on"), "{source}");
            for name in ["top", "a/one", "a/b/two", "a/b/c/.three"] {
                assert!(tree.join(name).exists(), "{name} with a mount on {}", point.display());
            }
        }
    }

    #[test]
    fn a_mount_point_below_is_seen_through_links_above_the_path() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        symlink(scratch.path(), scratch.join("alias")).unwrap();
        remove(&scratch.join("alias/tree"), &mounted_on(&tree.join("a")), &Changed::default()).unwrap_err();
        assert!(tree.join("top").exists());
    }

    #[test]
    fn a_mount_point_beside_with_a_longer_name_is_no_hindrance() {
        let scratch = Scratch::new();
        let tree = a_tree(&scratch);
        remove(&tree, &mounted_on(&scratch.join("tree-of-others")), &Changed::default()).unwrap();
        assert!(!tree.exists());
    }
}
