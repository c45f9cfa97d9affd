//! Preflight: each check with a machine that fails it, what is ignored, and what of ours is not held against us.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::config::{Cidr, Init, JoinWorker};
use crate::plan::Phase;
use crate::preflight::Preflight;
use crate::problem::{Exit, Problem};
use crate::stage::{Machine, Stage, init_job, join_job, ready_overlay};
use crate::support::NOW;
use crate::support::jobs::{V1_20, V1_36};
use crate::workflows::{INIT, JOIN, RESET};
use crate::world::{Host, Mount, PortOwner, Route, Space, UnitState};

/// Name, whether it is an error, what is done to a good machine, and the finding.
pub(crate) type Row = (&'static str, bool, fn(&mut Machine), &'static str);

fn listens(machine: &mut Machine, port: u16) {
    machine.overlay.listeners.push(PortOwner { port, pid: Some(7), program: Some("nginx".to_owned()) });
}

fn set_unit(machine: &mut Machine, name: &str, state: UnitState) {
    let overlay = std::mem::take(&mut machine.overlay);
    machine.overlay = overlay.with_unit(name, state);
}

fn unit(exists: bool, enabled: bool, active: &str) -> UnitState {
    UnitState { exists, enabled, active: active.to_owned(), ..UnitState::default() }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// With so many of a hundred GiB free; one is too little for anything, as it stands for 100 MiB.
fn set_space(machine: &mut Machine, folder: &str, percent: u64) {
    let available = if percent == 1 { 100 << 20 } else { percent << 30 };
    machine.overlay.probed.folders.insert(folder.into(), Space { available, total: 100 << 30 });
}

fn set_kernel(machine: &mut Machine, kernel: &str) {
    if kernel.starts_with('3') {
        let config = machine.overlay.read(Path::new("/boot/config-6.1.0")).unwrap().unwrap();
        machine.put(&format!("/boot/config-{kernel}"), std::str::from_utf8(&config).unwrap(), 0o644);
    }
    kernel.clone_into(&mut machine.overlay.facts.kernel);
}

/// A proxy for all but these.
fn set_proxy(machine: &mut Machine, exceptions: &str) {
    let variables = [("HTTPS_PROXY", "http://proxy:3128"), ("no_proxy", exceptions)];
    machine.overlay.facts.proxies = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
}

fn a_route(interface: &str, destination: &str) -> Route {
    Route { interface: interface.to_owned(), destination: Cidr::parse(destination).unwrap(), metric: 0 }
}

fn a_mount(point: &str) -> Mount {
    let options = vec!["rw".to_owned(), "noexec".to_owned()];
    Mount { point: point.into(), source: "/dev/sdb".to_owned(), fs_type: "ext4".to_owned(), options }
}

/// Checks that hold for a control-plane node of 1.20.
pub(crate) const CONTROL_PLANE: &[Row] = &[
    ("one CPU", true, |m| m.overlay.facts.cpus = 1, "NumCPU"),
    ("little memory", true, |m| m.overlay.facts.memory_mib = 1699, "Mem"),
    ("port of the API server", true, |m| listens(m, 6443), "Port-6443"),
    ("port of the scheduler", true, |m| listens(m, 10259), "Port-10259"),
    ("port of the controller manager", true, |m| listens(m, 10257), "Port-10257"),
    ("client port of etcd", true, |m| listens(m, 2379), "Port-2379"),
    ("peer port of etcd", true, |m| listens(m, 2380), "Port-2380"),
    (
        "manifest of etcd",
        true,
        |m| m.put("/etc/kubernetes/manifests/etcd.yaml", "", 0o600),
        "FileAvailable--etc-kubernetes-manifests-etcd.yaml",
    ),
    (
        "manifest of kube-apiserver",
        true,
        |m| m.put("/etc/kubernetes/manifests/kube-apiserver.yaml", "", 0o600),
        "FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
    ),
    (
        "manifest of kube-controller-manager",
        true,
        |m| m.put("/etc/kubernetes/manifests/kube-controller-manager.yaml", "", 0o600),
        "FileAvailable--etc-kubernetes-manifests-kube-controller-manager.yaml",
    ),
    (
        "manifest of kube-scheduler",
        true,
        |m| m.put("/etc/kubernetes/manifests/kube-scheduler.yaml", "", 0o600),
        "FileAvailable--etc-kubernetes-manifests-kube-scheduler.yaml",
    ),
    ("proxy before Services", false, |m| set_proxy(m, "10.77.0.0/16"), "HTTPProxyCIDR"),
    ("slow disk", false, |m| m.overlay.probed.disk.as_mut().unwrap().as_mut().unwrap().p99 = ms(11), "EtcdDisk"),
    ("disk that cannot be written", false, |m| m.overlay.probed.disk = Some(Err("read-only".to_owned())), "EtcdDisk"),
    ("full disk of etcd", true, |m| set_space(m, "/var/lib/etcd", 1), "DiskSpace"),
    ("data of etcd", true, |m| m.put("/var/lib/etcd/member/snap/db", "", 0o600), "DirAvailable--var-lib-etcd"),
];

/// Checks that hold for every node of 1.20.
pub(crate) const EVERY_NODE: &[Row] = &[
    ("not root", true, |m| m.overlay.facts.uid = 1000, "IsPrivilegedUser"),
    (
        "no cgroup memory",
        true,
        |m| m.overlay.facts.cgroup_controllers.retain(|it| it != "memory"),
        "SystemVerification",
    ),
    ("cgroup v2 before 1.22", true, |m| m.overlay.facts.cgroup_v2 = true, "SystemVerification"),
    ("swap before 1.22", true, |m| m.overlay.facts.swaps.push("/swap.img".to_owned()), "Swap"),
    ("no conntrack", true, |m| drop(m.overlay.facts.programs.remove("conntrack")), "FileExisting-conntrack"),
    ("no ip", true, |m| drop(m.overlay.facts.programs.remove("ip")), "FileExisting-ip"),
    ("no ebtables", false, |m| drop(m.overlay.facts.programs.remove("ebtables")), "FileExisting-ebtables"),
    ("no touch", false, |m| drop(m.overlay.facts.programs.remove("touch")), "FileExisting-touch"),
    ("no iptables", true, |m| drop(m.overlay.facts.programs.remove("iptables")), "FileExisting-iptables"),
    ("no mount", true, |m| drop(m.overlay.facts.programs.remove("mount")), "FileExisting-mount"),
    ("no nsenter", true, |m| drop(m.overlay.facts.programs.remove("nsenter")), "FileExisting-nsenter"),
    ("no ethtool", false, |m| drop(m.overlay.facts.programs.remove("ethtool")), "FileExisting-ethtool"),
    ("no socat", false, |m| drop(m.overlay.facts.programs.remove("socat")), "FileExisting-socat"),
    ("no tc", false, |m| drop(m.overlay.facts.programs.remove("tc")), "FileExisting-tc"),
    (
        "no forwarding",
        true,
        |m| drop(m.overlay.facts.sysctls.insert("net/ipv4/ip_forward".to_owned(), "0".to_owned())),
        "FileContent--proc-sys-net-ipv4-ip_forward",
    ),
    (
        "no br_netfilter",
        true,
        |m| drop(m.overlay.facts.sysctls.remove("net/bridge/bridge-nf-call-iptables")),
        "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
    ),
    (
        "name without address",
        false,
        |m| {
            let unknown = |name: &str| (name.to_owned(), Err("Name not known".to_owned()));
            m.overlay.probed.names.extend(["n1", "n2"].map(unknown));
        },
        "Hostname",
    ),
    ("no kubelet", true, |m| set_unit(m, "kubelet.service", UnitState::default()), "Service-Kubelet"),
    (
        "kubelet not enabled",
        false,
        |m| set_unit(m, "kubelet.service", unit(true, false, "inactive")),
        "Service-Kubelet",
    ),
    ("kubelet does not answer", true, |m| m.kubelet.clear(), "KubeletVersion"),
    ("kubelet too new", true, |m| "v1.21.0".clone_into(&mut m.kubelet), "KubeletVersion"),
    ("kubelet too old", true, |m| "v1.17.0".clone_into(&mut m.kubelet), "KubeletVersion"),
    ("port of the kubelet", true, |m| listens(m, 10250), "Port-10250"),
    ("no default route", false, |m| m.overlay.facts.default_addresses.clear(), "DefaultRoute"),
    ("firewall", false, |m| set_unit(m, "firewalld.service", unit(true, true, "active")), "Firewalld"),
    ("no runtime", true, |m| m.runtime_down = Some("connection refused"), "CRI"),
    ("runtime not ready", true, |m| m.overlay.runtime.not_ready = Some("cni plugin not initialized".to_owned()), "CRI"),
    (
        "another pause image",
        false,
        |m| m.overlay.runtime.sandbox_image = Some("registry.k8s.io/pause:3.8".to_owned()),
        "PauseImage",
    ),
    ("swap at the next boot", false, |m| m.put("/etc/fstab", "/swap.img none swap sw 0 0\n", 0o644), "Swap"),
    ("clock that nobody sets", false, |m| m.overlay.probed.clock_synchronized = Some(false), "TimeSync"),
    ("SELinux", false, |m| m.put("/sys/fs/selinux/enforce", "1", 0o644), "SELinux"),
    ("old kernel", true, |m| set_kernel(m, "3.2.0"), "SystemVerification"),
    ("kernel of unknown make", false, |m| set_kernel(m, "6.2.0"), "SystemVerification"),
    (
        "kernel without cpusets",
        true,
        |m| m.put("/boot/config-6.1.0", "CONFIG_NAMESPACES=y\n", 0o644),
        "SystemVerification",
    ),
    ("no overlay", false, |m| m.overlay.facts.file_systems.clear(), "KernelModules"),
    (
        "few inotify instances",
        false,
        |m| drop(m.overlay.facts.sysctls.insert("fs/inotify/max_user_instances".to_owned(), "64".to_owned())),
        "Inotify",
    ),
    (
        "kubelet flag that hides the configuration",
        true,
        |m| m.put("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--config=/etc/mine.yaml\n", 0o644),
        "KubeletFlags",
    ),
    (
        "kubelet flag with another driver",
        false,
        |m| m.put("/etc/sysconfig/kubelet", "KUBELET_EXTRA_ARGS=\"--cgroup-driver systemd\"\n", 0o644),
        "KubeletFlags",
    ),
    (
        "kubelet flag with another name",
        true,
        |m| m.put("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--hostname-override=other\n", 0o644),
        "KubeletFlags",
    ),
    (
        "kubelet flag with another socket",
        true,
        |m| m.put("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--container-runtime-endpoint=unix:///run/x\n", 0o644),
        "KubeletFlags",
    ),
    ("two default routes", false, |m| m.overlay.facts.routes.push(a_route("eth1", "0.0.0.0/0")), "DefaultRoute"),
    ("small packets", false, |m| m.overlay.facts.interfaces[0].mtu = 1200, "Mtu"),
    (
        "address in the Service network",
        true,
        |m| m.overlay.facts.interfaces[0].addresses.push("10.96.0.9".parse().unwrap()),
        "NetworkOverlap",
    ),
    (
        "route into the Service network",
        false,
        |m| m.overlay.facts.routes.push(a_route("vpn0", "10.96.0.0/16")),
        "NetworkOverlap",
    ),
    (
        "name server in the Service network",
        false,
        |m| m.put("/etc/resolv.conf", "nameserver 10.100.0.53\n", 0o644),
        "NetworkOverlap",
    ),
    ("proxy before the API server", false, |m| set_proxy(m, "10.96.0.0/12"), "HTTPProxy"),
    ("little space for Pods", false, |m| set_space(m, "/var/lib/kubelet", 9), "DiskSpace"),
    ("little space for images", false, |m| set_space(m, "/var/lib/containerd", 14), "DiskSpace"),
    (
        "no programs in containers",
        true,
        |m| m.overlay.facts.mounts.push(a_mount("/var/lib/containerd")),
        "MountOptions",
    ),
    ("no programs in volumes", false, |m| m.overlay.facts.mounts.push(a_mount("/var/lib/kubelet")), "MountOptions"),
    ("another cgroup driver", true, |m| m.overlay.runtime.systemd_cgroup = Some(true), "CgroupDriver"),
];

/// Another Node, with something of this machine's.
fn add_node(machine: &mut Machine, name: &str, status: serde_json::Value) {
    machine.shows_nodes = true;
    let overlay = std::mem::take(&mut machine.overlay);
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status});
    machine.overlay = overlay.with_object(node);
}

