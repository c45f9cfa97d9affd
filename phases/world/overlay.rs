//! Overlay: a host, a cluster and its etcd (`overlay_etcd.rs`) in memory, over real ones or over nothing.
//!
//! The world of dry runs and of tests: changes land here, later looks see them, and the list of changes is what a dry run
//! shows in the end. Commands, units and the runtime are answered by the base, or by what the owner has put in. Long, because it
//! answers every question of two ports.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::overlay_etcd::MemoryEtcd;
use super::{
    Answer, Change, Cluster, ClusterError, Command, Content, Etcd, Facts, FileInfo, FileKind, Host, HostError,
    Identity, ObjectChange, ObjectRef, Output, PortOwner, Probed, Probes, RuntimeStatus, Undo, UnitAction, UnitState,
    Verb,
};

/// A host, a cluster and its etcd in memory.
#[derive(Default)]
pub struct Overlay<'a> {
    base: Option<&'a dyn Host>,
    base_cluster: Option<&'a dyn Cluster>,
    /// Facts when there is no base.
    pub facts: Facts,
    /// Who listens when there is no base.
    pub listeners: Vec<PortOwner>,
    /// The runtime when there is no base.
    pub runtime: RuntimeStatus,
    /// What probes find when there is no base.
    pub probed: Probed,
    files: RefCell<BTreeMap<PathBuf, Layer>>,
    owners: RefCell<BTreeMap<PathBuf, Owner>>,
    units: RefCell<BTreeMap<String, UnitState>>,
    objects: RefCell<BTreeMap<ObjectRef, Option<Value>>>,
    pub(super) etcd: MemoryEtcd<'a>,
    changes: RefCell<Vec<Change>>,
}

/// Whose a file or folder is that does not belong to root, or was given to somebody.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Layer {
    File { content: Content, mode: u32 },
    Folder { mode: u32 },
    Link { target: PathBuf },
    Gone,
}

impl<'a> Overlay<'a> {
    /// Over real ports, which are only looked at.
    pub fn over(host: &'a dyn Host, cluster: &'a dyn Cluster) -> Self {
        Self { base: Some(host), base_cluster: Some(cluster), ..Self::default() }
    }

    /// Over a real etcd, which is only looked at.
    #[must_use]
    pub fn with_etcd(mut self, etcd: &'a dyn Etcd) -> Self {
        self.etcd.base = Some(etcd);
        self
    }

    /// All changes so far, in order.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.borrow().clone()
    }

    /// Puts a file there without counting it as a change.
    pub fn with_file(self, path: &str, content: &str, mode: u32) -> Self {
        let layer = Layer::File { content: Content::new(content), mode };
        self.files.borrow_mut().insert(PathBuf::from(path), layer);
        self
    }

    /// Puts an object there without counting it as a change.
    pub fn with_object(self, object: Value) -> Self {
        self.objects.borrow_mut().insert(ObjectRef::of(&object), Some(object));
        self
    }

    /// Puts a unit there.
    pub fn with_unit(self, name: &str, state: UnitState) -> Self {
        self.units.borrow_mut().insert(name.to_owned(), state);
        self
    }

    /// The files that were written here, with content and mode.
    pub fn written(&self) -> BTreeMap<PathBuf, (Content, u32)> {
        let (files, owners) = (self.files.borrow(), self.owners.borrow());
        let written = files.iter().filter_map(|(path, layer)| match layer {
            Layer::File { content, mode } => {
                let mode = owners.get(path).map_or(*mode, |owner| owner.mode);
                Some((path.clone(), (content.clone(), mode)))
            }
            _ => None,
        });
        written.collect()
    }

    /// The objects that are here.
    pub fn objects(&self) -> Vec<Value> {
        self.objects.borrow().values().flatten().cloned().collect()
    }

    pub(super) fn record(&self, change: Change) {
        self.changes.borrow_mut().push(change);
    }

    /// Whether a file was written here, which nobody outside has seen.
    pub(super) fn has_own(&self, path: &Path) -> bool {
        self.files.borrow().contains_key(path)
    }

    /// The real cluster, for those whose credentials are real: a kubeconfig that was written here reaches nobody.
    fn reached_by(&self, identity: &Identity) -> Option<&dyn Cluster> {
        match identity {
            Identity::Kubeconfig(path) if self.has_own(path) => None,
            _ => self.base_cluster,
        }
    }

    fn with_owner(&self, found: FileInfo) -> FileInfo {
        match self.owners.borrow().get(&found.path) {
            Some(&Owner { uid, gid, mode }) => FileInfo { uid, gid, mode, ..found },
            None => found,
        }
    }

    /// Changes the list of users or groups, so that later looks find what they would on the machine.
    fn rewrite(&self, path: &Path, change: impl FnOnce(&str) -> String) -> Result<(), HostError> {
        let text = self.read(path)?.unwrap_or_default();
        let content = Content::new(change(&String::from_utf8_lossy(&text)));
        self.files.borrow_mut().insert(path.to_owned(), Layer::File { content, mode: 0o644 });
        Ok(())
    }

    /// A folder exists where something lies in it.
    fn layer(&self, path: &Path) -> Option<Layer> {
        let files = self.files.borrow();
        if let Some(layer) = files.get(path) {
            return Some(layer.clone());
        }
        let is_parent = |(below, layer): (&PathBuf, &Layer)| below.starts_with(path) && *layer != Layer::Gone;
        files.iter().any(is_parent).then_some(Layer::Folder { mode: 0o755 })
    }
}

