//! A machine in memory that behaves like one: an overlay that refuses what a kernel refuses, keeps copies of what is
//! replaced, and whose kubelet, once started, does what a kubelet does to files, mounts, ports and the cluster.
//!
//! Changes can be made to fail from the n-th on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, CertificateSigningRequestParams, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::config::Layout;
use crate::etcd::local::flag_of;
use crate::etcd::members::access;
use crate::support::FixedEntropy;
use crate::world::{
    Answer, Change, Cluster, ClusterError, Command, Content, Etcd, EtcdAccess, EtcdError, EtcdMember, EtcdStatus,
    Facts, FileInfo, FileKind, Host, HostError, Identity, MemberAction, MemberChange, Mount, ObjectChange, ObjectRef,
    Output, Overlay, PortOwner, Probed, Probes, RuntimeStatus, Sandbox, Undo, UnitAction, UnitState, Verb,
};
use crate::yaml;

const ETC: &str = "/etc/kubernetes";
const KUBELET: &str = "/var/lib/kubelet";
const VOLUME: &str = "/var/lib/kubelet/pods/0a1b/volumes/kubernetes.io~projected/kube-api-access";
const LOG: &str = "/var/log/containers/kube-proxy.log";
/// Where copies of what is replaced are kept, as the real adapter does it.
const KEPT: &str = "/var/lib/kubestrap/kept";
const CHAINS: &str = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n";

/// The ports that the programs of a node listen on, under the names that the kernel knows them by.
const PORTS: [(&str, u16, &str); 5] = [
    ("etcd", 2379, "etcd"),
    ("etcd", 2380, "etcd"),
    ("kube-apiserver", 6443, "kube-apiserver"),
    ("kube-controller-manager", 10257, "kube-controller"),
    ("kube-scheduler", 10259, "kube-scheduler"),
];

/// A machine in memory.
pub(crate) struct Machine {
    /// Files, units and objects.
    pub(crate) overlay: Overlay<'static>,
    /// What `kubelet --version` answers.
    pub(crate) kubelet: String,
    /// Why the container runtime does not answer.
    pub(crate) runtime_down: Option<&'static str>,
    /// Whether the API server is another machine's.
    pub(crate) is_api_elsewhere: bool,
    /// What time the API server says it is.
    pub(crate) server_time: Option<i64>,
    /// Whether a bootstrap token may list Nodes, which no cluster of kubeadm's allows.
    pub(crate) shows_nodes: bool,
    /// What external etcd answers when it is asked for its version.
    pub(crate) external_etcd: Option<String>,
    /// Changes asked for, the failed ones included.
    pub(crate) asked: Rc<Cell<usize>>,
    /// What others have mounted.
    pub(crate) foreign_mounts: RefCell<Vec<PathBuf>>,
    /// Sandboxes that others run over CRI.
    pub(crate) foreign_sandboxes: RefCell<Vec<String>>,
    /// iptables rules of others, with their chains.
    pub(crate) foreign_rules: RefCell<String>,
    /// Whether the volumes of Pods are in use, so that they cannot be unmounted.
    pub(crate) is_volume_busy: Cell<bool>,
    /// From which change on all fail.
    pub(crate) fails_from: Cell<Option<usize>>,
    made: RefCell<Vec<Change>>,
    kept: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
    running: RefCell<BTreeSet<String>>,
    by_kubelet: RefCell<BTreeSet<PathBuf>>,
    pulled: RefCell<Vec<String>>,
    is_volume_mounted: Cell<bool>,
    has_chains: Cell<bool>,
}

impl Machine {
    pub(crate) fn new(overlay: Overlay<'static>, kubelet: &str) -> Self {
        Self {
            overlay,
            kubelet: kubelet.to_owned(),
            runtime_down: None,
            is_api_elsewhere: false,
            server_time: None,
            shows_nodes: false,
            external_etcd: None,
            foreign_mounts: RefCell::default(),
            foreign_sandboxes: RefCell::default(),
            foreign_rules: RefCell::default(),
            is_volume_busy: Cell::default(),
            asked: Rc::default(),
            fails_from: Cell::default(),
            made: RefCell::default(),
            kept: RefCell::default(),
            running: RefCell::default(),
            by_kubelet: RefCell::default(),
            pulled: RefCell::default(),
            is_volume_mounted: Cell::default(),
            has_chains: Cell::default(),
        }
    }