/// Checks of the cluster that a machine joins, by any release.
pub(crate) const JOINING: &[Row] = &[
    (
        "API server out of reach",
        true,
        |m| drop(m.overlay.probed.peers.insert(("10.77.0.11".to_owned(), 6443), Err("No route to host".to_owned()))),
        "Endpoint",
    ),
    (
        "way with small packets",
        false,
        |m| {
            for peer in m.overlay.probed.peers.values_mut() {
                peer.as_mut().unwrap().segment = 1348;
            }
        },
        "Mtu",
    ),
    ("clock a minute behind", false, |m| m.server_time = Some(NOW.0 + 60), "ClockSkew"),
    ("clock an hour ahead", true, |m| m.server_time = Some(NOW.0 - 3600), "ClockSkew"),
    (
        "name of a Node that is ready",
        true,
        |m| add_node(m, "n2", json!({"conditions": [{"type": "Ready", "status": "True"}]})),
        "DuplicateHostname",
    ),
    ("name of a Node that is away", false, |m| add_node(m, "n2", json!({})), "DuplicateHostname"),
    (
        "copied disk",
        false,
        |m| add_node(m, "other", json!({"nodeInfo": {"machineID": "id-of-n2"}})),
        "DuplicateMachineID",
    ),
    ("no machine ID", false, |m| m.overlay.facts.machine_id.clear(), "DuplicateMachineID"),
    (
        "copied virtual machine",
        false,
        |m| {
            m.overlay.facts.system_uuid = "4C4C4544-0042".to_owned();
            add_node(m, "other", json!({"nodeInfo": {"systemUUID": "4c4c4544-0042"}}));
        },
        "DuplicateProductUUID",
    ),
];