fn info(path: &Path, layer: &Layer) -> Option<FileInfo> {
    let (kind, mode, size) = match layer {
        Layer::File { content, mode } => (FileKind::File, *mode, content.bytes().len() as u64),
        Layer::Folder { mode } => (FileKind::Folder, *mode, 0),
        Layer::Link { .. } => (FileKind::Link, 0o777, 0),
        Layer::Gone => return None,
    };
    Some(FileInfo { path: path.to_owned(), kind, mode, uid: 0, gid: 0, size, is_mount_point: false })
}

impl Host for Overlay<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        let layer = self.files.borrow().get(path).cloned();
        match (layer, self.base) {
            (Some(Layer::File { content, .. }), _) => Ok(Some(content.bytes().to_vec())),
            (Some(Layer::Link { target }), _) => self.read(&target),
            (Some(_), _) | (None, None) => Ok(None),
            (None, Some(base)) => base.read(path),
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        let found = match (self.layer(path), self.base) {
            (Some(layer), _) => info(path, &layer),
            (None, Some(base)) => base.stat(path)?,
            (None, None) => None,
        };
        Ok(found.map(|found| self.with_owner(found)))
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        let mut found: BTreeMap<PathBuf, FileInfo> = match self.base {
            Some(base) => base.list(folder)?.into_iter().map(|entry| (entry.path.clone(), entry)).collect(),
            None => BTreeMap::new(),
        };
        let below: Vec<PathBuf> = self.files.borrow().keys().cloned().collect();
        for path in below {
            let Ok(rest) = path.strip_prefix(folder) else { continue };
            let Some(first) = rest.components().next() else { continue };
            let entry = folder.join(first);
            match self.layer(&entry).and_then(|layer| info(&entry, &layer)) {
                Some(entry) => found.insert(entry.path.clone(), entry),
                None => found.remove(&entry),
            };
        }
        Ok(found.into_values().map(|found| self.with_owner(found)).collect())
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, HostError> {
        self.base.map_or_else(|| Ok(path.to_owned()), |base| base.resolve(path))
    }

    fn rootfs(&self) -> Option<&Path> {
        self.base.and_then(Host::rootfs)
    }

    fn facts(&self) -> Result<Facts, HostError> {
        self.base.map_or_else(|| Ok(self.facts.clone()), Host::facts)
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        self.base.map_or_else(|| Ok(self.listeners.clone()), Host::listeners)
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        match (self.units.borrow().get(name), self.base) {
            (Some(state), _) => Ok(state.clone()),
            (None, Some(base)) => base.unit(name),
            (None, None) => Ok(UnitState::default()),
        }
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        self.base.map_or_else(|| Ok(Output { code: 127, ..Output::default() }), |base| base.ask(command))
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        self.base.map_or_else(|| Ok(self.runtime.clone()), |base| base.runtime(socket))
    }

    /// A dry run does not write to the disk, not even to measure it.
    fn probe(&self, probes: &Probes) -> Probed {
        self.base.map_or_else(|| self.probed.clone(), |base| base.probe(&Probes { disk: None, ..probes.clone() }))
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        Ok(match change {
            Change::File { path, .. } | Change::Folder { path, .. } | Change::Link { path, .. }
                if self.stat(path)?.is_none() =>
            {
                Undo::Remove { path: path.clone() }
            }
            Change::Owner { path, .. } => match self.stat(path)? {
                Some(FileInfo { uid, gid, mode, .. }) => Undo::Owner { path: path.clone(), uid, gid, mode },
                None => Undo::Nothing,
            },
            Change::AddAccount(account) => Undo::RemoveAccount { account: account.clone() },
            Change::RemoveAccount(account) => Undo::AddAccount { account: account.clone() },
            Change::File { path, .. } | Change::Remove { path, .. } => match self.stat(path)? {
                Some(FileInfo { kind: FileKind::File, mode, uid, gid, .. }) => {
                    Undo::Restore { path: path.clone(), kept: path.clone(), mode, uid, gid }
                }
                Some(FileInfo { kind: FileKind::Folder, mode, .. }) => Undo::MakeFolder { path: path.clone(), mode },
                _ => Undo::Nothing,
            },
            Change::Unit { name, action } => action.undo(name, &self.unit(name)?),
            _ => Undo::Nothing,
        })
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        match change {
            // A file that is replaced keeps its owner.
            Change::File { path, mode, .. } => {
                let before = self.stat(path)?.filter(|found| found.kind == FileKind::File);
                let mut owners = self.owners.borrow_mut();
                match before.filter(|found| (found.uid, found.gid) != (0, 0)) {
                    Some(found) => {
                        owners.insert(path.clone(), Owner { uid: found.uid, gid: found.gid, mode: *mode });
                    }
                    None => {
                        owners.remove(path);
                    }
                }
            }
            &Change::Owner { ref path, uid, gid, mode } => {
                self.owners.borrow_mut().insert(path.clone(), Owner { uid, gid, mode });
            }
            Change::Folder { path, .. } | Change::Link { path, .. } | Change::Remove { path, .. } => {
                self.owners.borrow_mut().remove(path);
            }
            Change::RemoveTree { path } => self.owners.borrow_mut().retain(|below, _| !below.starts_with(path)),
            Change::AddAccount(account) => self.rewrite(account.file(), |text| account.added_to(text))?,
            Change::RemoveAccount(account) => self.rewrite(account.file(), |text| account.removed_from(text))?,
            _ => {}
        }
        let mut files = self.files.borrow_mut();
        match change {
            Change::File { path, content, mode, .. } => {
                files.insert(path.clone(), Layer::File { content: content.clone(), mode: *mode });
            }
            Change::Folder { path, mode } => {
                files.insert(path.clone(), Layer::Folder { mode: *mode });
            }
            Change::Link { path, target } => {
                files.insert(path.clone(), Layer::Link { target: target.clone() });
            }
            Change::Remove { path, .. } => {
                files.insert(path.clone(), Layer::Gone);
            }
            Change::RemoveTree { path } => {
                for (below, layer) in files.iter_mut() {
                    if below.starts_with(path) {
                        *layer = Layer::Gone;
                    }
                }
                files.insert(path.clone(), Layer::Gone);
            }
            Change::Unit { name, action } => {
                let mut units = self.units.borrow_mut();
                let state = units.entry(name.clone()).or_default();
                state.exists = true;
                match action {
                    UnitAction::Stop => "inactive".clone_into(&mut state.active),
                    UnitAction::Enable => state.enabled = true,
                    UnitAction::Start | UnitAction::Restart => "active".clone_into(&mut state.active),
                }
            }
            Change::Owner { .. }
            | Change::AddAccount(_)
            | Change::RemoveAccount(_)
            | Change::Unmount { .. }
            | Change::PullImages(_)
            | Change::RemoveSandbox { .. }
            | Change::Run { .. }
            | Change::Object(_)
            | Change::Member(_) => {}
        }
        self.record(change.clone());
        Ok(())
    }
}