    /// Changes that were made, in order; not what the kubelet did.
    pub(crate) fn made(&self) -> Vec<Change> {
        self.made.borrow().clone()
    }

    /// Whether the kubelet, or a Pod of its, has made a file.
    pub(crate) fn is_of_kubelet(&self, path: &Path) -> bool {
        let is_folder_of_ours =
            self.made.borrow().iter().any(|change| matches!(change, Change::Folder { path: made, .. } if made == path));
        !is_folder_of_ours && self.by_kubelet.borrow().iter().any(|made| made.starts_with(path))
    }

    /// Writes a file that is none of ours, and the folders above it.
    pub(crate) fn put(&self, path: &str, text: &str, mode: u32) {
        let above: Vec<&Path> = Path::new(path).ancestors().skip(1).filter(|folder| !self.is_there(folder)).collect();
        for folder in above.into_iter().rev() {
            Host::apply(&self.overlay, &Change::Folder { path: folder.to_owned(), mode: 0o755 }).unwrap();
        }
        let change = Change::File { path: path.into(), content: Content::new(text), mode, like: None };
        Host::apply(&self.overlay, &change).unwrap();
    }

    /// All there is below the root: files with their content, folders without.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, (u32, Option<Vec<u8>>)> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![PathBuf::from("/")];
        while let Some(folder) = folders.pop() {
            for entry in Host::list(&self.overlay, &folder).unwrap() {
                if entry.kind == FileKind::Folder {
                    folders.push(entry.path.clone());
                }
                let content = self.overlay.read(&entry.path).unwrap();
                tree.insert(entry.path, (entry.mode, content));
            }
        }
        tree
    }

    fn mounts(&self) -> Vec<PathBuf> {
        let volume = self.is_volume_mounted.get().then(|| PathBuf::from(VOLUME));
        volume.into_iter().chain(self.foreign_mounts.borrow().iter().cloned()).collect()
    }

    fn is_there(&self, path: &Path) -> bool {
        self.overlay.stat(path).unwrap().is_some()
    }

    /// Counts; from the chosen change on, nothing works any more.
    fn is_broken(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.fails_from.get().is_some_and(|from| self.asked.get() >= from)
    }

    /// What a kernel would say.
    fn refusal(&self, change: &Change) -> Option<(&'static str, PathBuf, ErrorKind)> {
        match change {
            Change::File { path, .. } if !self.is_there(path.parent()?) => {
                Some(("write", path.clone(), ErrorKind::NotFound))
            }
            Change::Folder { path, .. } if !self.is_there(path.parent()?) => {
                Some(("make", path.clone(), ErrorKind::NotFound))
            }
            Change::Folder { path, .. } if self.is_there(path) => {
                Some(("make", path.clone(), ErrorKind::AlreadyExists))
            }
            Change::Remove { path, .. } if !Host::list(&self.overlay, path).unwrap().is_empty() => {
                Some(("remove", path.clone(), ErrorKind::DirectoryNotEmpty))
            }
            Change::RemoveTree { path } if self.mounts().iter().any(|mount| mount.starts_with(path)) => {
                Some(("remove", path.clone(), ErrorKind::ResourceBusy))
            }
            Change::Unmount { path, .. } if self.is_volume_busy.get() => {
                Some(("unmount", path.clone(), ErrorKind::ResourceBusy))
            }
            Change::Unmount { path, .. } if !self.mounts().contains(path) => {
                Some(("unmount", path.clone(), ErrorKind::InvalidInput))
            }
            _ => None,
        }
    }

    /// What the kubelet does once it runs: gets its certificate, registers its Node, starts the static Pods.
    fn start_kubelet(&self) {
        if !self.is_there(&Path::new(ETC).join("kubelet.conf")) {
            return;
        }
        let files = ["pki/kubelet-client-current.pem", "pki/kubelet.key", "cpu_manager_state", "pods/0a1b/etc-hosts"];
        for path in files.map(|file| format!("{KUBELET}/{file}")).into_iter().chain([LOG.to_owned()]) {
            if !self.is_there(Path::new(&path)) {
                self.put(&path, "the kubelet's\n", 0o600);
                self.by_kubelet.borrow_mut().insert(path.into());
            }
        }
        let manifests = Host::list(&self.overlay, &Path::new(ETC).join("manifests")).unwrap();
        for name in manifests.iter().filter_map(|manifest| manifest.path.file_stem()?.to_str()) {
            self.start_static_pod(name);
        }
        self.register_node();
        self.is_volume_mounted.set(true);
        self.has_chains.set(true);
    }

    /// As soon as there is an API server to register with.
    fn register_node(&self) {
        if !self.is_api_elsewhere && !self.running.borrow().contains("kube-apiserver") {
            return;
        }
        let name = &self.overlay.facts.host_name;
        let labels = json!({"kubernetes.io/hostname": name});
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let info = json!({"machineID": self.overlay.facts.machine_id});
        let own = |address| json!({"type": "InternalIP", "address": address});
        let addresses: Vec<Value> = self.overlay.facts.default_addresses.iter().map(own).collect();
        self.register(json!({
            "apiVersion": "v1", "kind": "Node",
            "status": {"conditions": ready, "nodeInfo": info, "addresses": addresses},
            "metadata": {"name": name, "labels": labels},
        }));
    }

    fn start_static_pod(&self, name: &str) {
        self.running.borrow_mut().insert(name.to_owned());
        let node = &self.overlay.facts.host_name;
        let manifest = self.manifest(name);
        let mut annotations = manifest["metadata"]["annotations"].clone();
        annotations["kubernetes.io/config.mirror"] = "0a1b".into();
        self.register(json!({
            "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node},
            "metadata": {
                "name": format!("{name}-{node}"), "namespace": "kube-system",
                "annotations": annotations,
                "labels": {"component": name, "tier": "control-plane"},
            },
        }));
        let mut files = vec![format!("/var/log/pods/kube-system_{name}/{name}/0.log")];
        if name == "etcd" {
            self.start_member(&manifest);
            files.push("/var/lib/etcd/member/snap/db".to_owned());
        }
        for path in files {
            self.put(&path, "of a static Pod\n", 0o600);
            self.by_kubelet.borrow_mut().insert(path.into());
        }
    }

    fn manifest(&self, name: &str) -> Value {
        let bytes = self.overlay.read(&Path::new(ETC).join(format!("manifests/{name}.yaml"))).unwrap();
        yaml::parse(&String::from_utf8(bytes.unwrap_or_default()).unwrap()).unwrap_or_default()
    }

    /// A first member founds its cluster; another one starts once it is announced.
    fn start_member(&self, manifest: &Value) {
        let flag = |name: &str| flag_of(manifest, name).unwrap_or_default();
        let peer_url = flag("initial-advertise-peer-urls");
        if flag("initial-cluster-state") != "existing" && self.overlay.etcd_members().is_empty() {
            let access = access(&Layout::default(), Vec::new());
            let action = MemberAction::Add { as_learner: false };
            let change = MemberChange { access, node: flag("name"), peer_url: peer_url.clone(), action };
            Etcd::apply(&self.overlay, &change).unwrap();
        }
        self.overlay.start_member(&peer_url, &flag("name"), &flag("advertise-client-urls"));
    }

    /// The endpoints behind which somebody runs: this machine's own etcd does not always.
    fn reachable(&self, access: &EtcdAccess) -> Result<EtcdAccess, EtcdError> {
        let own = flag_of(&self.manifest("etcd"), "advertise-client-urls");
        let mut reachable = access.clone();
        reachable.endpoints.retain(|url| Some(url) != own.as_ref() || self.running.borrow().contains("etcd"));
        match access.endpoints.first() {
            Some(first) if reachable.endpoints.is_empty() => {
                let source = Error::from(ErrorKind::ConnectionRefused);
                Err(EtcdError::Unreachable { endpoint: first.clone(), source })
            }
            _ => Ok(reachable),
        }
    }

    fn register(&self, object: Value) {
        let change = ObjectChange {
            identity: Identity::Kubeconfig(format!("{ETC}/kubelet.conf").into()),
            object: ObjectRef::of(&object),
            verb: Verb::Create,
            body: Content::new(object.to_string()),
        };
        Cluster::apply(&self.overlay, &change).unwrap();
    }

    /// What kube-controller-manager does with a kubelet's request.
    fn sign(&self, change: &ObjectChange) {
        let mut object: Value = serde_json::from_slice(change.body.bytes()).unwrap();
        let request = STANDARD.decode(object["spec"]["request"].as_str().unwrap()).unwrap();
        let request = CertificateSigningRequestParams::from_pem(std::str::from_utf8(&request).unwrap()).unwrap();
        let ca = CertificateParams::new(["kubernetes".to_owned()]).unwrap();
        let key = KeyPair::from_pem(FixedEntropy::ECDSA[3]).unwrap();
        let certificate = request.signed_by(&Issuer::from_params(&ca, &key)).unwrap();
        object["status"] = json!({"certificate": STANDARD.encode(certificate.pem())});
        let body = Content::new(object.to_string());
        Cluster::apply(&self.overlay, &ObjectChange { body, ..change.clone() }).unwrap();
    }

    fn answers(&self) -> Result<(), ClusterError> {
        if self.is_api_elsewhere || self.running.borrow().contains("kube-apiserver") {
            return Ok(());
        }
        Err(ClusterError::Unreachable {
            server: "https://10.77.0.11:6443".to_owned(),
            source: Error::from(ErrorKind::ConnectionRefused),
        })
    }
}

