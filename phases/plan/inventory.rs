//! Inventory: what kubestrap made on this node, folded from the journal of all its runs.
//!
//! Reset removes only this; preflight does not hold it against us; status counts it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{Account, Undo, sha256_hex};

/// The command whose runs replace what others have made, and leave it theirs.
const RENEWAL: &str = "certs renew";

/// A file that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFile {
    /// SHA-256 of what we wrote, in lower-case hex.
    pub sha256: String,
    /// Bytes that we wrote; of a link none are known.
    pub size: Option<u64>,
    /// Copy of what was there before us, beside the journal, and its mode.
    pub before: Option<(PathBuf, u32)>,
}

/// What is ours on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    files: BTreeMap<PathBuf, OwnedFile>,
    folders: BTreeSet<PathBuf>,
    /// By peer URL; false for a member that was removed.
    etcd_members: BTreeMap<String, bool>,
    accounts: Vec<Account>,
    /// User, group and mode that a file or folder had before we gave it to somebody.
    owners: BTreeMap<PathBuf, (u32, u32, u32)>,
    runs: usize,
}

impl Inventory {
    /// Files that we wrote and that were not removed since.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &OwnedFile)> {
        self.files.iter().map(|(path, file)| (path.as_path(), file))
    }

    /// Folders that we made, deepest first.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().rev().map(PathBuf::as_path)
    }

    /// Whether a file or folder is ours.
    pub fn owns(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.folders.contains(path)
    }

    /// Whether no run of kubestrap has left anything.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    /// Peer URL of the etcd member that was announced from here and not removed since.
    pub fn etcd_member(&self) -> Option<&str> {
        self.etcd_members.iter().find(|(_, is_member)| **is_member).map(|(peer_url, _)| peer_url.as_str())
    }

    /// Whether the etcd member with this peer URL was removed from here.
    pub fn has_left_etcd(&self, peer_url: &str) -> bool {
        self.etcd_members.get(peer_url) == Some(&false)
    }

    /// Users and groups that we added and did not remove since; users first.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        let (users, groups): (Vec<_>, Vec<_>) = self.accounts.iter().partition(|account| account.is_user());
        users.into_iter().chain(groups)
    }

    /// Files and folders that we gave to somebody and did not remove since: user, group and mode that they had before.
    pub fn owners(&self) -> impl Iterator<Item = (&Path, (u32, u32, u32))> {
        self.owners.iter().map(|(path, before)| (path.as_path(), *before))
    }

    /// How many runs the journal knows.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Reads the journal's lines in order. What is written or made is ours from its intent on, since it may be there;
    /// what is removed stays ours until its done mark, since it may still be there. A renewed certificate is whose it was:
    /// that of another tool is not put back by a reset, and its presence does not make the other files foreign.
    pub(crate) fn fold(lines: &[Value]) -> Self {
        let mut inventory = Self::default();
        let mut going: BTreeMap<u64, PathBuf> = BTreeMap::new();
        let mut leaving: Option<(u64, String)> = None;
        let mut dropping: Option<(u64, Account)> = None;
        let mut is_renewal = false;
        for line in lines {
            if let Some(head) = line.get("run") {
                inventory.runs += 1;
                going.clear();
                (leaving, dropping) = (None, None);
                is_renewal = head["command"] == RENEWAL;
            }
            if let Some((_, peer_url)) = leaving.take_if(|(number, _)| line["done"] == *number) {
                inventory.etcd_members.insert(peer_url, false);
            }
            if let Some((_, dropped)) = dropping.take_if(|(number, _)| line["done"] == *number) {
                inventory.accounts.retain(|account| *account != dropped);
            }
            if let Some(path) = line["done"].as_u64().and_then(|number| going.remove(&number)) {
                inventory.files.retain(|file, _| !file.starts_with(&path));
                inventory.folders.retain(|folder| !folder.starts_with(&path));
                inventory.owners.retain(|given, _| !given.starts_with(&path));
            }
            let Some(change) = line.get("change") else { continue };
            (leaving, dropping) = (None, None);
            let account = || serde_json::from_value::<Account>(change["account"].clone()).ok();
            let text = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
            let path = PathBuf::from(text("path"));
            match text("kind") {
                "file" | "folder" if is_renewal && !inventory.owns(&path) => {}
                "file" => inventory.wrote(path, (text("sha256"), change["size"].as_u64()), line.get("undo")),
                // A link's own digest is that of what it points to.
                "link" => inventory.wrote(path, (&sha256_hex(text("target").as_bytes()), None), None),
                "folder" => {
                    inventory.folders.insert(path);
                }
                "member" if text("action") == "add" => {
                    inventory.etcd_members.insert(text("peer_url").to_owned(), true);
                }
                "member" if text("action") == "remove" => {
                    leaving = line["n"].as_u64().map(|number| (number, text("peer_url").to_owned()));
                }
                "owner" => {
                    let undo = serde_json::from_value(line["undo"].clone());
                    if let Ok(Undo::Owner { path, uid, gid, mode }) = undo {
                        inventory.owners.entry(path).or_insert((uid, gid, mode));
                    }
                }
                "add-account" => {
                    let known = std::mem::take(&mut inventory.accounts).into_iter();
                    let added = account();
                    inventory.accounts = known.filter(|known| Some(known) != added.as_ref()).collect();
                    inventory.accounts.extend(added);
                }
                "remove-account" => dropping = line["n"].as_u64().zip(account()),
                "remove" | "remove-tree" => going.extend(line["n"].as_u64().map(|number| (number, path))),
                _ => {}
            }
        }
        inventory
    }

    /// The first write knows what was there before us; later ones replace our own file.
    fn wrote(&mut self, path: PathBuf, (sha256, size): (&str, Option<u64>), undo: Option<&Value>) {
        let before = match self.files.get(&path) {
            Some(ours) => ours.before.clone(),
            None => undo.and_then(|undo| {
                let kept = PathBuf::from(undo.get("kept")?.as_str()?);
                Some((kept, u32::try_from(undo.get("mode")?.as_u64()?).ok()?))
            }),
        };
        self.files.insert(path, OwnedFile { sha256: sha256.to_owned(), size, before });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_ours_until_its_removal_is_done() {
        let write = json!({"n": 1, "change": {"kind": "file", "path": "/etc/a", "sha256": "aa"}, "undo": {}});
        let remove = json!({"n": 2, "change": {"kind": "remove", "path": "/etc/a"}, "undo": {}});
        assert!(Inventory::fold(std::slice::from_ref(&write)).owns(Path::new("/etc/a")));
        let (again, done) = (json!({"run": {}}), json!({"done": 2}));
        assert!(Inventory::fold(&[write.clone(), remove.clone()]).owns(Path::new("/etc/a")), "it may still be there");
        assert!(Inventory::fold(&[write.clone(), remove.clone(), again, done.clone()]).owns(Path::new("/etc/a")));
        assert!(Inventory::fold(&[write, remove, done]).is_empty());
    }

    #[test]
    fn removals_that_were_meant_together_are_done_one_by_one() {
        let write = |path: &str| json!({"change": {"kind": "file", "path": path, "sha256": "aa"}, "undo": {}});
        let remove = |n: u64, path: &str| json!({"n": n, "change": {"kind": "remove", "path": path}, "undo": {}});
        let lines =
            [write("/a"), write("/b"), json!({"run": {}}), remove(1, "/a"), remove(2, "/b"), json!({"done": 1})];
        let inventory = Inventory::fold(&lines);
        assert_eq!((inventory.owns(Path::new("/a")), inventory.owns(Path::new("/b"))), (false, true));
    }

    #[test]
    fn an_etcd_member_is_ours_until_its_removal_is_done() {
        let url = "https://10.77.0.12:2380";
        let change =
            |n: u64, action: &str| json!({"n": n, "change": {"kind": "member", "action": action, "peer_url": url}});
        let lines = [change(1, "add"), change(2, "promote"), change(3, "remove"), json!({"done": 3}), change(1, "add")];
        for (count, member, has_left) in
            [(1, Some(url), false), (3, Some(url), false), (4, None, true), (5, Some(url), false)]
        {
            let inventory = Inventory::fold(&lines[..count]);
            assert_eq!((inventory.etcd_member(), inventory.has_left_etcd(url)), (member, has_left), "{count} lines");
        }
    }

    #[test]
    fn a_renewed_certificate_is_whose_it_was() {
        let run = |command: &str| json!({"run": {"command": command}});
        let write = |path: &str, digest: &str| json!({"change": {"kind": "file", "path": path, "sha256": digest}, "undo": {"kept": "/kept/x", "mode": 420}});
        let folder = json!({"change": {"kind": "folder", "path": "/root/requests"}, "undo": {}});
        let renewed = [run("certs renew"), write("/etc/a", "2"), folder];
        assert!(Inventory::fold(&renewed).is_empty());
        let made = json!({"change": {"kind": "file", "path": "/etc/a", "sha256": "1"}, "undo": {}});
        let inventory = Inventory::fold(&[&[run("init"), made][..], &renewed].concat());
        let (_, file) = inventory.files().next().expect("one file");
        assert_eq!((file.sha256.as_str(), &file.before), ("2", &None));
        assert_eq!(crate::workflows::RENEW.name, RENEWAL);
    }

    #[test]
    fn what_was_there_before_us_is_remembered_across_our_own_rewrites() {
        let first =
            json!({"change": {"kind": "file", "path": "/a", "sha256": "1"}, "undo": {"kept": "/kept/x", "mode": 420}});
        let again =
            json!({"change": {"kind": "file", "path": "/a", "sha256": "2"}, "undo": {"kept": "/kept/1", "mode": 420}});
        let inventory = Inventory::fold(&[first, again]);
        let (_, file) = inventory.files().next().expect("one file");
        assert_eq!(file.before, Some((PathBuf::from("/kept/x"), 0o644)));
        assert_eq!(file.sha256, "2");
    }
}
