//! The control plane without root (feature gate RootlessControlPlane): who runs each component, and what it may read.
//!
//! Ids are decided while resolving, since the manifests name them: those of users that are there, else the first free
//! ones for the system. `hand_over` adds what is missing and gives each component its files, before its manifest is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::config::{ClusterConfig, Etcd, NodeConfig, OnControlPlane};
use crate::problem::Problem;
use crate::world::{Account, Change, FileInfo, FileKind, Host, World};

const GATE: &str = "RootlessControlPlane";
/// Components and their users; each has a group of the same name.
const USERS: [(&str, &str); 4] = [
    ("etcd", "kubeadm-etcd"),
    ("kube-apiserver", "kubeadm-kas"),
    ("kube-controller-manager", "kubeadm-kcm"),
    ("kube-scheduler", "kubeadm-ks"),
];
/// Two components sign service account tokens.
const KEY_READERS: &str = "kubeadm-sa-key-readers";
const SIGNING_KEY: &str = "sa.key";
const SIGNING_KEY_MODE: u32 = 0o640;
const KEY_MODE: u32 = 0o600;

/// The user of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    /// Its name.
    pub name: &'static str,
    /// User id.
    pub uid: u32,
    /// Id of its group.
    pub gid: u32,
}

/// The users of all components.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    users: BTreeMap<&'static str, RunAs>,
    key_readers: u32,
}

impl Accounts {
    /// The user of a static Pod's component.
    pub(crate) fn of(&self, component: &str) -> &RunAs {
        self.users.get(component).expect("every component of a static Pod has a user")
    }

    /// The group through which a component reads the key that signs service account tokens, if it does.
    pub(crate) fn reads_signing_key(&self, component: &str) -> Option<u32> {
        matches!(component, "kube-apiserver" | "kube-controller-manager").then_some(self.key_readers)
    }
}

/// The users of this machine's control plane, those to be added included; `None` where the cluster does not ask for any.
///
/// # Errors
/// When the lists of users and groups cannot be read, or hold no free id.
pub fn accounts(cluster: &ClusterConfig, host: &dyn Host) -> Result<Option<Accounts>, Problem> {
    if cluster.feature_gates.get(GATE) != Some(&true) {
        return Ok(None);
    }
    let read = |path: &str| -> Result<String, Problem> {
        Ok(String::from_utf8_lossy(&host.read(Path::new(path))?.unwrap_or_default()).into_owned())
    };
    let (passwd, groups, limits) = (read("/etc/passwd")?, read("/etc/group")?, read("/etc/login.defs")?);
    let (known_users, known_groups) = (ids(&passwd, 2), ids(&groups, 2));
    let primary = ids(&passwd, 3);
    let mut free_users = Free::new("UID", &limits, known_users.values().copied());
    let mut free_groups = Free::new("GID", &limits, known_groups.values().chain(primary.values()).copied());
    let mut users = BTreeMap::new();
    for (component, name) in USERS {
        let (uid, gid) = match (known_users.get(name), primary.get(name)) {
            (Some(&uid), Some(&gid)) => (uid, gid),
            _ => (free_users.next()?, free_groups.id_of(name, &known_groups)?),
        };
        users.insert(component, RunAs { name, uid, gid });
    }
    Ok(Some(Accounts { users, key_readers: free_groups.id_of(KEY_READERS, &known_groups)? }))
}