/// Fails where `iptables-restore` would touch a rule or chain of others.
fn restore_only_kubernetes_chains(input: &str) {
    for line in input.lines() {
        let is_of_kubernetes = match line.split_at_checked(3) {
            Some(("-X ", chain)) => chain.starts_with("KUBE-"),
            Some(("-D ", rule)) => rule.contains("-j KUBE-"),
            _ => line.starts_with(":KUBE-") || line.starts_with('*') || line == "COMMIT",
        };
        assert!(is_of_kubernetes, "{line}");
    }
}

impl Host for Machine {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError> {
        match self.kept.borrow().get(path) {
            Some(kept) => Ok(Some(kept.clone())),
            None => self.overlay.read(path),
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        let is_mount_point = self.mounts().iter().any(|mount| mount == path);
        Ok(self.overlay.stat(path)?.map(|found| FileInfo { is_mount_point, ..found }))
    }

    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError> {
        let is_mount_point = |path: &Path| self.mounts().iter().any(|mount| mount == path);
        let entries = Host::list(&self.overlay, folder)?.into_iter();
        Ok(entries.map(|entry| FileInfo { is_mount_point: is_mount_point(&entry.path), ..entry }).collect())
    }

    fn rootfs(&self) -> Option<&Path> {
        self.overlay.rootfs()
    }