/// Checks that hold for a worker of 1.20.
pub(crate) const WORKER: &[Row] = &[
    (
        "kubeconfig of a kubelet",
        true,
        |m| m.put("/etc/kubernetes/kubelet.conf", "", 0o600),
        "FileAvailable--etc-kubernetes-kubelet.conf",
    ),
    (
        "bootstrap kubeconfig",
        true,
        |m| m.put("/etc/kubernetes/bootstrap-kubelet.conf", "", 0o600),
        "FileAvailable--etc-kubernetes-bootstrap-kubelet.conf",
    ),
    (
        "CA of a cluster",
        true,
        |m| m.put("/etc/kubernetes/pki/ca.crt", "", 0o600),
        "FileAvailable--etc-kubernetes-pki-ca.crt",
    ),
    (
        "a manifest",
        true,
        |m| m.put("/etc/kubernetes/manifests/mine.yaml", "", 0o600),
        "DirAvailable--etc-kubernetes-manifests",
    ),
];

fn spoilt(spoil: fn(&mut Machine), host_name: &str) -> Stage {
    let mut machine = Machine::new(ready_overlay(&V1_20, host_name), "v1.20.2");
    machine.is_api_elsewhere = true;
    spoil(&mut machine);
    Stage::over(machine)
}

fn init_preflight(stage: &Stage, job: &Init) -> Result<(), Problem> {
    stage.within(|world| Phase::<Init>::run(&Preflight, job, world))
}

