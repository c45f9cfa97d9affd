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
    /// It has no content, or ends in zeros, as nothing that we write does: a power cut.
    Empty,
    /// It is shorter than what was written: a power cut, or an editor.
    Short,
    /// Its content is another.
    Edited,
}

impl Harm {
    /// All of them: as a program reads them, and for people.
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Empty, "empty", "without content, as a power cut leaves it"),
        (Self::Short, "short", "shorter than it was written, cut off or edited"),
        (Self::Edited, "edited", "changed since it was written"),
    ];

    /// The files with each kind of harm: its name, what it is, and which.
    pub fn sorted(damages: &[Damage]) -> impl Iterator<Item = (&'static str, &'static str, Vec<&Path>)> {
        Self::ALL.iter().map(|(harm, name, how)| {
            let of_kind = damages.iter().filter(|damage| damage.harm == *harm);
            (*name, *how, of_kind.map(|damage| damage.path.as_path()).collect())
        })
    }
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
            let is_short = owned.size.is_some_and(|size| u64::try_from(bytes.len()).is_ok_and(|length| length < size));
            let harm = match is_empty(&bytes) {
                true => Harm::Empty,
                false if is_short => Harm::Short,
                false => Harm::Edited,
            };
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

/// Some file systems leave zeros of the right length rather than nothing, or in place of the blocks that were not written.
fn is_empty(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|last| *last == 0)
}

/// One warning that names them all; `None` where there is nothing to tell.
pub fn warning(damages: &[Damage]) -> Option<Problem> {
    let with_harm = Harm::sorted(damages).filter(|(_, _, paths)| !paths.is_empty());
    let parts: Vec<String> = with_harm.map(|(_, how, paths)| format!("{how}: {}", listed(&paths))).collect();
    let count = crate::counted(damages.len(), "file");
    (!parts.is_empty()).then(|| {
        Problem::new("file-damaged", format!("{count} of kubestrap's differ from what it wrote")).why(parts.join("; "))
    })
}

/// Paths in one line.
pub(crate) fn listed(paths: &[&Path]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::Overlay;

    #[test]
    fn empty_and_edited_files_of_ours_are_told_apart_from_whole_ones() {
        let write =
            |path: &str| json!({"change": {"kind": "file", "path": path, "sha256": sha256_hex(b"ours"), "size": 4}});
        let paths = ["/a/whole", "/b/empty", "/c/zeros", "/d/edited", "/e/gone", "/g/short", "/h/torn"];
        let inventory = Inventory::fold(&paths.map(write));
        let overlay = Overlay::default()
            .with_file("/a/whole", "ours", 0o600)
            .with_file("/b/empty", "", 0o600)
            .with_file("/c/zeros", "\0\0\0\0", 0o600)
            .with_file("/d/edited", "theirs", 0o600)
            .with_file("/f/foreign", "", 0o600)
            .with_file("/g/short", "our", 0o600)
            .with_file("/h/torn", "ou\0\0", 0o600);
        let found = look(&inventory, &overlay).unwrap();
        let expected = [
            ("/b/empty", Harm::Empty),
            ("/c/zeros", Harm::Empty),
            ("/d/edited", Harm::Edited),
            ("/g/short", Harm::Short),
            ("/h/torn", Harm::Empty),
        ];
        assert_eq!(found, expected.map(|(path, harm)| Damage { path: path.into(), harm }));
        let warning = warning(&found).unwrap();
        assert!(warning.why.contains("power cut leaves it: /b/empty, /c/zeros, /h/torn; shorter"), "{}", warning.why);
        assert!(warning.why.ends_with("edited: /g/short; changed since it was written: /d/edited"), "{}", warning.why);
        assert!(is_lost(Path::new("/b/empty"), &inventory, &overlay).unwrap());
        assert!(!is_lost(Path::new("/f/foreign"), &inventory, &overlay).unwrap());
        assert_eq!(super::warning(&[]), None);
    }
}
