//! Phase `changes`: takes back what the run has changed on this machine, newest first; units go last, when their files are
//! as before.
//!
//! Every step looks first, so that an undo that was broken off is begun again from the top.

use std::collections::BTreeMap;
use std::path::Path;

use super::UndoRun;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::rootless::is_there;
use crate::world::{Change, Event, FileKind, Undo, UnitAction, World};

/// The phase.
pub struct TakeBack;

impl Phase<UndoRun> for TakeBack {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn about(&self) -> &'static str {
        "takes back what the run has changed on this machine"
    }

    fn run(&self, job: &UndoRun, world: &World<'_>) -> Result<(), Problem> {
        let mut left = Vec::new();
        for done in job.changes.iter().rev() {
            take_back(&done.undo, &mut left, world)?;
        }
        if !left.is_empty() {
            let what = format!("not made by the run, and left in place: what is in {}", left.join(" · "));
            world.tell(Event::Warning(&Problem::new("left-in-place", what)));
        }
        put_units_back(job, world)?;
        world.note(&format!("{} taken back", counted(job.changes.len(), "change")));
        Ok(())
    }
}

fn take_back(undo: &Undo, left: &mut Vec<String>, world: &World<'_>) -> Result<(), Problem> {
    match undo {
        Undo::Remove { path } => remove(path, left, world),
        Undo::Restore { path, kept, mode, uid, gid } => {
            if !world.put_back(path, kept, *mode)? {
                return Err(copy_missing(path, kept));
            }
            own(path, (*uid, *gid), *mode, world)
        }
        Undo::MakeFolder { path, mode } => world.put_folder(path, *mode).map(|_| ()),
        Undo::Owner { path, uid, gid, mode } => own(path, (*uid, *gid), *mode, world),
        Undo::RemoveAccount { account } => match is_there(account, world)? {
            true => world.change(&Change::RemoveAccount(account.clone())),
            false => Ok(()),
        },
        Undo::AddAccount { account } => match is_there(account, world)? {
            true => Ok(()),
            false => world.change(&Change::AddAccount(account.clone())),
        },
        // Units come last; objects and members of etcd belong to the cluster, where their own phases took them back.
        Undo::Unit { .. }
        | Undo::DeleteObject { .. }
        | Undo::RestoreObject { .. }
        | Undo::RemoveMember { .. }
        | Undo::Nothing
        | Undo::Impossible { .. } => Ok(()),
    }
}

fn remove(path: &Path, left: &mut Vec<String>, world: &World<'_>) -> Result<(), Problem> {
    let Some(found) = world.host().stat(path)? else { return Ok(()) };
    let holds_others = found.kind == FileKind::Folder && (found.is_mount_point || !world.host().list(path)?.is_empty());
    if holds_others {
        left.push(path.display().to_string());
        return Ok(());
    }
    world.change(&Change::Remove { path: path.to_owned(), keep: true })
}

fn own(path: &Path, (uid, gid): (u32, u32), mode: u32, world: &World<'_>) -> Result<(), Problem> {
    let mode = mode & 0o7777;
    match world.host().stat(path)? {
        Some(found) if (found.uid, found.gid, found.mode & 0o7777) != (uid, gid, mode) => {
            world.change(&Change::Owner { path: path.to_owned(), uid, gid, mode })
        }
        _ => Ok(()),
    }
}

/// The first change of a unit knows what it was before the run.
fn put_units_back(job: &UndoRun, world: &World<'_>) -> Result<(), Problem> {
    let mut before: BTreeMap<&str, Option<UnitAction>> = BTreeMap::new();
    for done in job.changes.iter().filter(|done| done.text("kind") == "unit") {
        let action = match &done.undo {
            Undo::Unit { action, .. } => Some(*action),
            _ => None,
        };
        before.entry(done.text("name")).or_insert(action);
    }
    for (name, action) in before {
        let Some(action) = action else { continue };
        let is_active = world.host().unit(name)?.active != "inactive";
        if is_active || action != UnitAction::Stop {
            world.change(&Change::Unit { name: name.to_owned(), action })?;
        }
    }
    Ok(())
}

fn copy_missing(path: &Path, kept: &Path) -> Problem {
    Problem::new("undo-copy-missing", format!("what {} was before the run is not known", path.display()))
        .at(kept.display().to_string())
        .why("the copy beside the journal is gone")
        .fix("take the node away with all that is ours: kubestrap reset")
}
