//! A stage: a machine in memory that could become a node, on which whole workflows run as the program runs them.
//!
//! The journal's store can break, the user can interrupt, changes can fail. After every run the stage looks for secrets
//! in all that was written down or told.

mod machine;
pub(crate) mod outcome;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::certs;
use crate::config::{Cidr, HostPort, Init, JoinControlPlane, JoinWorker, Release, Reset, ResetFlags, resolve_reset};
use crate::etcd::members::CLIENT_URL_ANNOTATION;
use crate::plan::{Journal, LastRun, RunHead, Selection, Step, Store, StoreError, Workflow, run};
use crate::problem::Problem;
use crate::releases::{Image, Programs};
use crate::shared_certs::{Sealer, UploadCerts};
use crate::support::{Bench, FixedEntropy, MemoryStore, NOW, jobs};
use crate::undo::{UndoRun, half_way};
use crate::upload_config::upload_kubeadm_config;
use crate::workflows::UNDO;
use crate::world::{
    Clock, DiskLatency, Event, Facts, Identity, Interface, KeyAlgorithm, Overlay, Peer, Probe, Probed, Progress, Route,
    RuntimeStatus, Secret, Space, Time, UnitState, Wait, WaitError, World,
};
pub(crate) use machine::Machine;

/// What none may find in a journal, an event or a transcript.
pub(crate) const CERTIFICATE_KEY: &str = "e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204";
/// The secret half of the jobs' token, plain and as a Secret's data has it.
const TOKEN_SECRETS: [&str; 2] = ["0123456789abcdef", "MDEyMzQ1Njc4OWFiY2RlZg"];

/// A world in which runs can be broken off.
pub(crate) struct Stage {
    /// Host and cluster.
    pub(crate) machine: Machine,
    /// The journal.
    pub(crate) store: BrittleStore,
    /// Clock and interruption.
    pub(crate) time: StageTime,
    /// All events, in words.
    pub(crate) told: Told,
    entropy: FixedEntropy,
}

impl Stage {
    /// A machine that is ready for a release; it is as good as a fresh one.
    pub(crate) fn ready(release: &Release, host_name: &str) -> Self {
        Self::over(Machine::new(ready_overlay(release, host_name), &release.to_string()))
    }

    /// A machine that is ready to join a cluster.
    pub(crate) fn ready_to_join(release: &Release) -> Self {
        let mut machine = Machine::new(ready_overlay(release, "n2"), &release.to_string());
        machine.is_api_elsewhere = true;
        Self::over(machine)
    }

    /// A machine that is ready to join the control plane of a cluster that has uploaded its certificates.
    pub(crate) fn ready_to_join_control_plane(release: &Release) -> Self {
        let (objects, _) = sealed_objects(release);
        let overlay = objects.into_iter().fold(ready_overlay(release, "n2"), Overlay::with_object);
        let overlay = overlay.with_object(etcd_pod("n1", "10.77.0.11")).with_member("n1", "10.77.0.11");
        let mut overlay = overlay.with_object(api_servers(&["10.77.0.11"]));
        overlay.facts.interfaces[0].addresses = vec!["10.77.0.12".parse().unwrap()];
        let mut machine = Machine::new(overlay, &release.to_string());
        machine.is_api_elsewhere = true;
        Self::over(machine)
    }

    /// The job of a machine that joins the control plane, with the CA of the cluster that it joins.
    pub(crate) fn join_control_plane_job(&self, release: Release) -> JoinControlPlane {
        let mut job = jobs::join_control_plane(release);
        job.certificate_key = Some(Secret::new(CERTIFICATE_KEY.to_owned()));
        job.worker.cluster.control_plane_endpoint = Some(HostPort::new("10.77.0.11", 6443));
        job.worker.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
        let objects = self.machine.overlay.objects();
        let secret = objects.iter().find(|object| object["metadata"]["name"] == "kubeadm-certs").unwrap();
        let sealed = STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap();
        let ca = Sealer::parse(job.certificate_key.as_ref().unwrap()).unwrap().open(&sealed).unwrap();
        job.worker.discovery.ca_pem = String::from_utf8(ca.reveal().clone()).unwrap();
        job
    }

