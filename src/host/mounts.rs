//! Mount points, as `/proc/self/mountinfo` lists them, and unmounting.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kubestrap_phases::world::{HostError, Mount, UnmountFlag};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// All mount points that this process sees, read again only when they have changed: writing its list costs the kernel more
/// than most of what is looked up in it.
#[derive(Default)]
pub(super) struct Mounted {
    read: RefCell<Option<(File, Rc<[Mount]>)>>,
}

impl Mounted {
    /// What is mounted now.
    pub(super) fn all(&self) -> Result<Rc<[Mount]>, HostError> {
        let mut read = self.read.borrow_mut();
        let kept = read.take().filter(|(file, _)| !has_changed(file));
        let (file, mounts) = match kept {
            Some(kept) => kept,
            None => look().map_err(|source| HostError::Fact { what: "what is mounted", source })?,
        };
        *read = Some((file, Rc::clone(&mounts)));
        Ok(mounts)
    }

    /// Unmounts what lies on top here; nothing mounted is fine. What is in use stays and is an error, unless a flag says
    /// otherwise.
    pub(super) fn unmount(&self, path: &Path, flags: &[UnmountFlag]) -> Result<(), HostError> {
        if is_mount_point(&self.all()?, path) { unmount(path, flags) } else { Ok(()) }
    }
}

/// The kernel raises POLLPRI for whoever had the file open when something was mounted or unmounted: proc_pid_mounts(5).
fn has_changed(file: &File) -> bool {
    let mut asked = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
    match poll(&mut asked, PollTimeout::ZERO) {
        Ok(0) => false,
        // Also when that cannot be told.
        _ => true,
    }
}

/// The file is opened before it is read, so that what changes meanwhile is seen as changed later.
fn look() -> io::Result<(File, Rc<[Mount]>)> {
    let mut file = File::open("/proc/self/mountinfo")?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((file, parse(&bytes).into()))
}

/// Whether something is mounted on exactly this path.
pub(super) fn is_mount_point(mounts: &[Mount], path: &Path) -> bool {
    // Links above its last part do not change that: few paths have to be followed.
    if !mounts.iter().any(|mount| mount.point.file_name() == path.file_name()) {
        return false;
    }
    let resolved = resolved(path);
    mounts.iter().any(|mount| mount.point == resolved)
}

/// The path as the kernel writes it: links above its last part followed, its last part taken as it is.
pub(super) fn resolved(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => folder.canonicalize().map_or_else(|_| path.to_owned(), |above| above.join(name)),
        _ => path.to_owned(),
    }
}

/// The path with all links followed, as far as it is there.
pub(super) fn followed(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(followed), ..) => followed,
        (Err(_), Some(folder), Some(name)) => followed(folder).join(name),
        (Err(_), ..) => path.to_owned(),
    }
}

fn unmount(path: &Path, flags: &[UnmountFlag]) -> Result<(), HostError> {
    let flags = flags.iter().fold(MntFlags::UMOUNT_NOFOLLOW, |all, flag| {
        all | match flag {
            UnmountFlag::Force => MntFlags::MNT_FORCE,
            UnmountFlag::Detach => MntFlags::MNT_DETACH,
            UnmountFlag::Expire => MntFlags::MNT_EXPIRE,
            UnmountFlag::NoFollow => MntFlags::UMOUNT_NOFOLLOW,
        }
    });
    let unmounted = match umount2(path, flags) {
        // The first try with MNT_EXPIRE only marks it: umount2(2).
        Err(Errno::EAGAIN) if flags.contains(MntFlags::MNT_EXPIRE) => umount2(path, flags),
        other => other,
    };
    unmounted.map_err(|error| HostError::Write {
        action: "unmount",
        path: path.to_owned(),
        source: io::Error::from(error),
    })
}

/// Reads mountinfo: `36 35 98:0 /root /point options [optional…] - type source options` (proc_pid_mountinfo(5)).
pub(super) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|&byte| byte == b' ');
    let point = PathBuf::from(decoded(words.nth(4)?));
    let options =
        words.next()?.split(|&byte| byte == b',').map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    words.find(|word| *word == b"-")?;
    let fs_type = decoded(words.next()?).to_string_lossy().into_owned();
    let source = decoded(words.next()?).to_string_lossy().into_owned();
    Some(Mount { point, source, fs_type, options })
}

/// The kernel writes space, tab, newline and backslash as `\040` and so on.
fn decoded(word: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, after)) = rest.split_first() {
        let octal =
            after.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        let code = octal.map(|digits| digits.iter().fold(0_u32, |code, digit| code * 8 + u32::from(digit - b'0')));
        if let Some(byte) = code.and_then(|code| u8::try_from(code).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_again_only_when_it_has_changed() {
        let mounted = Mounted::default();
        // Others may mount something meanwhile.
        let is_kept = (0..100).any(|_| Rc::ptr_eq(&mounted.all().unwrap(), &mounted.all().unwrap()));
        assert!(is_kept);
        assert!(is_mount_point(&mounted.all().unwrap(), Path::new("/proc")));
    }

    const MOUNTINFO: &[u8] = b"\
22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
30 28 0:26 / /sys/fs/cgroup rw shared:9 master:1 - cgroup2 cgroup2 rw
99 28 8:1 /sub /mnt/with\\040space\\134and\\011tab rw - ext4 /dev/sda\\0401 rw
100 28 0:50 / /var/lib/kubelet/pods/u/volumes/t rw - tmpfs tmpfs rw,size=64k
";

    #[test]
    fn mountinfo_is_read_with_its_octal_escapes() {
        let mounts = parse(MOUNTINFO);
        let read: Vec<_> =
            mounts.iter().map(|mount| (mount.point.to_str().unwrap(), &*mount.source, &*mount.fs_type)).collect();
        let expected = [
            ("/sys", "sysfs", "sysfs"),
            ("/sys/fs/cgroup", "cgroup2", "cgroup2"),
            ("/mnt/with space\\and\ttab", "/dev/sda 1", "ext4"),
            ("/var/lib/kubelet/pods/u/volumes/t", "tmpfs", "tmpfs"),
        ];
        assert_eq!(read, expected);
        assert_eq!(mounts[0].options, ["rw", "nosuid"]);
    }

    #[test]
    fn a_mount_point_is_exactly_its_path() {
        let mounts = parse(MOUNTINFO);
        assert!(is_mount_point(&mounts, Path::new("/sys")));
        assert!(!is_mount_point(&mounts, Path::new("/sys/fs")));
    }

    #[test]
    fn the_mounts_of_this_machine_include_its_root_and_proc() {
        let mounts = Mounted::default().all().unwrap();
        assert!(is_mount_point(&mounts, Path::new("/")), "{mounts:?}");
        assert!(is_mount_point(&mounts, Path::new("/proc")), "{mounts:?}");
    }

    #[test]
    fn unmounting_where_nothing_is_mounted_is_done_already() {
        Mounted::default().unmount(Path::new("/proc/self/nothing-here"), &[]).unwrap();
    }
}
