//! Files and folders, written so that a power cut leaves the old or the new, never a half.
//!
//! A file is written to a dot-file beside its target (the kubelet ignores dot-files in the manifest folder), has its mode
//! before its first byte, is synced and renamed. That it lasts is known once its folder is synced, which is done for all
//! changes of a batch at once. What an earlier run left of such a dot-file is removed by the next write of the same target.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use kubestrap_phases::world::{FileInfo, FileKind, HostError};
use nix::fcntl::OFlag;
use xattr::FileExt as _;

/// Folders whose entries were changed, and that a power cut may still give back as they were.
#[derive(Default)]
pub(super) struct Changed(RefCell<BTreeSet<PathBuf>>);

impl Changed {
    pub(super) fn add(&self, folder: &Path) {
        self.0.borrow_mut().insert(folder.to_owned());
    }

    /// Makes their entries last. One that is gone by now has none.
    pub(super) fn sync(&self) -> Result<(), HostError> {
        for folder in self.0.take() {
            match sync_folder(&folder) {
                Err(source) if !is_absent(&source) => {
                    return Err(HostError::Write { action: "sync", path: folder, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Does something to files that lasts when this returns.
pub(super) fn at_once<T>(work: impl FnOnce(&Changed) -> Result<T, HostError>) -> Result<T, HostError> {
    let changed = Changed::default();
    let done = work(&changed)?;
    changed.sync().map(|()| done)
}

/// The content of a file, following links; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, HostError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(HostError::Read { path: path.to_owned(), source }),
    }
}

/// What is at a path, links not followed. Whether something is mounted on it is asked of `is_mount_point`.
pub(super) fn stat(
    path: &Path,
    is_mount_point: &dyn Fn(&Path) -> Result<bool, HostError>,
) -> Result<Option<FileInfo>, HostError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(HostError::Read { path: path.to_owned(), source }),
    };
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Folder,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    Ok(Some(FileInfo {
        path: path.to_owned(),
        kind,
        mode: metadata.permissions().mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.len(),
        is_mount_point: kind != FileKind::Link && is_mount_point(path)?,
    }))
}

/// Names in a folder, sorted; empty when there is no such folder.
pub(super) fn names(folder: &Path) -> Result<Vec<PathBuf>, HostError> {
    let failed = |source| HostError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    found.sort();
    Ok(found)
}

/// Writes a whole file with exactly this mode, in place of whatever file or link is there. A file that is replaced keeps
/// its owner, since somebody may read it who is not root, and its extended attributes, such as a label of SELinux, unless
/// another file is given to have them from.
pub(super) fn write(
    path: &Path,
    (bytes, mode): (&[u8], u32),
    like: Option<&Path>,
    changed: &Changed,
) -> Result<(), HostError> {
    let place = Place::of(path, "write")?;
    let written = place.clear_leftovers().and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&place.beside)?;
        keep_owner(path, &file)?;
        set_attributes(&file, attributes(like.unwrap_or(path))?)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&place.beside, path)
    });
    changed.add(&place.folder);
    written.map_err(|source| {
        // Nothing to do about a second failure: the next write of this target clears it.
        let _ = fs::remove_file(&place.beside);
        place.failed(source)
    })
}

/// Where the file system has no attributes, and where only the kernel may set them, there is nothing to keep.
fn is_kernels(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

/// The extended attributes of a file, in the order of their names; none where there is no such file.
pub(super) fn attributes(path: &Path) -> io::Result<Vec<(OsString, Vec<u8>)>> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Ok(Vec::new());
    }
    let names = match xattr::list(path) {
        Err(error) if is_kernels(&error) => return Ok(Vec::new()),
        names => names?,
    };
    let mut found = Vec::new();
    for name in names {
        if let Some(value) = xattr::get(path, &name)? {
            found.push((name, value));
        }
    }
    found.sort();
    Ok(found)
}