fn join_preflight(stage: &Stage, job: &JoinWorker) -> Result<(), Problem> {
    stage.within(|world| Phase::<JoinWorker>::run(&Preflight, job, world))
}

/// The one finding is an error with exit code 2, or a warning; either says what to do.
fn assert_finding(stage: &Stage, outcome: &Result<(), Problem>, (name, is_error, _, id): &Row) {
    let warnings = stage.told.warnings();
    let found = match outcome {
        Err(problem) => {
            assert_eq!((problem.id.as_str(), problem.exit), ("preflight", Exit::Preflight), "{name}");
            assert!(
                problem.fixes.iter().any(|fix| fix.ends_with(&format!("--ignore-preflight-errors={id}"))),
                "{name}"
            );
            assert_eq!(warnings.len(), 0, "{name}");
            problem.findings.clone()
        }
        Ok(()) => warnings,
    };
    assert_eq!(outcome.is_err(), *is_error, "{name}: {outcome:?}");
    let ids: Vec<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, [*id], "{name}");
    assert!(!found[0].fixes.is_empty() && found[0].fixes.iter().all(|fix| !fix.is_empty()), "{name}");
    assert!(!found[0].why.is_empty() && !found[0].what.ends_with('.'), "{name}");
    assert!(stage.machine.made().is_empty(), "{name}: preflight has changed something");
}

