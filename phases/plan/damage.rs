//! Damage: files of ours that are no longer what the journal says that was written.
//!
//! A power cut can leave a file without content on file systems that do not keep their promises; everything else that
//! differs was changed by somebody. Looks only; what is damaged is written again by the phase that makes it.

use std::path::{Path, PathBuf};

use super::Inventory;
use crate::problem::Problem;
use crate::world::{FileKind, Host, HostError, sha256_hex};

/// A file of ours that differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which.
    pub path: PathBuf,
    /// How.
    pub harm: Harm,
}

/// How a file differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It has no content, or a part of it with the rest missing: a power cut, or a full disk.
    Empty,
    /// Its content is another.
    Edited,
}

/// The files of the inventory that are there and differ, in the order of their names. A file that is gone is none of them.
///
/// # Errors
/// When a file cannot be read.
pub fn look(inventory: &Inventory, host: &dyn Host) -> Result<Vec<Damage>, HostError> {
    let mut found = Vec::new();
    for (path, owned) in inventory.files() {
        if host.stat(path)?.is_none_or(|entry| entry.kind != FileKind::File) {
            continue;
        }
        let Some(bytes) = host.read(path)? else { continue };
        if sha256_hex(&bytes) != owned.sha256 {
            let harm = if is_empty(&bytes) { Harm::Empty } else { Harm::Edited };
            found.push(Damage { path: path.to_owned(), harm });
        }
    }
    Ok(found)
}

/// Whether a file of ours is there without content, so that it counts as not there.
///
/// # Errors
/// When the file or the journal cannot be read.
pub(crate) fn is_lost(path: &Path, inventory: &Inventory, host: &dyn Host) -> Result<bool, HostError> {
    if !inventory.owns(path) || host.stat(path)?.is_none_or(|entry| entry.kind != FileKind::File) {
        return Ok(false);
    }
    Ok(host.read(path)?.is_some_and(|bytes| is_empty(&bytes)))
}

/// Some file systems leave zeros of the right length rather than nothing.
fn is_empty(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// One warning that names them all; `None` where there is nothing to tell.
pub fn warning(damages: &[Damage]) -> Option<Problem> {
    let names = |harm: Harm| {
        let of_kind = damages.iter().filter(|damage| damage.harm == harm);
        of_kind.map(|damage| damage.path.display().to_string()).collect::<Vec<_>>()
    };
    let (empty, edited) = (names(Harm::Empty), names(Harm::Edited));
    let mut parts = Vec::new();
    if !empty.is_empty() {
        parts.push(format!("without content, as a power cut leaves it: {}", empty.join(", ")));
    }
    if !edited.is_empty() {
        parts.push(format!("changed since it was written: {}", edited.join(", ")));
    }
    let count = crate::counted(damages.len(), "file");
    (!parts.is_empty()).then(|| {
        Problem::new("file-damaged", format!("{count} of kubestrap's differ from what it wrote")).why(parts.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::Overlay;

    #[test]
    fn empty_and_edited_files_of_ours_are_told_apart_from_whole_ones() {
        let write = |path: &str| json!({"change": {"kind": "file", "path": path, "sha256": sha256_hex(b"ours")}});
        let paths = ["/a/whole", "/b/empty", "/c/zeros", "/d/edited", "/e/gone"];
        let inventory = Inventory::fold(&paths.map(write));
        let overlay = Overlay::default()
            .with_file("/a/whole", "ours", 0o600)
            .with_file("/b/empty", "", 0o600)
            .with_file("/c/zeros", "\0\0\0\0", 0o600)
            .with_file("/d/edited", "theirs", 0o600)
            .with_file("/f/foreign", "", 0o600);
        let found = look(&inventory, &overlay).unwrap();
        let expected = [("/b/empty", Harm::Empty), ("/c/zeros", Harm::Empty), ("/d/edited", Harm::Edited)];
        assert_eq!(found, expected.map(|(path, harm)| Damage { path: path.into(), harm }));
        let warning = warning(&found).unwrap();
        assert!(warning.why.contains("power cut leaves it: /b/empty, /c/zeros"), "{}", warning.why);
        assert!(warning.why.ends_with("written: /d/edited"), "{}", warning.why);
        assert!(is_lost(Path::new("/b/empty"), &inventory, &overlay).unwrap());
        assert!(!is_lost(Path::new("/f/foreign"), &inventory, &overlay).unwrap());
        assert_eq!(super::warning(&[]), None);
    }
}