impl Cluster for Overlay<'_> {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        match (self.objects.borrow().get(object), self.reached_by(identity)) {
            (Some(found), _) => Ok(found.clone()),
            (None, Some(base)) => base.get(identity, object),
            (None, None) => Ok(None),
        }
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        let mut found = match self.reached_by(identity) {
            Some(base) => base.list(identity, of, query)?,
            None => Vec::new(),
        };
        for (reference, object) in self.objects.borrow().iter() {
            let same_kind = reference.kind == of.kind && reference.api_version == of.api_version;
            if same_kind && (of.namespace.is_empty() || of.namespace == reference.namespace) {
                found.retain(|known| ObjectRef::of(known) != *reference);
                found.extend(object.clone());
            }
        }
        Ok(found)
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        match self.reached_by(identity) {
            Some(base) => base.raw(identity, path),
            None => Ok(Answer { status: 200, body: "ok".to_owned(), server_time: None }),
        }
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        Ok(match self.get(&change.identity, &change.object)? {
            None => Undo::DeleteObject { object: change.object.clone() },
            Some(found) => Undo::RestoreObject {
                object: change.object.clone(),
                kept: super::sha256_hex(found.to_string().as_bytes()).into(),
            },
        })
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        let body: Value = serde_json::from_slice(change.body.bytes()).unwrap_or(Value::Null);
        let found = self.get(&change.identity, &change.object)?.unwrap_or_default();
        let mut objects = self.objects.borrow_mut();
        match change.verb {
            Verb::Put => {
                objects.insert(change.object.clone(), Some(body));
            }
            Verb::Create => {
                objects.entry(change.object.clone()).or_insert(Some(body));
            }
            Verb::Patch => {
                let version = &body["metadata"]["resourceVersion"];
                if !version.is_null() && *version != found["metadata"]["resourceVersion"] {
                    return Err(conflict(change));
                }
                let mut merged = found;
                merge(&mut merged, &body);
                objects.insert(change.object.clone(), Some(merged));
            }
            Verb::Delete | Verb::Evict => {
                objects.insert(change.object.clone(), None);
            }
        }
        self.record(Change::Object(change.clone()));
        Ok(())
    }
}

/// What an API server says to a change of an older version.
fn conflict(change: &ObjectChange) -> ClusterError {
    ClusterError::Refused {
        server: String::new(),
        action: format!("patch {}", change.object),
        status: 409,
        source: std::io::Error::other("the object has been modified"),
    }
}

/// JSON merge: enough for labels and annotations, which is what is patched.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(target) = target {
        for (key, value) in patch {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