    /// A machine that was prepared.
    pub(crate) fn over(machine: Machine) -> Self {
        let time = StageTime { now: Cell::new(NOW), interrupted_after: Cell::default(), asked: machine.asked.clone() };
        Self { machine, store: BrittleStore::default(), time, told: Told::default(), entropy: FixedEntropy::default() }
    }

    /// Runs a workflow with a fresh journal over the same store, as the program does.
    pub(crate) fn run<J>(&self, workflow: &'static Workflow<J>, job: &J) -> Result<(), Problem> {
        let plan = workflow.plan(job, &Selection::default())?;
        let journal = Journal::new(&self.store);
        let world = World::new(
            &self.machine,
            (&self.machine, &self.machine),
            &self.time,
            (&self.entropy, &self.told),
            &journal,
        );
        let continues = journal.unfinished()?.is_some_and(|run| run.command == workflow.name);
        journal.begin(RunHead { continues, ..RunHead::whole(workflow.name, NOW.0) }, None);
        let outcome = run(&plan, job, &world);
        let ended = journal.end(outcome.as_ref().err());
        self.holds_no_secret();
        outcome.and(ended)
    }

    /// Takes back the last run, as the command `undo` does; says whether there was one.
    pub(crate) fn undo(&self) -> Result<bool, Problem> {
        let Some(last) = LastRun::find(&self.store)? else { return Ok(false) };
        let job = UndoRun::of(&last, self.reset_job());
        let plan = UNDO.plan(&job, &Selection::default())?;
        let journal = Journal::new(&last);
        let ports = (&self.entropy as _, &self.told as _);
        let world = World::new(&self.machine, (&self.machine, &self.machine), &self.time, ports, &journal);
        let continues = journal.unfinished()?.is_some_and(|run| run.command == UNDO.name);
        journal.begin(RunHead { continues, ..RunHead::whole(UNDO.name, NOW.0) }, None);
        let outcome = run(&plan, &job, &world);
        self.holds_no_secret();
        match outcome {
            Ok(()) => last.drop_it().map(|()| true),
            // The first failure says more than that of a journal that is full as well.
            Err(problem) => {
                let _ = journal.end(Some(&problem));
                Err(half_way(problem, &last))
            }
        }
    }

    /// Does something in this world, outside a run.
    pub(crate) fn within<R>(&self, work: impl FnOnce(&World<'_>) -> R) -> R {
        let journal = Journal::new(&self.store);
        work(&World::new(
            &self.machine,
            (&self.machine, &self.machine),
            &self.time,
            (&self.entropy, &self.told),
            &journal,
        ))
    }

    /// The job of `reset` on this machine, as the program finds it out.
    pub(crate) fn reset_job(&self) -> Reset {
        resolve_reset(&ResetFlags::default(), &self.machine).unwrap()
    }

    /// Everything works again, and no time has gone by.
    pub(crate) fn mend(&self) {
        self.store.left.set(None);
        self.machine.fails_from.set(None);
        self.time.interrupted_after.set(None);
        self.time.now.set(NOW);
    }

    /// A minute goes by.
    pub(crate) fn pass_a_minute(&self) {
        self.time.now.set(self.time.now.get().plus(Duration::from_secs(60)));
    }

    /// The summaries of the changes made.
    pub(crate) fn transcript(&self) -> String {
        self.machine.made().iter().map(|change| change.summary() + "\n").collect()
    }

    fn holds_no_secret(&self) {
        let transcript = self.machine.made().into_iter().map(|change| change.summary());
        let lines = self.store.lines().unwrap().into_iter().chain(self.told.lines()).chain(transcript);
        let text = lines.collect::<Vec<_>>().join("\n");
        let keys = FixedEntropy::RSA.iter().chain(&FixedEntropy::ECDSA).map(|pem| pem.lines().nth(1).unwrap());
        for secret in TOKEN_SECRETS.into_iter().chain(keys).chain(["PRIVATE KEY", CERTIFICATE_KEY]) {
            assert!(!text.contains(secret), "{secret} is in the journal, an event or the transcript");
        }
    }
}

/// A job of `init` with all its secrets.
pub(crate) fn init_job(release: Release) -> Init {
    Init { certificate_key: Some(Secret::new(CERTIFICATE_KEY.to_owned())), ..jobs::default_init(release) }
}

/// etcd's Pod on another node, as it shows where its member is.
pub(crate) fn etcd_pod(node: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node},
        "metadata": {
            "name": format!("etcd-{node}"), "namespace": "kube-system",
            "labels": {"component": "etcd", "tier": "control-plane"},
            "annotations": {CLIENT_URL_ANNOTATION: format!("https://{address}:2379")},
        },
    })
}