fn set_attributes(file: &File, attributes: Vec<(OsString, Vec<u8>)>) -> io::Result<()> {
    for (name, value) in attributes {
        match file.set_xattr(&name, &value) {
            Err(error) if !is_kernels(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn keep_owner(path: &Path, file: &File) -> io::Result<()> {
    let Some(before) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) else { return Ok(()) };
    let now = file.metadata()?;
    if (before.uid(), before.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    fchown(file, Some(before.uid()), Some(before.gid()))
}

/// Gives a file or folder to somebody, with this mode; through a link it gives nothing.
pub(super) fn own(path: &Path, (uid, gid): (u32, u32), mode: u32) -> Result<(), HostError> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let owned = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).and_then(|file| {
        fchown(&file, Some(uid), Some(gid))?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()
    });
    owned.map_err(|source| HostError::Write { action: "change the owner of", path: path.to_owned(), source })
}

/// Makes a symbolic link in place of whatever file or link is there.
pub(super) fn link(path: &Path, target: &Path, changed: &Changed) -> Result<(), HostError> {
    let place = Place::of(path, "link")?;
    let linked = place.clear_leftovers().and_then(|()| {
        std::os::unix::fs::symlink(target, &place.beside)?;
        fs::rename(&place.beside, path)
    });
    changed.add(&place.folder);
    linked.map_err(|source| {
        let _ = fs::remove_file(&place.beside);
        place.failed(source)
    })
}

/// Makes a folder with exactly this mode; one that is there keeps its mode.
pub(super) fn make_folder(path: &Path, mode: u32, changed: &Changed) -> Result<(), HostError> {
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let place = Place::of(path, "make folder")?;
    let made = place.clear_leftovers().and_then(|()| {
        DirBuilder::new().mode(mode).create(&place.beside)?;
        fs::set_permissions(&place.beside, Permissions::from_mode(mode))?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "something else is there that is no folder"));
        }
        fs::rename(&place.beside, path)
    });
    changed.add(&place.folder);
    made.map_err(|source| {
        let _ = fs::remove_dir(&place.beside);
        place.failed(source)
    })
}

/// Makes a folder and those above it, for our own state; the ones above have the mode 0755.
pub(super) fn make_folders(path: &Path, mode: u32, changed: &Changed) -> Result<(), HostError> {
    if let Some(parent) = path.parent()
        && fs::metadata(parent).is_err()
    {
        make_folders(parent, 0o755, changed)?;
    }
    make_folder(path, mode, changed)
}

/// Removes one file, link or empty folder; gone already is fine.
pub(super) fn remove(path: &Path, changed: &Changed) -> Result<(), HostError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    changed.add(path.parent().unwrap_or_else(|| Path::new("/")));
    match removed {
        Err(error) if !is_absent(&error) => {
            Err(HostError::Write { action: "remove", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// Makes the entries of a folder last through a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Nothing there, or something above it is no folder.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A target with its folder and the dot-file that becomes the target.
struct Place<'a> {
    path: &'a Path,
    action: &'static str,
    folder: PathBuf,
    prefix: String,
    beside: PathBuf,
}

impl<'a> Place<'a> {
    fn of(path: &'a Path, action: &'static str) -> Result<Self, HostError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            let source = io::Error::new(ErrorKind::InvalidInput, "the path names no file");
            return Err(HostError::Write { action, path: path.to_owned(), source });
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let prefix = format!(".{}.kubestrap-", name.to_string_lossy());
        let beside = folder.join(format!("{prefix}{}", std::process::id()));
        Ok(Self { path, action, folder: folder.to_owned(), prefix, beside })
    }

    /// Only one run at a time holds the state folder's lock, so whatever has our prefix was left by a run that was killed.
    fn clear_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&self.prefix));
            if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
                if entry.file_type()?.is_dir() {
                    fs::remove_dir(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> HostError {
        HostError::Write { action: self.action, path: self.path.to_owned(), source }
    }
}
