//! Every kind of change there is, and what takes each back.
//!
//! A change is a value: it can be printed, written to the journal, made, and undone. Its journal form leaves content out
//! and carries the digest instead.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Account, Command, Content, Identity, ImagePull, MemberAction, MemberChange, ObjectRef, UnitState};

/// One change of the machine or the cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Write a whole file, atomically, with its mode from the first byte.
    File {
        /// Where.
        path: PathBuf,
        /// What.
        content: Content,
        /// Permission bits.
        mode: u32,
        /// The copy beside the journal whose extended attributes it gets; else it has those of the file it replaces.
        like: Option<PathBuf>,
    },
    /// Make one folder; its parent is there.
    Folder {
        /// Where.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Make a symbolic link, atomically, in place of whatever link is there.
    Link {
        /// Where.
        path: PathBuf,
        /// What it points to.
        target: PathBuf,
    },
    /// Give a file or folder to a user and a group; a link is refused.
    Owner {
        /// Which.
        path: PathBuf,
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// Permission bits.
        mode: u32,
    },
    /// Add a user or group that is not there.
    AddAccount(Account),
    /// Remove a user or group that is there.
    RemoveAccount(Account),
    /// Remove one file, link or empty folder.
    Remove {
        /// Which.
        path: PathBuf,
        /// Whether a copy of a file is kept for the way back.
        keep: bool,
    },
    /// Remove a folder with everything below it that lies on the same file system; mount points stop it.
    RemoveTree {
        /// Which.
        path: PathBuf,
    },
    /// Act on a unit of the init system.
    Unit {
        /// Its name, such as `kubelet.service`.
        name: String,
        /// What to do.
        action: UnitAction,
    },
    /// Unmount what is mounted here.
    Unmount {
        /// The mount point.
        path: PathBuf,
        /// How, beyond an ordinary unmount that follows no link.
        flags: Vec<UnmountFlag>,
    },
    /// Have the runtime pull images; several at once.
    PullImages(ImagePull),
    /// Stop and remove one Pod sandbox with its containers.
    RemoveSandbox {
        /// CRI socket.
        socket: String,
        /// Runtime's id.
        id: String,
        /// Namespace and name of the Pod, for people.
        pod: String,
    },
    /// Run a command that has no kind of its own; the text says what it is for.
    Run {
        /// The command.
        command: Command,
        /// What it is for.
        purpose: String,
    },
    /// Change an object of the cluster.
    Object(ObjectChange),
    /// Change who is a member of etcd.
    Member(MemberChange),
}

/// How to unmount, as umount2(2) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmountFlag {
    /// Even when it is in use; works for NFS.
    Force,
    /// At once out of sight, and in fact when it is used no more.
    Detach,
    /// Only when nobody has used it since the last try.
    Expire,
    /// Without following a link; done anyway.
    NoFollow,
}

impl UnmountFlag {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("MNT_FORCE", Self::Force),
        ("MNT_DETACH", Self::Detach),
        ("MNT_EXPIRE", Self::Expire),
        ("UMOUNT_NOFOLLOW", Self::NoFollow),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, flag)| *flag == self).expect("every flag has a name").0
    }
}

/// What to do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitAction {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Read unit files again and restart it.
    Restart,
    /// Start it at boot.
    Enable,
}

impl UnitAction {
    /// The word the init system knows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Enable => "enable",
        }
    }
}

impl UnitAction {
    /// What takes the action back, on a unit in this state. A unit that runs is restarted with what it had before.
    pub fn undo(self, name: &str, state: &UnitState) -> Undo {
        let runs = matches!(&*state.active, "active" | "activating" | "reloading");
        let back = |action| Undo::Unit { name: name.to_owned(), action };
        match self {
            Self::Start | Self::Restart if !runs => back(Self::Stop),
            Self::Restart => back(Self::Restart),
            Self::Stop if runs => back(Self::Start),
            Self::Enable if !state.enabled => {
                Undo::Impossible { why: format!("by hand only: systemctl disable {name}") }
            }
            _ => Undo::Nothing,
        }
    }
}

/// A change of an object in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectChange {
    /// Who does it.
    pub identity: Identity,
    /// Which object.
    pub object: ObjectRef,
    /// How.
    pub verb: Verb,
    /// The object, the patch, or nothing; never printed, since it may hold a token.
    pub body: Content,
}

/// How an object is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Create it; where it exists, replace it.
    Put,
    /// Create it; where it exists, leave it.
    Create,
    /// Strategic merge patch.
    Patch,
    /// Delete it; gone already is fine.
    Delete,
    /// Evict a Pod, respecting PodDisruptionBudgets.
    Evict,
}