/// The API servers of a cluster, as they keep their own addresses.
fn api_servers(addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses.iter().map(|address| json!({"ip": address})).collect();
    json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": addresses}],
    })
}

/// What the first control-plane node has left in the cluster for further ones, and its CA.
pub(crate) fn sealed_objects(release: &Release) -> (Vec<Value>, String) {
    let first = Bench::default();
    let mut job = init_job(release.clone());
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    job.kubeconfig = "/root/admin.conf".into();
    first.run(&Step::<Init>::CERTS, &job).unwrap();
    first.run(&Step::Phase(&UploadCerts), &job).unwrap();
    let admin = Identity::Kubeconfig(job.kubeconfig.clone());
    let member = Some((&job.node.name, &job.endpoint));
    first.within(|world| upload_kubeadm_config(&job.cluster, member, world, &admin)).unwrap();
    (first.overlay.objects(), first.text("/etc/kubernetes/pki/ca.crt"))
}

/// A job of `join` that has found its cluster.
pub(crate) fn join_job(release: Release) -> JoinWorker {
    let first = Bench::default();
    first.run(&Step::Phase(&certs::table::CA), &jobs::default_init(release.clone())).unwrap();
    let mut job = jobs::join_worker(release);
    job.discovery.ca_pem = first.text("/etc/kubernetes/pki/ca.crt");
    job
}

/// Facts of a machine that passes preflight without a warning.
pub(crate) fn ready_facts(release: &Release, host_name: &str) -> Facts {
    let Programs { required, optional } = release.programs();
    // What reset calls where it is there.
    let programs = required.iter().chain(optional).chain(&["iptables"]);
    let controllers = ["cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"];
    let sysctls = [
        ("net/ipv4/ip_forward", "1"),
        ("net/bridge/bridge-nf-call-iptables", "1"),
        ("fs/inotify/max_user_instances", "512"),
        ("fs/inotify/max_user_watches", "65536"),
    ];
    let address = "10.77.0.11".parse().unwrap();
    let route = |destination: &str| Route {
        interface: "eth0".to_owned(),
        destination: Cidr::parse(destination).unwrap(),
        metric: 0,
    };
    Facts {
        uid: 0,
        host_name: host_name.to_owned(),
        machine_id: format!("id-of-{host_name}"),
        cpus: 2,
        memory_mib: 4096,
        default_addresses: vec![address],
        interfaces: vec![Interface { name: "eth0".to_owned(), addresses: vec![address], mtu: 1500 }],
        routes: vec![route("0.0.0.0/0"), route("10.77.0.0/24")],
        file_systems: vec!["ext4".to_owned(), "overlay".to_owned()],
        kernel: "6.1.0".to_owned(),
        cgroup_controllers: controllers.map(str::to_owned).to_vec(),
        cgroup_v2: release.minor() >= 22,
        cri_sockets: vec!["/run/containerd/containerd.sock".into()],
        programs: programs.map(|name| ((*name).to_owned(), format!("/usr/bin/{name}").into())).collect(),
        sysctls: sysctls.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Facts::default()
    }
}

/// What a good machine answers to probes: its clock is right, its disk is large and fast, the API server is near.
fn ready_probed() -> Probed {
    let space = Space { available: 90 << 30, total: 100 << 30 };
    let folders = ["/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd"];
    let peer = Peer { took: Duration::from_millis(1), local: "10.77.0.11".parse().unwrap(), segment: 1448 };
    let disk = DiskLatency { folder: "/var/lib".into(), writes: 100, p99: Duration::from_millis(2) };
    Probed {
        peers: [(("10.77.0.11".to_owned(), 6443), Ok(peer))].into(),
        folders: folders.map(|folder| (folder.into(), space)).into(),
        disk: Some(Ok(disk)),
        clock_synchronized: Some(true),
        ..Probed::default()
    }
}