    fn facts(&self) -> Result<Facts, HostError> {
        let mut facts = self.overlay.facts.clone();
        let mount =
            |point| Mount { point, source: "tmpfs".to_owned(), fs_type: "tmpfs".to_owned(), options: Vec::new() };
        facts.mounts.extend(self.mounts().into_iter().map(mount));
        Ok(facts)
    }

    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        let mut found = self.overlay.listeners.clone();
        let running = self.running.borrow();
        let listens = |&(name, ..): &(&str, u16, &str)| running.contains(name);
        let owner = |port, program: &str| PortOwner { port, pid: Some(1), program: Some(program.to_owned()) };
        found.extend(PORTS.iter().copied().filter(listens).map(|(_, port, program)| owner(port, program)));
        if self.overlay.unit("kubelet.service")?.active == "active" {
            found.push(owner(10250, "kubelet"));
        }
        Ok(found)
    }

    fn unit(&self, name: &str) -> Result<UnitState, HostError> {
        self.overlay.unit(name)
    }

    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        let stdout = match command.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["kubelet", "--version"] => format!("Kubernetes {}\n", self.kubelet),
            ["iptables-save"] => {
                let ours = if self.has_chains.get() { CHAINS } else { "" };
                ours.to_owned() + &self.foreign_rules.borrow()
            }
            _ => String::new(),
        };
        Ok(Output { code: 0, stdout, stderr: String::new() })
    }

    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError> {
        if let Some(reason) = self.runtime_down {
            let (socket, action) = (socket.to_owned(), "answer".to_owned());
            return Err(HostError::Runtime { socket, action, source: Error::other(reason) });
        }
        let mut status = self.overlay.runtime(socket)?;
        let sandbox = |name: &String| Sandbox {
            id: name.clone(),
            name: format!("{name}-{}", self.overlay.facts.host_name),
            namespace: "kube-system".to_owned(),
            is_of_kubelet: true,
            containers: Vec::new(),
        };
        status.images.extend(self.pulled.borrow().iter().cloned());
        status.sandboxes.extend(self.running.borrow().iter().map(sandbox));
        let foreign = self.foreign_sandboxes.borrow();
        status.sandboxes.extend(foreign.iter().map(|name| Sandbox { is_of_kubelet: false, ..sandbox(name) }));
        Ok(status)
    }

    fn probe(&self, probes: &Probes) -> Probed {
        self.overlay.probe(probes)
    }

    fn prepare(&self, change: &Change) -> Result<Undo, HostError> {
        let (Change::File { path, .. } | Change::Remove { path, keep: true }) = change else {
            return Host::prepare(&self.overlay, change);
        };
        let (Some(found), Some(bytes)) = (self.overlay.stat(path)?, self.overlay.read(path)?) else {
            return Host::prepare(&self.overlay, change);
        };
        let kept = Path::new(KEPT).join(crate::world::sha256_hex(&bytes));
        self.kept.borrow_mut().insert(kept.clone(), bytes);
        Ok(Undo::Restore { path: path.clone(), kept, mode: found.mode, uid: found.uid, gid: found.gid })
    }

    fn apply(&self, change: &Change) -> Result<(), HostError> {
        let broken = self.is_broken().then(|| ("write", PathBuf::from("/var"), ErrorKind::StorageFull));
        if broken.is_some() && matches!(change, Change::PullImages(_) | Change::RemoveSandbox { .. }) {
            let (socket, action) = (String::new(), change.summary());
            return Err(HostError::Runtime { socket, action, source: Error::other("no space left on device") });
        }
        if let Some((action, path, kind)) = broken.or_else(|| self.refusal(change)) {
            return Err(HostError::Write { action, path, source: Error::from(kind) });
        }
        match change {
            Change::RemoveSandbox { id, .. } => {
                self.foreign_sandboxes.borrow_mut().retain(|name| name != id);
                self.running.borrow_mut().remove(id);
            }
            Change::PullImages(pull) => self.pulled.borrow_mut().extend(pull.images.iter().cloned()),
            Change::Unmount { path, .. } if path == Path::new(VOLUME) => self.is_volume_mounted.set(false),
            Change::Unmount { path, .. } => self.foreign_mounts.borrow_mut().retain(|mount| mount != path),
            Change::Run { command, .. } => {
                restore_only_kubernetes_chains(command.input.as_deref().unwrap_or_default());
                self.has_chains.set(false);
            }
            _ => {}
        }
        Host::apply(&self.overlay, change)?;
        self.made.borrow_mut().push(change.clone());
        if matches!(change, Change::Unit { name, action: UnitAction::Start | UnitAction::Restart } if name == "kubelet.service")
        {
            self.start_kubelet();
        }
        if let Change::File { path, .. } = change
            && path.starts_with(Path::new(ETC).join("manifests"))
            && self.overlay.unit("kubelet.service")?.active == "active"
        {
            self.start_static_pod(path.file_stem().and_then(|name| name.to_str()).unwrap());
            if path.ends_with("kube-apiserver.yaml") {
                self.register_node();
            }
        }
        Ok(())
    }
}