#[test]
fn init_finds_what_is_wrong_with_a_machine() {
    for row in CONTROL_PLANE.iter().chain(EVERY_NODE) {
        let stage = spoilt(row.2, "n1");
        assert_finding(&stage, &init_preflight(&stage, &init_job(V1_20)), row);
    }
}

#[test]
fn join_finds_what_is_wrong_with_a_machine() {
    for row in EVERY_NODE.iter().chain(WORKER).chain(JOINING) {
        let stage = spoilt(row.2, "n2");
        assert_finding(&stage, &join_preflight(&stage, &join_job(V1_20)), row);
    }
}

#[test]
fn a_worker_needs_less_than_a_control_plane_node() {
    // The manifest folder is looked at separately.
    for row in CONTROL_PLANE.iter().filter(|(.., id)| !id.contains("manifests")) {
        let stage = spoilt(row.2, "n2");
        assert_eq!(join_preflight(&stage, &join_job(V1_20)), Ok(()), "{}", row.0);
    }
}

#[test]
fn newer_releases_ask_for_less() {
    let mut machine = Machine::new(ready_overlay(&V1_36, "n1"), "v1.36.2");
    machine.overlay.facts.sysctls.remove("net/bridge/bridge-nf-call-iptables");
    machine.overlay.facts.cgroup_controllers.retain(|it| ["cpu", "cpuset", "memory", "pids"].contains(&it.as_str()));
    machine.overlay.facts.swaps.push("/swap.img".to_owned());
    let stage = Stage::over(machine);
    assert_eq!(init_preflight(&stage, &init_job(V1_36)), Ok(()));
    let warnings: Vec<String> = stage.told.warnings().into_iter().map(|warning| warning.id).collect();
    assert_eq!(warnings, ["Swap", "KernelModules"]);
}

#[test]
fn ignored_errors_become_warnings() {
    for (name, _, spoil, id) in CONTROL_PLANE.iter().chain(EVERY_NODE).filter(|(_, is_error, ..)| *is_error) {
        for ignored in [(*id).to_owned(), id.to_uppercase(), "all".to_owned()] {
            let stage = spoilt(*spoil, "n1");
            let mut job = init_job(V1_20);
            job.node.ignore_preflight_errors = vec!["Another".to_owned(), ignored.clone(), "ImagePull".to_owned()];
            assert_eq!(init_preflight(&stage, &job), Ok(()), "{name}, ignored as {ignored}");
            let warnings: Vec<String> = stage.told.warnings().into_iter().map(|warning| warning.id).collect();
            assert_eq!(warnings, [*id], "{name}, ignored as {ignored}");
        }
    }
}