/// What takes a change back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// Remove what was made.
    Remove {
        /// Where.
        path: PathBuf,
    },
    /// Put back what was there, from the copy kept beside the journal.
    Restore {
        /// Where it was.
        path: PathBuf,
        /// The copy.
        kept: PathBuf,
        /// Its mode.
        mode: u32,
        /// User id of its owner.
        #[serde(default)]
        uid: u32,
        /// Group id of its owner.
        #[serde(default)]
        gid: u32,
    },
    /// Make the folder that was removed.
    MakeFolder {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Give it back to whom it belonged.
    Owner {
        /// Which.
        path: PathBuf,
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
        /// Permission bits.
        mode: u32,
    },
    /// Remove the user or group that was added.
    RemoveAccount {
        /// Which.
        account: Account,
    },
    /// Add the user or group that was removed.
    AddAccount {
        /// Which.
        account: Account,
    },
    /// Act on the unit the other way round.
    Unit {
        /// Which.
        name: String,
        /// What to do.
        action: UnitAction,
    },
    /// Delete the object that was made.
    DeleteObject {
        /// Which.
        object: ObjectRef,
    },
    /// Put the object back as it was, from the copy kept beside the journal.
    RestoreObject {
        /// Which.
        object: ObjectRef,
        /// The copy.
        kept: PathBuf,
    },
    /// Remove the etcd member that was added.
    RemoveMember {
        /// `https://address:2380`.
        peer_url: String,
    },
    /// There is no way back, and this is why.
    Impossible {
        /// Why.
        why: String,
    },
}

fn names(flags: &[UnmountFlag]) -> Vec<&'static str> {
    flags.iter().map(|flag| flag.name()).collect()
}

impl Change {
    /// What the change does, for a person: a verb and the thing.
    pub fn summary(&self) -> String {
        match self {
            Self::File { path, mode, .. } => format!("write {} ({mode:04o})", path.display()),
            Self::Folder { path, mode } => format!("make folder {} ({mode:04o})", path.display()),
            Self::Link { path, target } => format!("link {} to {}", path.display(), target.display()),
            Self::Owner { path, uid, gid, mode } => format!("give {} to {uid}:{gid} ({mode:04o})", path.display()),
            Self::AddAccount(account) => format!("add {account}"),
            Self::RemoveAccount(account) => format!("remove {account}"),
            Self::Remove { path, .. } => format!("remove {}", path.display()),
            Self::RemoveTree { path } => format!("remove {} and all below it", path.display()),
            Self::Unit { name, action } => format!("{} {name}", action.word()),
            Self::Unmount { path, flags } if flags.is_empty() => format!("unmount {}", path.display()),
            Self::Unmount { path, flags } => format!("unmount {} ({})", path.display(), names(flags).join(", ")),
            Self::PullImages(pull) => format!("pull {}", pull.images.join(", ")),
            Self::RemoveSandbox { pod, .. } => format!("stop and remove Pod {pod}"),
            Self::Run { purpose, .. } => purpose.clone(),
            Self::Object(change) => {
                let verb = match change.verb {
                    Verb::Put | Verb::Create => "apply",
                    Verb::Patch => "patch",
                    Verb::Delete => "delete",
                    Verb::Evict => "evict",
                };
                format!("{verb} {}", change.object)
            }
            Self::Member(change) => change.to_string(),
        }
    }

    /// The journal's form: everything but content.
    pub fn journal_form(&self) -> Value {
        match self {
            Self::File { path, content, mode, .. } => {
                json!({
                    "kind": "file", "path": path, "mode": format!("{mode:04o}"),
                    "sha256": content.sha256(), "size": content.bytes().len(),
                })
            }
            Self::Folder { path, mode } => json!({"kind": "folder", "path": path, "mode": format!("{mode:04o}")}),
            Self::Link { path, target } => json!({"kind": "link", "path": path, "target": target}),
            Self::Owner { path, uid, gid, mode } => {
                json!({"kind": "owner", "path": path, "uid": uid, "gid": gid, "mode": format!("{mode:04o}")})
            }
            Self::AddAccount(account) => json!({"kind": "add-account", "account": account}),
            Self::RemoveAccount(account) => json!({"kind": "remove-account", "account": account}),
            Self::Remove { path, .. } => json!({"kind": "remove", "path": path}),
            Self::RemoveTree { path } => json!({"kind": "remove-tree", "path": path}),
            Self::Unit { name, action } => json!({"kind": "unit", "name": name, "action": action}),
            Self::Unmount { path, flags } if flags.is_empty() => json!({"kind": "unmount", "path": path}),
            Self::Unmount { path, flags } => json!({"kind": "unmount", "path": path, "flags": names(flags)}),
            Self::PullImages(pull) => json!({"kind": "pull-images", "images": pull.images}),
            Self::RemoveSandbox { id, pod, .. } => json!({"kind": "remove-sandbox", "id": id, "pod": pod}),
            Self::Run { command, purpose } => json!({"kind": "run", "command": command.words, "purpose": purpose}),
            Self::Object(change) => {
                let who = match &change.identity {
                    Identity::Kubeconfig(path) => Some(path),
                    _ => None,
                };
                json!({
                    "kind": "object", "verb": change.verb, "object": change.object,
                    "sha256": change.body.sha256(), "as": who,
                })
            }
            Self::Member(change) => {
                let id = match change.action {
                    MemberAction::Add { .. } => None,
                    MemberAction::Promote(id) | MemberAction::Remove(id) => Some(id.to_string()),
                };
                json!({
                    "kind": "member", "action": change.action.word(), "node": change.node,
                    "peer_url": change.peer_url, "id": id,
                })
            }
        }
    }
}
