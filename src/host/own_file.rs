//! Files that a command writes for its user, where the user has said: no part of the machine's state, so neither in the
//! journal nor taken away by reset.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kubestrap_phases::world::HostError;

use super::files;
use super::root::Root;

/// Writes a whole file, old or new and never a half. A link is followed, a file that is there never becomes readable to
/// more people than before, and a pipe or device is written into.
pub(crate) fn write_for_user(root: &Root, path: &Path, bytes: &[u8], mode: u32) -> Result<(), HostError> {
    let failed = |source| HostError::Write { action: "write", path: path.to_owned(), source };
    let path = &*root.target(path).map_err(failed)?;
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            let target = fs::canonicalize(path).map_err(failed)?;
            let mode = mode & found.permissions().mode();
            files::at_once(|changed| files::write(&target, (bytes, mode), None, changed))
        }
        Ok(_) => {
            let mut open = OpenOptions::new().write(true).open(path).map_err(failed)?;
            open.write_all(bytes).map_err(failed)
        }
        Err(_) => files::at_once(|changed| files::write(path, (bytes, mode), None, changed)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_made_with_its_mode_and_replaced_with_no_wider_one() {
        let scratch = Scratch::new();
        let path = scratch.join("new.yaml");
        write_for_user(&Root::default(), &path, b"a", 0o644).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"a".to_vec(), 0o644));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write_for_user(&Root::default(), &path, b"b", 0o644).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"b".to_vec(), 0o600));
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_stays_a_device() {
        let scratch = Scratch::new();
        let (target, link) = (scratch.join("target"), scratch.join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_for_user(&Root::default(), &link, b"new", 0o644).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        write_for_user(&Root::default(), Path::new("/dev/null"), b"new", 0o644).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn below_another_root_links_lead_nowhere_outside() {
        let scratch = Scratch::new();
        let root = Root::of(Some(scratch.path())).unwrap();
        std::os::unix::fs::symlink("/file", scratch.join("link")).unwrap();
        write_for_user(&root, Path::new("/link"), b"new", 0o644).unwrap();
        assert_eq!(fs::read(scratch.join("file")).unwrap(), b"new");
    }

    #[test]
    fn a_folder_is_not_written_over() {
        let scratch = Scratch::new();
        let folder = scratch.join("folder");
        fs::create_dir(&folder).unwrap();
        assert!(write_for_user(&Root::default(), &folder, b"x", 0o644).is_err());
        assert!(folder.is_dir());
    }
}