#[test]
fn all_findings_come_together() {
    let stage = spoilt(
        |m| {
            m.overlay.facts.cpus = 1;
            m.overlay.facts.swaps.push("/swap.img".to_owned());
            m.overlay.facts.programs.clear();
        },
        "n1",
    );
    let problem = init_preflight(&stage, &init_job(V1_20)).unwrap_err();
    let errors: Vec<&str> = problem.findings.iter().map(|finding| finding.id.as_str()).collect();
    let programs = ["conntrack", "ip", "iptables", "mount", "nsenter"].map(|name| format!("FileExisting-{name}"));
    assert_eq!(errors[..2], ["NumCPU", "Swap"]);
    assert_eq!(errors[2..], programs);
    assert_eq!(stage.told.warnings().len(), 5);
}

#[test]
fn a_pod_network_over_an_address_of_this_machine_is_found_and_one_over_a_cni_link_is_not() {
    let mut job = init_job(V1_20);
    job.cluster.networking.pod_subnets = Cidr::parse_list("10.77.0.0/16").unwrap();
    for (interface, is_wrong) in [("eth0", true), ("cni0", false)] {
        let stage = spoilt(|_| {}, "n1");
        let mut stage = stage;
        interface.clone_into(&mut stage.machine.overlay.facts.interfaces[0].name);
        assert_eq!(init_preflight(&stage, &job).is_err(), is_wrong, "{interface}");
    }
}

#[test]
fn images_that_are_missing_are_pulled_together() {
    let mut stage = Stage::ready(&V1_20, "n1");
    stage.machine.overlay.runtime.images.truncate(5);
    init_preflight(&stage, &init_job(V1_20)).unwrap();
    assert_eq!(stage.transcript(), "pull k8s.gcr.io/etcd:3.4.13-0, k8s.gcr.io/coredns:1.7.0\n");

    let mut job = init_job(V1_20);
    let mut stage = Stage::ready(&V1_20, "n1");
    stage.machine.overlay.runtime.images.clear();
    "Never".clone_into(&mut job.node.image_pull_policy);
    init_preflight(&stage, &job).unwrap();
    assert_eq!(stage.transcript(), "");
}

#[test]
fn a_pull_that_fails_names_the_images_and_ends_with_two() {
    let mut stage = Stage::ready(&V1_20, "n1");
    stage.machine.overlay.runtime.images.truncate(6);
    stage.machine.fails_from.set(Some(1));
    let problem = init_preflight(&stage, &init_job(V1_20)).unwrap_err();
    assert_eq!((problem.id.as_str(), problem.exit), ("ImagePull", Exit::Preflight));
    assert!(problem.fixes.iter().any(|fix| fix.ends_with("coredns:1.7.0")), "{:?}", problem.fixes);
}

#[test]
fn what_kubestrap_left_itself_is_not_held_against_it() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.run(&INIT, &init_job(V1_20)).unwrap();
    assert_eq!(init_preflight(&stage, &init_job(V1_20)), Ok(()), "its own control plane runs");

    // The same machine without its journal is somebody else's node.
    stage.store.forget();
    let problem = init_preflight(&stage, &init_job(V1_20)).unwrap_err();
    let ids: Vec<&str> = problem.findings.iter().map(|finding| finding.id.as_str()).collect();
    for id in ["Port-6443", "Port-2379", "Port-10250", "DirAvailable--var-lib-etcd"] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }

    let stage = Stage::ready_to_join(&V1_20);
    stage.run(&JOIN, &join_job(V1_20)).unwrap();
    assert_eq!(join_preflight(&stage, &join_job(V1_20)), Ok(()), "its own kubelet runs");
    stage.store.forget();
    assert!(join_preflight(&stage, &join_job(V1_20)).is_err());
}

#[test]
fn a_port_that_somebody_else_has_taken_is_found_on_our_own_node_too() {
    let stage = Stage::ready(&V1_20, "n1");
    stage.run(&INIT, &init_job(V1_20)).unwrap();
    stage.run(&RESET, &stage.reset_job()).unwrap();
    let mut stage = stage;
    listens(&mut stage.machine, 6443);
    let problem = init_preflight(&stage, &init_job(V1_20)).unwrap_err();
    assert_eq!(problem.findings[0].what, "port 6443 is taken by nginx (PID 7)");
}
