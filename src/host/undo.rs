//! What would take a change back, worked out before it is made.
//!
//! A file that is about to be replaced or removed is copied into the state folder first, under the digest of its content
//! and its extended attributes: nothing of it ever stands in the journal, since it may be a key.

use std::path::{Path, PathBuf};

use kubestrap_phases::world::{Change, Content, FileInfo, FileKind, HostError, Undo};

use super::files::{self, Changed};
use super::root::Root;
use super::units::Units;

/// Works out the way back for a machine whose files lie below this root; `kept` is the folder for copies.
pub(super) fn of(
    change: &Change,
    (kept, root): (&Path, &Root),
    units: &Units,
    changed: &Changed,
) -> Result<Undo, HostError> {
    match change {
        Change::File { path, .. } => match look(path, root)? {
            None => Ok(Undo::Remove { path: path.clone() }),
            Some(found) if found.kind == FileKind::File => keep(path, &found, (kept, root), changed),
            Some(FileInfo { kind: FileKind::Folder, .. }) => Err(HostError::Write {
                action: "write",
                path: path.clone(),
                source: std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is a folder"),
            }),
            Some(_) => Ok(Undo::Impossible { why: not_a_file(path, root) }),
        },
        Change::Folder { path, .. } => Ok(match look(path, root)? {
            None => Undo::Remove { path: path.clone() },
            Some(_) => Undo::Nothing,
        }),
        Change::Link { path, .. } => Ok(match look(path, root)? {
            None => Undo::Remove { path: path.clone() },
            Some(_) => Undo::Impossible { why: not_a_file(path, root) },
        }),
        Change::Owner { path, .. } => Ok(match look(path, root)? {
            Some(found) => Undo::Owner { path: path.clone(), uid: found.uid, gid: found.gid, mode: found.mode },
            None => Undo::Nothing,
        }),
        Change::AddAccount(account) => Ok(Undo::RemoveAccount { account: account.clone() }),
        Change::RemoveAccount(account) => Ok(Undo::AddAccount { account: account.clone() }),
        Change::Remove { path, keep: is_kept } => match look(path, root)? {
            None => Ok(Undo::Nothing),
            Some(found) if found.kind == FileKind::File && !is_kept => {
                Ok(Undo::Impossible { why: format!("no copy of {} was kept", path.display()) })
            }
            Some(found) if found.kind == FileKind::File => keep(path, &found, (kept, root), changed),
            Some(FileInfo { kind: FileKind::Folder, mode, .. }) => Ok(Undo::MakeFolder { path: path.clone(), mode }),
            Some(_) => Ok(Undo::Impossible { why: not_a_file(path, root) }),
        },
        Change::Unit { name, action } => match root.folder() {
            Some(folder) => Err(HostError::not_running(change.summary(), folder)),
            None => Ok(action.undo(name, &units.last_state(name)?)),
        },
        Change::RemoveTree { path } if look(path, root)?.is_none() => Ok(Undo::Nothing),
        Change::RemoveTree { path } => {
            Ok(Undo::Impossible { why: format!("what is below {} is not kept", path.display()) })
        }
        Change::Unmount { path, .. } => {
            Ok(Undo::Impossible { why: format!("how {} was mounted is not kept", path.display()) })
        }
        Change::PullImages(_) => Ok(Undo::Nothing),
        Change::RemoveSandbox { pod, .. } => {
            Ok(Undo::Impossible { why: format!("Pod {pod} can only be started anew, by the kubelet") })
        }
        Change::Run { purpose, .. } => {
            Ok(Undo::Impossible { why: format!("nothing is known to take back: {purpose}") })
        }
        Change::Object(_) | Change::Member(_) => {
            Ok(Undo::Impossible { why: "it is a change of the cluster, not of this host".to_owned() })
        }
    }
}

fn look(path: &Path, root: &Root) -> Result<Option<FileInfo>, HostError> {
    let entry = root.entry(path).map_err(|source| HostError::Read { path: path.to_owned(), source })?;
    files::stat(&entry, &|_| Ok(false))
}

fn not_a_file(path: &Path, root: &Root) -> String {
    match root.entry(path).and_then(std::fs::read_link) {
        Ok(target) => format!("by hand only: ln -sfn {} {}", target.display(), path.display()),
        Err(_) => format!("{} is neither a file nor a folder", path.display()),
    }
}

/// Keeps what a file holds now, with its extended attributes. The copy's path is given as the node knows it.
fn keep(path: &Path, found: &FileInfo, (kept, root): (&Path, &Root), changed: &Changed) -> Result<Undo, HostError> {
    let failed = |source| HostError::Read { path: path.to_owned(), source };
    let entry = root.entry(path).map_err(failed)?;
    let Some(bytes) = files::read(&entry)? else {
        return Ok(Undo::Remove { path: path.to_owned() });
    };
    let mut digested = bytes.clone();
    for (name, value) in files::attributes(&entry).map_err(failed)? {
        digested.extend([b"\0", name.as_encoded_bytes(), b"\0", &value].concat());
    }
    let copy = keep_under(&Content::new(digested).sha256(), kept, (&bytes, Some(&entry)), changed)?;
    let &FileInfo { mode, uid, gid, .. } = found;
    Ok(Undo::Restore { path: path.to_owned(), kept: root.inside(&copy).unwrap_or(copy), mode, uid, gid })
}

/// Copies content to `<kept>/<digest>`, to last.
pub(super) fn keep_content(kept: &Path, content: &Content) -> Result<PathBuf, HostError> {
    files::at_once(|changed| keep_under(&content.sha256(), kept, (content.bytes(), None), changed))
}

/// The same content, with the same attributes, is kept once.
fn keep_under(
    digest: &str,
    kept: &Path,
    (bytes, like): (&[u8], Option<&Path>),
    changed: &Changed,
) -> Result<PathBuf, HostError> {
    if let Some(state) = kept.parent() {
        files::make_folders(state, 0o700, changed)?;
    }
    files::make_folder(kept, 0o700, changed)?;
    let copy = kept.join(digest);
    if files::read(&copy)?.as_deref() != Some(bytes) {
        files::write(&copy, (bytes, 0o600), like, changed)?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use kubestrap_phases::world::{UnitAction, UnitState};

    use super::*;

    fn state(active: &str, enabled: bool) -> UnitState {
        UnitState { exists: true, enabled, active: active.to_owned(), ..UnitState::default() }
    }

    #[test]
    fn a_unit_is_put_back_only_when_the_action_changes_something() {
        let back = |action| Undo::Unit { name: "kubelet.service".to_owned(), action };
        for (action, active, expected) in [
            (UnitAction::Stop, "active", back(UnitAction::Start)),
            (UnitAction::Stop, "activating", back(UnitAction::Start)),
            (UnitAction::Stop, "inactive", Undo::Nothing),
            (UnitAction::Start, "inactive", back(UnitAction::Stop)),
            (UnitAction::Start, "active", Undo::Nothing),
            (UnitAction::Restart, "failed", back(UnitAction::Stop)),
            (UnitAction::Restart, "active", back(UnitAction::Restart)),
        ] {
            let undo = action.undo("kubelet.service", &state(active, true));
            assert_eq!(undo, expected, "{action:?} while {active}");
        }
    }

    #[test]
    fn enabling_an_enabled_unit_leaves_nothing_to_take_back() {
        assert_eq!(UnitAction::Enable.undo("kubelet", &state("active", true)), Undo::Nothing);
        let undo = UnitAction::Enable.undo("kubelet", &state("active", false));
        assert_eq!(undo, Undo::Impossible { why: "by hand only: systemctl disable kubelet".to_owned() });
    }
}