/// The configuration of a kernel that has what every release wants.
fn kernel_config() -> String {
    let options = [false, true].into_iter().flat_map(|v2| {
        [Release::new(20, 2), Release::new(36, 2)].into_iter().flat_map(move |release| release.kernel_options(v2))
    });
    options.map(|names| format!("CONFIG_{}=y\n", names[0])).collect()
}

/// A machine with a kubelet, a runtime that has all images, and files that are none of ours.
pub(crate) fn ready_overlay(release: &Release, host_name: &str) -> Overlay<'static> {
    let cluster = jobs::default_init(release.clone()).cluster;
    let runtime = RuntimeStatus {
        name: "containerd".to_owned(),
        version: "1.6.20".to_owned(),
        api: "v1".to_owned(),
        tells_cgroup_driver: true,
        images: Image::of_control_plane(&cluster),
        ..RuntimeStatus::default()
    };
    let unit = UnitState { exists: true, enabled: true, active: "inactive".to_owned(), ..UnitState::default() };
    let mut overlay = Overlay::default();
    overlay.facts = ready_facts(release, host_name);
    overlay.runtime = runtime;
    overlay.probed = ready_probed();
    overlay
        .with_file("/boot/config-6.1.0", &kernel_config(), 0o644)
        .with_file("/etc/hosts", "127.0.0.1 localhost\n", 0o644)
        .with_file("/etc/systemd/system/kubelet.service", "[Service]\n", 0o644)
        .with_file("/usr/libexec/git-core/git", "", 0o755)
        .with_file("/var/lib/dpkg/status", "", 0o644)
        .with_file("/var/log/syslog", "", 0o640)
        .with_unit("kubelet.service", unit)
}

/// A journal in memory that takes a number of lines and then no more, and that another run may be working with.
#[derive(Default)]
pub(crate) struct BrittleStore {
    kept: MemoryStore,
    /// How many lines it still takes; `None` for any number.
    pub(crate) left: Cell<Option<usize>>,
    /// The process that works with it.
    pub(crate) held_by: RefCell<Option<String>>,
}

impl BrittleStore {
    /// Forgets everything: the last act of the command `reset`.
    pub(crate) fn forget(&self) {
        self.kept.replace(&[]).expect("memory takes everything");
    }
}

impl Store for BrittleStore {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        self.kept.lines()
    }

    fn append(&self, line: &str, sync: bool) -> Result<(), StoreError> {
        match self.left.get() {
            Some(0) => {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(StoreError::Failed { path: "/var/lib/kubestrap/journal".to_owned(), source })
            }
            left => {
                self.left.set(left.map(|left| left - 1));
                self.kept.append(line, sync)
            }
        }
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        self.kept.replace(lines)
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        self.kept.job()
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.kept.keep_job(job)
    }

    fn held_by(&self) -> Option<String> {
        self.held_by.borrow().clone()
    }
}

/// A clock that moves only while somebody waits, and a user who stops the run after some changes.
pub(crate) struct StageTime {
    now: Cell<Clock>,
    /// After how many changes the user stops the run.
    pub(crate) interrupted_after: Cell<Option<usize>>,
    asked: Rc<Cell<usize>>,
}

impl Time for StageTime {
    fn now(&self) -> Clock {
        self.now.get()
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted_after.get().is_some_and(|changes| self.asked.get() >= changes)
    }

    fn wait(&self, wait: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
        let start = self.now.get();
        loop {
            if self.is_interrupted() {
                return Err(WaitError::Interrupted);
            }
            match probe().map_err(WaitError::Hopeless)? {
                Probe::Yes => return Ok(()),
                Probe::NotYet(last) if self.now.get() >= start.plus(wait.within) => {
                    return Err(WaitError::TimeUp { last, after: wait.within });
                }
                Probe::NotYet(_) => self.now.set(self.now.get().plus(wait.every.max(Duration::from_secs(1)))),
            }
        }
    }
}

/// All events, in words; what a command is run for is left out, since a join command holds the token.
#[derive(Default)]
pub(crate) struct Told {
    lines: RefCell<Vec<String>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Told {
    /// Events, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Warnings, in order.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        self.warnings.borrow().clone()
    }
}

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(problem) = event {
            self.warnings.borrow_mut().push(problem.clone());
        }
        if !matches!(event, Event::Result(_)) {
            self.lines.borrow_mut().push(format!("{event:?}"));
        }
    }
}