/// Ids by name in a text of lines with colons.
fn ids(text: &str, field: usize) -> BTreeMap<&str, u32> {
    let entry = |line| {
        let fields: Vec<&str> = str::split(line, ':').collect();
        Some((*fields.first()?, fields.get(field)?.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}

/// Free ids of the system, from the lowest on.
struct Free {
    what: &'static str,
    range: std::ops::RangeInclusive<u32>,
    taken: BTreeSet<u32>,
}

impl Free {
    /// The range is that of `/etc/login.defs`; where it does not say, that of kubeadm.
    fn new(what: &'static str, limits: &str, taken: impl Iterator<Item = u32>) -> Self {
        let limit = |end: &str, default| {
            let name = format!("SYS_{what}_{end}");
            let mut lines = limits.lines().map(str::split_whitespace);
            let value =
                lines.find_map(|mut words| words.next().filter(|word| *word == name).and_then(|_| words.next()));
            value.and_then(|value| value.parse().ok()).unwrap_or(default)
        };
        Self { what, range: limit("MIN", 100)..=limit("MAX", 999), taken: taken.collect() }
    }

    fn next(&mut self) -> Result<u32, Problem> {
        let (first, last, what) = (*self.range.start(), *self.range.end(), self.what);
        let id = self.range.clone().find(|id| !self.taken.contains(id)).ok_or_else(|| {
            Problem::new("no-free-id", "there is no free id for a user of the control plane")
                .at("/etc/login.defs")
                .why(format!("every {what} from {first} to {last} is taken, and {GATE} needs users of its own"))
                .fix(format!("set a higher SYS_{what}_MAX in /etc/login.defs"))
                .fix(format!("or let the control plane run as root: --feature-gates {GATE}=false"))
        })?;
        self.taken.insert(id);
        Ok(id)
    }

    fn id_of(&mut self, name: &str, known: &BTreeMap<&str, u32>) -> Result<u32, Problem> {
        known.get(name).map_or_else(|| self.next(), |id| Ok(*id))
    }
}

/// The mode of a file that every control-plane node has, where it is not the usual one.
pub(crate) fn mode(node: &NodeConfig, path: &Path) -> Option<u32> {
    (node.accounts.is_some() && path == node.layout.certificate(SIGNING_KEY)).then_some(SIGNING_KEY_MODE)
}

/// Adds a component's user and groups where they are not there, and gives it the files that only it may read. Does nothing
/// where the control plane runs as root. A file that is not there is missed by the component whoever runs it.
///
/// # Errors
/// When users cannot be listed or added, or a file cannot be given away.
pub(crate) fn hand_over(job: &dyn OnControlPlane, component: &str, world: &World<'_>) -> Result<(), Problem> {
    let Some(accounts) = &job.node().accounts else { return Ok(()) };
    let user = accounts.of(component);
    let readers = accounts.reads_signing_key(component);
    let named = |name: &str, gid| Account::Group { name: name.to_owned(), gid };
    let account = Account::User { name: user.name.to_owned(), uid: user.uid, gid: user.gid };
    if !is_there(&account, world)? {
        add(named(user.name, user.gid), world)?;
        add(account, world)?;
    }
    if let Some(gid) = readers {
        add(named(KEY_READERS, gid), world)?;
        give(&job.node().layout.certificate(SIGNING_KEY), (0, gid), SIGNING_KEY_MODE, world)?;
    }
    let owner = (user.uid, user.gid);
    for path in files(job, component) {
        give(&path, owner, KEY_MODE, world)?;
    }
    match &job.cluster().etcd {
        Etcd::Local(etcd) if component == "etcd" => give_tree(&etcd.data_dir, owner, world),
        _ => Ok(()),
    }
}

/// What only the component may read.
fn files(job: &dyn OnControlPlane, component: &str) -> Vec<PathBuf> {
    let layout = &job.node().layout;
    let certificates = |names: &[&str]| names.iter().map(|name| layout.certificate(name)).collect();
    match component {
        "etcd" => certificates(&["etcd/server.key", "etcd/peer.key"]),
        "kube-apiserver" => {
            let mut files: Vec<PathBuf> =
                certificates(&["sa.pub", "apiserver.key", "apiserver-kubelet-client.key", "front-proxy-client.key"]);
            if matches!(job.cluster().etcd, Etcd::Local(_)) {
                files.push(layout.certificate("apiserver-etcd-client.key"));
            }
            files
        }
        "kube-controller-manager" => vec![layout.kubeconfig("controller-manager.conf"), layout.certificate("ca.key")],
        _ => vec![layout.kubeconfig("scheduler.conf")],
    }
}

pub(crate) fn is_there(account: &Account, world: &World<'_>) -> Result<bool, Problem> {
    let text = world.host().read(account.file())?.unwrap_or_default();
    Ok(account.is_in(&String::from_utf8_lossy(&text)))
}

fn add(account: Account, world: &World<'_>) -> Result<(), Problem> {
    if is_there(&account, world)? { Ok(()) } else { world.change(&Change::AddAccount(account)) }
}

fn give(path: &Path, owner: (u32, u32), mode: u32, world: &World<'_>) -> Result<(), Problem> {
    match world.host().stat(path)? {
        Some(found) => give_found(&found, owner, mode, world),
        None => Ok(()),
    }
}

/// Gives what was found, unless it is theirs already.
pub(crate) fn give_found(
    found: &FileInfo,
    (uid, gid): (u32, u32),
    mode: u32,
    world: &World<'_>,
) -> Result<(), Problem> {
    if (found.uid, found.gid, found.mode & 0o7777) == (uid, gid, mode) {
        return Ok(());
    }
    world.change(&Change::Owner { path: found.path.clone(), uid, gid, mode })
}

/// A folder with all below it; modes stay as they are, and what a link leads to is not its content.
fn give_tree(folder: &Path, owner: (u32, u32), world: &World<'_>) -> Result<(), Problem> {
    let mut rest: Vec<FileInfo> = world.host().stat(folder)?.into_iter().collect();
    while let Some(found) = rest.pop() {
        give_found(&found, owner, found.mode & 0o7777, world)?;
        if found.kind == FileKind::Folder {
            let below = world.host().list(&found.path)?;
            rest.extend(below.into_iter().filter(|entry| matches!(entry.kind, FileKind::File | FileKind::Folder)));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "rootless_tests.rs"]
mod tests;
