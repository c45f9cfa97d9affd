//! Dry runs in memory: on a machine that is ready, their list is what the real run does; on a bare one they still end
//! well, phase by phase.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{JoinFlags, RemoveNode, ResetFlags, asks_for_dry_run, resolve_join, resolve_reset, resolve_token};
use crate::plan::{Journal, Selection, Workflow, run};
use crate::problem::Problem;
use crate::stage::{Machine, Stage, init_job};
use crate::support::jobs::{V1_20, V1_36};
use crate::support::{FixedEntropy, MemoryStore, NOW, Recorder};
use crate::workflows::{INIT, JOIN, JOIN_CONTROL_PLANE, REMOVE, RESET, TOKEN_CREATE};
use crate::world::{Change, Clock, DryRun, Facts, Overlay, Presumed, Probe, Time, Wait, WaitError, World};

/// One look, and the wait is over.
#[derive(Default)]
struct OneLook(Cell<usize>);

impl Time for OneLook {
    fn now(&self) -> Clock {
        NOW
    }

    fn wait(&self, _: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
        self.0.set(self.0.get() + 1);
        probe().map(|_| ()).map_err(WaitError::Hopeless)
    }
}

/// A dry run over a machine, which is also where its cluster would run.
struct Rehearsal {
    machine: Presumed<Machine>,
    cluster: Presumed<Machine>,
    dry: DryRun,
    told: Recorder,
}

impl Rehearsal {
    fn over(machine: fn() -> Machine) -> Self {
        let dry = DryRun::default();
        dry.begin();
        dry.take_cluster_for_granted(true);
        let (machine, cluster) = (Presumed::over(machine(), &dry), Presumed::over(machine(), &dry));
        Self { machine, cluster, dry, told: Recorder::default() }
    }

    fn run<J>(&self, workflow: &'static Workflow<J>, job: &J, only: Option<&str>) -> Result<(), Problem> {
        let overlay = self.dry.furnish(Overlay::over(&self.machine, &self.cluster));
        let (store, time, entropy) = (MemoryStore::default(), OneLook::default(), FixedEntropy::default());
        let journal = Journal::new(&store);
        let world = World::new(&overlay, (&overlay, &overlay), &time, (&entropy, &self.told), &journal).dry(&self.dry);
        let plan = workflow.plan(job, &Selection { only: only.map(str::to_owned), ..Selection::default() })?;
        run(&plan, job, &world)
    }

    fn summaries(&self) -> Vec<String> {
        self.dry.changes().iter().map(Change::summary).collect()
    }
}

/// Nobody's machine: no root, no unit, no program, no runtime, no route, no file.
fn bare() -> Machine {
    let mut overlay = Overlay::default();
    overlay.facts = Facts { uid: 1000, host_name: "n1".to_owned(), ..Facts::default() };
    let mut machine = Machine::new(overlay, "v1.20.2");
    machine.runtime_down = Some("connection refused");
    machine
}

fn join_flags() -> JoinFlags {
    JoinFlags {
        endpoint: Some("10.0.0.9:6443".to_owned()),
        token: Some("abcdef.0123456789abcdef".to_owned()),
        discovery_token_unsafe_skip_ca_verification: true,
        ..JoinFlags::default()
    }
}

fn every_phase_ends_well<J>(workflow: &'static Workflow<J>, job: &J) {
    let paths = workflow.paths().into_iter().map(Some).chain([None]);
    for path in paths {
        let rehearsal = Rehearsal::over(bare);
        let outcome = rehearsal.run(workflow, job, path.as_deref());
        assert!(outcome.is_ok(), "{} {path:?}: {outcome:?}", workflow.name);
    }
}

