//! File systems that a server, or another process, answers for. When that one is silent, whoever looks at a file there
//! hangs, and not even Ctrl-C ends it: so their mount points are never looked at, since the kernel's list of mounts tells
//! that they are there, and what lies below them is looked at only once they have answered.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kubestrap_phases::world::{FileInfo, FileKind, HostError, Mount};

use super::mounts;

/// How long such a file system may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Types whose files are elsewhere; so are those of FUSE, `fuse` and `fuse.…`.
const TYPES: [&str; 14] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "glusterfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "virtiofs",
];

/// What is known of a path without a look at it: that it is the mount point of such a file system. An error where the
/// path lies on one that does not answer.
pub(super) fn known(path: &Path, mounted: &[Mount]) -> Result<Option<FileInfo>, HostError> {
    if !mounted.iter().any(is_remote) {
        return Ok(None);
    }
    if holds(path, mounted)?.is_none_or(|mount| mount.point != path) {
        // Links above it are followed only now that they can be.
        let resolved = mounts::resolved(path);
        if holds(&resolved, mounted)?.is_none_or(|mount| mount.point != resolved) {
            return Ok(None);
        }
    }
    let path = path.to_owned();
    Ok(Some(FileInfo { path, kind: FileKind::Folder, mode: 0, uid: 0, gid: 0, size: 0, is_mount_point: true }))
}

/// An error where the folder lies on such a file system, or is one, that does not answer.
pub(super) fn can_be_listed(folder: &Path, mounted: &[Mount]) -> Result<(), HostError> {
    match holds(folder, mounted)? {
        Some(mount) => answers(mount).map_err(|source| HostError::Read { path: folder.to_owned(), source }),
        None => Ok(()),
    }
}

/// Such a file system on which the path lies, if it does. One that does not answer is an error, except at its mount point.
fn holds<'a>(path: &Path, mounted: &'a [Mount]) -> Result<Option<&'a Mount>, HostError> {
    // Of several on the same point, the last one is on top.
    let above = mounted.iter().filter(|mount| path.starts_with(&mount.point));
    let Some(mount) = above.max_by_key(|mount| mount.point.components().count()).filter(|mount| is_remote(mount))
    else {
        return Ok(None);
    };
    if mount.point != path {
        answers(mount).map_err(|source| HostError::Read { path: path.to_owned(), source })?;
    }
    Ok(Some(mount))
}

fn is_remote(mount: &Mount) -> bool {
    let fs_type = mount.fs_type.as_str();
    TYPES.contains(&fs_type) || fs_type == "fuse" || fs_type.starts_with("fuse.")
}

/// Asks from a thread, which nobody waits for when it hangs.
fn answers(mount: &Mount) -> io::Result<()> {
    let (told, answer) = mpsc::channel();
    let point = mount.point.clone();
    thread::spawn(move || told.send(std::fs::symlink_metadata(&point).map(|_| ())));
    answer.recv_timeout(ANSWER_LIMIT).unwrap_or_else(|_| {
        let (source, point, limit) = (&mount.source, mount.point.display(), ANSWER_LIMIT.as_secs());
        let text = format!("{source}, mounted on {point} ({}), does not answer within {limit} s", mount.fs_type);
        Err(io::Error::new(ErrorKind::TimedOut, text))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::super::scratch::Scratch;
    use super::*;

    fn mount(point: PathBuf, fs_type: &str) -> Mount {
        Mount { point, source: "nas:/share".to_owned(), fs_type: fs_type.to_owned(), options: Vec::new() }
    }

    #[test]
    fn the_mount_point_of_a_network_file_system_is_known_without_a_look_also_through_links() {
        let scratch = Scratch::new();
        symlink(scratch.path(), scratch.join("alias")).unwrap();
        for (fs_type, is_known) in
            [("nfs4", true), ("cifs", true), ("fuse.sshfs", true), ("ext4", false), ("nfsd", false)]
        {
            // There is nothing at all, which a look would tell.
            let mounted = [mount("/".into(), "ext4"), mount(scratch.join("share"), fs_type)];
            for path in [scratch.join("share"), scratch.join("alias/share")] {
                let found = known(&path, &mounted).unwrap();
                let expected = is_known.then_some((path.clone(), true));
                assert_eq!(found.map(|found| (found.path, found.is_mount_point)), expected, "{fs_type}");
            }
        }
    }

    #[test]
    fn what_lies_below_is_looked_at_when_the_file_system_answers_and_beside_it_always() {
        let scratch = Scratch::new();
        let share = scratch.join("share");
        std::fs::create_dir(&share).unwrap();
        let mounted = [mount(share.clone(), "nfs"), mount(share.join("local"), "tmpfs")];
        for path in ["share/file", "share/local", "share/local/file", "share-of-others", "else"] {
            assert_eq!(known(&scratch.join(path), &mounted).unwrap(), None, "{path}");
        }
        let gone = [mount(scratch.join("gone"), "nfs")];
        assert!(known(&scratch.join("gone/file"), &gone).is_err(), "its server says that it is stale");
    }
}