impl Cluster for Machine {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        self.answers().and_then(|()| self.overlay.get(identity, object))
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        self.answers()?;
        if of.kind == "Node" && matches!(identity, Identity::Token { .. }) && !self.shows_nodes {
            let (server, action) = ("https://10.77.0.11:6443".to_owned(), "list Node".to_owned());
            let source = Error::other("403: nodes is forbidden");
            return Err(ClusterError::Refused { server, action, status: 403, source });
        }
        Cluster::list(&self.overlay, identity, of, query)
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        if let (Identity::CertificateFiles { server, .. }, Some(body)) = (identity, &self.external_etcd) {
            assert_eq!((server.as_str(), path), ("https://etcd-1:2379", "/version"));
            return Ok(Answer { status: 200, body: body.clone(), server_time: None });
        }
        let answer = self.answers().and_then(|()| self.overlay.raw(identity, path))?;
        Ok(Answer { server_time: self.server_time, ..answer })
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        self.answers()?;
        let undo = Cluster::prepare(&self.overlay, change)?;
        if let (Undo::RestoreObject { kept, .. }, Some(before)) =
            (&undo, self.overlay.get(&change.identity, &change.object)?)
        {
            self.kept.borrow_mut().insert(kept.clone(), before.to_string().into_bytes());
        }
        Ok(undo)
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        self.answers()?;
        let (server, action) = ("https://10.77.0.11:6443".to_owned(), format!("change {}", change.object));
        if self.is_broken() {
            let source = Error::other("500: etcdserver: no space");
            return Err(ClusterError::Refused { server, action, status: 500, source });
        }
        if change.object.kind == "CertificateSigningRequest" {
            self.sign(change);
            self.made.borrow_mut().push(Change::Object(change.clone()));
            return Ok(());
        }
        let is_of_worker = self.is_api_elsewhere && matches!(change.identity, Identity::Kubeconfig(_));
        if is_of_worker && change.verb == Verb::Delete {
            let source = Error::other("403: may not delete nodes");
            return Err(ClusterError::Refused { server, action, status: 403, source });
        }
        Cluster::apply(&self.overlay, change)?;
        self.made.borrow_mut().push(Change::Object(change.clone()));
        Ok(())
    }
}