#[test]
fn the_list_is_what_the_real_run_does() {
    let rehearsal = Rehearsal::over(|| Stage::ready(&V1_20, "n1").machine);
    rehearsal.run(&INIT, &init_job(V1_20), None).unwrap();
    let real = Stage::ready(&V1_20, "n1");
    real.run(&INIT, &init_job(V1_20)).unwrap();
    let mut real: Vec<String> = real.transcript().lines().map(str::to_owned).collect();
    // The kubelet of the real run has made its folder, and stored a certificate that kubelet.conf then names.
    let own = ["make folder /var/lib/kubelet (0700)", "write /etc/kubernetes/kubelet.conf (0600)"];
    let mut listed = rehearsal.summaries();
    for list in [&mut real, &mut listed] {
        list.retain(|line| !own.contains(&line.as_str()));
    }
    assert_eq!(listed, real);
    let warnings: Vec<String> = rehearsal.told.lines().into_iter().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn every_phase_of_init_ends_well_on_a_bare_machine() {
    every_phase_ends_well(&INIT, &init_job(V1_20));
    every_phase_ends_well(&INIT, &init_job(V1_36));
}

#[test]
fn every_phase_of_join_ends_well_without_a_cluster() {
    let machine = bare();
    let request = resolve_join(&join_flags(), &machine).unwrap();
    let dry = DryRun::default();
    let job = crate::dry_run::cluster_to_join(&request, &machine, &dry).unwrap();
    assert!(dry.assumed()[0].starts_with("10.0.0.9:6443 does not answer"), "{:?}", dry.assumed());
    every_phase_ends_well(&JOIN, &job);
}

#[test]
fn a_join_without_a_cluster_lists_the_nodes_files() {
    let rehearsal = Rehearsal::over(bare);
    let request = resolve_join(&join_flags(), &rehearsal.machine).unwrap();
    let job = crate::dry_run::cluster_to_join(&request, &rehearsal.machine, &rehearsal.dry).unwrap();
    rehearsal.run(&JOIN, &job, None).unwrap();
    let listed = rehearsal.summaries();
    for line in [
        "write /etc/kubernetes/pki/ca.crt (0644)",
        "write /etc/kubernetes/kubelet.conf (0600)",
        "write /var/lib/kubelet/config.yaml (0644)",
        "restart kubelet.service",
    ] {
        assert!(listed.iter().any(|found| found == line), "{line} of {listed:#?}");
    }
}

#[test]
fn every_phase_of_a_control_plane_join_ends_well_without_a_cluster() {
    let on_a_route = || {
        let mut machine = bare();
        machine.overlay.facts.default_addresses = vec!["10.0.0.5".parse().unwrap()];
        machine
    };
    for key in [None, Some("00".repeat(32))] {
        let flags = JoinFlags { control_plane: true, certificate_key: key.clone(), ..join_flags() };
        let rehearsed = |only: Option<&str>| {
            let rehearsal = Rehearsal::over(on_a_route);
            let (machine, dry) = (&rehearsal.machine, &rehearsal.dry);
            let request = resolve_join(&flags, machine).unwrap();
            let worker = crate::dry_run::cluster_to_join(&request, machine, dry).unwrap();
            let further = request.control_plane.as_ref().unwrap();
            let job = crate::join::read_control_plane(further, worker, machine, Some(dry)).unwrap();
            let outcome = rehearsal.run(&JOIN_CONTROL_PLANE, &job, only);
            assert!(outcome.is_ok(), "{only:?}: {outcome:?}");
            rehearsal
        };
        for path in JOIN_CONTROL_PLANE.paths() {
            rehearsed(Some(&path));
        }
        let rehearsal = rehearsed(None);
        let listed = rehearsal.summaries();
        for line in [
            "write /etc/kubernetes/pki/apiserver.crt (0644)",
            "write /etc/kubernetes/manifests/kube-apiserver.yaml (0600)",
            "add etcd member n1 at https://10.0.0.5:2380 as a learner",
            "write /etc/kubernetes/manifests/etcd.yaml (0600)",
            "patch Node n1",
        ] {
            assert!(listed.iter().any(|found| found == line), "{line} of {listed:#?}");
        }
        assert!(!listed.iter().any(|line| line.contains("pki/ca.key")), "{listed:#?}");
        let id = if key.is_some() { "the cluster keeps no certificates" } else { "needs the certificate of the" };
        let told = rehearsal.told.lines();
        let stop = |line: &&String| line.starts_with("warning: would stop the real run: ") && line.contains(id);
        assert_eq!(told.iter().filter(stop).count(), 1, "{told:#?}");
    }
}

#[test]
fn a_discovery_file_or_url_without_a_cluster_is_enough_for_a_list() {
    let machine = bare();
    let file = "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: 'https://10.0.0.9:6443', \
                certificate-authority-data: CA}\n";
    let ca = STANDARD.encode(include_str!("../../templates/dry-run/ca.crt"));
    machine.put("/cluster.conf", &file.replace("CA}", &format!("{ca}}}")), 0o600);
    for (place, told, server) in [
        ("/cluster.conf", "https://10.0.0.9:6443 does not answer", "https://10.0.0.9:6443"),
        (
            "https://example.com/cluster.conf",
            "https://example.com/cluster.conf does not answer",
            "https://192.0.2.1:6443",
        ),
    ] {
        let token = Some("abcdef.0123456789abcdef".to_owned());
        let flags =
            JoinFlags { discovery_file: Some(place.to_owned()), tls_bootstrap_token: token, ..JoinFlags::default() };
        let request = resolve_join(&flags, &machine).unwrap();
        let dry = DryRun::default();
        let job = crate::dry_run::cluster_to_join(&request, &machine, &dry).unwrap();
        assert_eq!(job.discovery.server, server);
        assert!(dry.assumed()[0].starts_with(told), "{:?}", dry.assumed());
        every_phase_ends_well(&JOIN, &job);
    }
}

#[test]
fn a_file_is_asked_only_for_its_own_kind_whether_the_run_is_dry() {
    let machine = bare();
    let document = |kind: &str, is_dry: bool| format!("kind: {kind}\ndryRun: {is_dry}\n");
    let both = [document("InitConfiguration", true), document("JoinConfiguration", false)].join("---\n");
    machine.put("/both.yaml", &both, 0o600);
    machine.put("/broken.yaml", "dryRun: [", 0o600);
    for (path, kind, expected) in [
        ("/both.yaml", "InitConfiguration", true),
        ("/both.yaml", "JoinConfiguration", false),
        ("/both.yaml", "ResetConfiguration", false),
        ("/broken.yaml", "InitConfiguration", false),
        ("/missing.yaml", "InitConfiguration", false),
    ] {
        assert_eq!(asks_for_dry_run(path.as_ref(), kind, &machine), expected, "{path} {kind}");
    }
}

#[test]
fn reset_finds_nothing_to_remove_on_a_bare_machine() {
    let job = resolve_reset(&ResetFlags::default(), &bare()).unwrap();
    every_phase_ends_well(&RESET, &job);
    let rehearsal = Rehearsal::over(bare);
    rehearsal.dry.take_cluster_for_granted(false);
    rehearsal.run(&RESET, &job, None).unwrap();
    assert_eq!(rehearsal.summaries(), [""; 0]);
}

#[test]
fn what_would_stop_the_real_run_is_told_once_and_the_list_is_complete() {
    let rehearsal = Rehearsal::over(bare);
    rehearsal.run(&INIT, &init_job(V1_20), None).unwrap();
    let told = rehearsal.told.lines();
    for stop in ["kubestrap does not run as root", "no container runtime answers", "there is no kubelet to start"] {
        let line = format!("warning: would stop the real run: {stop}");
        assert_eq!(told.iter().filter(|found| found.starts_with(&line)).count(), 1, "{stop} in {told:#?}");
    }
    assert!(rehearsal.summaries().contains(&"apply DaemonSet kube-system/kube-proxy".to_owned()));
}

#[test]
fn what_a_single_phase_needs_is_taken_to_be_there_and_not_listed() {
    let rehearsal = Rehearsal::over(bare);
    rehearsal.run(&INIT, &init_job(V1_20), Some("certs/apiserver")).unwrap();
    let expected = ["write /etc/kubernetes/pki/apiserver.key (0600)", "write /etc/kubernetes/pki/apiserver.crt (0644)"];
    assert_eq!(rehearsal.summaries(), expected);
    let assumed = rehearsal.dry.assumed();
    assert_eq!(assumed, ["/etc/kubernetes/pki/ca.crt is taken to be there, as the phase certs/ca makes it"]);
}

#[test]
fn a_token_and_a_removal_are_listed_without_a_cluster() {
    let rehearsal = Rehearsal::over(bare);
    let flags = crate::config::TokenFlags { print_join_command: true, ..Default::default() };
    let job = resolve_token(&flags, &rehearsal.machine, NOW, &FixedEntropy::default()).unwrap();
    crate::dry_run::kubeconfig(&job.kubeconfig, &rehearsal.machine, &rehearsal.dry).unwrap();
    rehearsal.run(&TOKEN_CREATE, &job, None).unwrap();
    assert!(rehearsal.summaries()[0].starts_with("apply Secret kube-system/bootstrap-token-"));

    let rehearsal = Rehearsal::over(bare);
    rehearsal.dry.take_cluster_for_granted(false);
    let job = RemoveNode {
        target: crate::config::NodeName::parse("n2").unwrap(),
        kubeconfig: "/etc/kubernetes/admin.conf".into(),
        drain_timeout: std::time::Duration::from_secs(1),
    };
    crate::dry_run::node(&job, &rehearsal.machine, &rehearsal.cluster, &rehearsal.dry).unwrap();
    rehearsal.dry.take_cluster_for_granted(true);
    rehearsal.run(&REMOVE, &job, None).unwrap();
    assert_eq!(rehearsal.summaries(), ["patch Node n2", "delete Node n2"]);
}