impl Etcd for Machine {
    fn members(&self, access: &EtcdAccess) -> Result<Vec<EtcdMember>, EtcdError> {
        self.overlay.members(&self.reachable(access)?)
    }

    fn status(&self, access: &EtcdAccess, endpoint: &str) -> Result<EtcdStatus, EtcdError> {
        let asked = EtcdAccess { endpoints: vec![endpoint.to_owned()], ..access.clone() };
        self.overlay.status(&self.reachable(&asked)?, endpoint)
    }

    fn prepare(&self, change: &MemberChange) -> Result<Undo, EtcdError> {
        let access = self.reachable(&change.access)?;
        Etcd::prepare(&self.overlay, &MemberChange { access, ..change.clone() })
    }

    fn apply(&self, change: &MemberChange) -> Result<(), EtcdError> {
        let refused = |words: &str| EtcdError::Refused {
            endpoint: change.access.endpoints.first().cloned().unwrap_or_default(),
            action: change.to_string(),
            source: Error::other(format!("etcdserver: {words}")),
        };
        if self.is_broken() {
            return Err(refused("mvcc: database space exceeded"));
        }
        let has_started = |member: &EtcdMember| member.is_at(&change.peer_url) && member.has_started();
        if matches!(change.action, MemberAction::Promote(_)) && !self.overlay.etcd_members().iter().any(has_started) {
            return Err(refused("can only promote a learner member which is in sync with leader"));
        }
        Etcd::apply(&self.overlay, change)?;
        self.made.borrow_mut().push(Change::Member(change.clone()));
        Ok(())
    }
}
