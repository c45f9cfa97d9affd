//! Preflight: the good case of every check, what differs between releases and configurations, and the command on its own.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::config::draft::Origin;
use crate::config::findings::Findings;
use crate::config::{Etcd, ExternalEtcd, HostPort, Init, InitFlags, JoinFlags, Release};
use crate::patches;
use crate::preflight::{CHECKS, LookFlags, Outcome, Role, Server, Subject, Trust, Verdict, inspect, look};
use crate::preflight_checks::{CONTROL_PLANE, EVERY_NODE, JOINING, WORKER};
use crate::stage::{Machine, Stage, init_job, join_job, ready_overlay};
use crate::support::NOW;
use crate::support::jobs::{self, V1_20, V1_36};

/// Checks whose bad case stands below, or in `damaged.rs`, since it needs another job or an earlier run.
const BELOW: [&str; 9] = [
    "Patches",
    "FileIntact",
    "KubernetesVersion",
    "ContainerRuntimeVersion",
    "ImagePull",
    "EndpointName",
    "Discovery",
    "ExternalEtcdVersion",
    "ExternalEtcdClientCertificates",
];

/// The check that reports under a name: `Port-6443` is of `Port-<number>`.
fn family(name: &str) -> &'static str {
    let is_of = |check: &str| check.split_once('<').map_or(check == name, |(prefix, _)| name.starts_with(prefix));
    CHECKS.iter().map(|check| check.name).find(|check| is_of(check)).unwrap()
}

/// A machine of which everything is known and good.
fn a_good_machine(release: &Release, host_name: &str) -> Machine {
    let mut machine = Machine::new(ready_overlay(release, host_name), &release.to_string());
    machine.is_api_elsewhere = true;
    machine.shows_nodes = true;
    machine.server_time = Some(NOW.0 + 1);
    machine.external_etcd = Some(json!({"etcdserver": "3.6.8", "etcdcluster": "3.6.0"}).to_string());
    machine.overlay.facts.system_uuid = "0a1b".to_owned();
    let cluster = init_job(release.clone()).cluster;
    machine.overlay.runtime.sandbox_image = Some(crate::releases::Image::Pause.reference(&cluster));
    machine.overlay.runtime.systemd_cgroup = Some(false);
    machine
}

fn external(job: &mut Init) {
    job.cluster.etcd = Etcd::External(ExternalEtcd {
        endpoints: vec!["https://etcd-1:2379/".to_owned()],
        http_endpoints: Vec::new(),
        ca_file: "/etc/etcd/ca.crt".into(),
        cert_file: "/etc/etcd/client.crt".into(),
        key_file: "/etc/etcd/client.key".into(),
    });
}

fn put_client_files(machine: &Machine) {
    for file in ["ca.crt", "client.crt", "client.key"] {
        machine.put(&format!("/etc/etcd/{file}"), "", 0o600);
    }
}

fn of_init(machine: Machine, job: &Init) -> Vec<Outcome> {
    Stage::over(machine).within(|world| inspect(&Subject::of_init(job), world)).unwrap()
}

/// Names, verdicts and texts of what is not good.
fn bad(outcomes: &[Outcome]) -> Vec<(&str, Verdict)> {
    let bad = outcomes.iter().filter(|outcome| outcome.verdict >= Verdict::Warning);
    bad.map(|outcome| (outcome.problem.id.as_str(), outcome.verdict)).collect()
}

#[test]
fn every_check_has_a_bad_case_among_these_tests() {
    let rows = [CONTROL_PLANE, EVERY_NODE, WORKER, JOINING].concat();
    let tested: BTreeSet<&str> = rows.iter().map(|(.., id)| family(id)).chain(BELOW).collect();
    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(tested, all);
}

#[test]
fn every_check_passes_on_a_good_machine() {
    for release in [V1_20, Release::new(29, 1), V1_36] {
        let mut passed: BTreeSet<&str> = BTreeSet::new();
        let mut take = |outcomes: Vec<Outcome>, name: &str| {
            assert_eq!(bad(&outcomes), [], "{release} {name}");
            let good = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed);
            passed.extend(good.map(|outcome| family(&outcome.problem.id)));
        };
        take(of_init(a_good_machine(&release, "n1"), &init_job(release.clone())), "init");

        let (mut job, machine) = (init_job(release.clone()), a_good_machine(&release, "n1"));
        external(&mut job);
        put_client_files(&machine);
        take(of_init(machine, &job), "init with external etcd");

        let worker = join_job(release.clone());
        let server = Server::of_join(&worker);
        let stage = Stage::over(a_good_machine(&release, "n2"));
        take(stage.within(|world| inspect(&Subject::of_worker(&worker, &server), world)).unwrap(), "worker");

        let mut job = jobs::join_control_plane(release.clone());
        job.worker = worker;
        let stage = Stage::over(a_good_machine(&release, "n2"));
        take(stage.within(|world| inspect(&Subject::of_control_plane(&job, &server), world)).unwrap(), "control plane");

        let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(passed, all, "{release}");
    }
}

#[test]
fn a_file_that_is_no_patch_is_named() {
    let (mut job, machine) = (init_job(V1_20), a_good_machine(&V1_20, "n1"));
    machine.put("/etc/patches/readme.txt", "", 0o644);
    let (origin, mut findings) = (Origin::Flag("--patches"), Findings::default());
    job.node.patches = patches::read(Path::new("/etc/patches"), &origin, &machine.overlay, &mut findings).unwrap();
    assert_eq!(bad(&of_init(machine, &job)), [("Patches", Verdict::Warning)]);
}

#[test]
fn names_of_checks_are_unique_but_for_families_of_paths() {
    let names: Vec<&str> = CHECKS.iter().map(|check| check.name).filter(|name| !name.contains('<')).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!((CHECKS[0].name, CHECKS[0].roles.len()), ("IsPrivilegedUser", 3), "root comes first, for everybody");
}

#[test]
fn external_etcd_must_be_new_enough_and_its_files_be_there() {
    let with = |version: &str, has_files: bool, release: Release| {
        let (mut job, mut machine) = (init_job(release.clone()), a_good_machine(&release, "n1"));
        machine.external_etcd = Some(version.to_owned());
        external(&mut job);
        if has_files {
            put_client_files(&machine);
        }
        of_init(machine, &job)
    };
    let old = r#"{"etcdserver":"3.4.13"}"#;
    let wrong = ("ExternalEtcdVersion", Verdict::Error);
    assert_eq!(bad(&with(old, true, V1_20)), []);
    assert_eq!(bad(&with(old, true, V1_36)), [wrong]);
    assert_eq!(bad(&with("<html>", true, V1_36)), [wrong]);
    let missing = ("ExternalEtcdClientCertificates", Verdict::Error);
    assert_eq!(bad(&with(r#"{"etcdserver":"3.5.24"}"#, false, V1_36)), [missing; 3]);
}

#[test]
fn what_depends_on_the_configuration_is_found() {
    type Case = (&'static str, Release, fn(&mut Machine, &mut Init), &'static [(&'static str, Verdict)]);
    use Verdict::{Error, Warning};
    let cases: &[Case] = &[
        (
            "a release that is not known",
            V1_36,
            |m, job| {
                job.cluster.release = Release::new(38, 0);
                "v1.38.0".clone_into(&mut m.kubelet);
            },
            &[("KubernetesVersion", Warning)],
        ),
        (
            "a runtime without RuntimeConfig",
            V1_36,
            |m, _| m.overlay.runtime.tells_cgroup_driver = false,
            &[("ContainerRuntimeVersion", Warning)],
        ),
        ("the same before 1.35", V1_20, |m, _| m.overlay.runtime.tells_cgroup_driver = false, &[]),
        (
            "images that nobody pulls",
            V1_20,
            |m, job| {
                m.overlay.runtime.images.clear();
                "Never".clone_into(&mut job.node.image_pull_policy);
            },
            &[("ImagePull", Warning)],
        ),
        ("images that will be pulled", V1_20, |m, _| m.overlay.runtime.images.clear(), &[]),
        (
            "an endpoint that does not resolve",
            V1_20,
            |m, job| {
                job.cluster.control_plane_endpoint = Some(HostPort::new("k8s.example.com", 6443));
                m.overlay.probed.names.insert("k8s.example.com".to_owned(), Err("Name not known".to_owned()));
            },
            &[("EndpointName", Error)],
        ),
        (
            "an endpoint that resolves",
            V1_20,
            |m, job| {
                job.cluster.control_plane_endpoint = Some(HostPort::new("k8s.example.com", 6443));
                m.overlay.probed.names.insert("k8s.example.com".to_owned(), Ok(vec![[10, 77, 0, 9].into()]));
            },
            &[],
        ),
        (
            "a node name that does not resolve",
            V1_20,
            |m, job| {
                job.node.host_name = "other".to_owned();
                m.overlay.probed.names.insert("n1".to_owned(), Err("Name not known".to_owned()));
            },
            &[("Hostname", Warning)],
        ),
        (
            "swap that the kubelet allows",
            V1_20,
            |m, job| {
                m.overlay.facts.swaps.push("/swap.img".to_owned());
                job.cluster.kubelet.insert("failSwapOn".to_owned(), json!(false));
            },
            &[],
        ),
        ("cgroup v1 with a new kubelet", V1_36, |m, _| set_cgroup_v1(m), &[("SystemVerification", Error)]),
        (
            "cgroup v1 with a new kubelet that allows it",
            V1_36,
            |m, job| {
                set_cgroup_v1(m);
                job.cluster.kubelet.insert("failCgroupV1".to_owned(), json!(false));
            },
            &[("SystemVerification", Warning)],
        ),
        ("cgroup v1 in between", Release::new(31, 0), |m, _| set_cgroup_v1(m), &[("SystemVerification", Warning)]),
        (
            "a kernel between two long-term ones",
            V1_36,
            |m, _| set_kernel(m, "5.14.0"),
            &[("SystemVerification", Warning)],
        ),
        (
            "another cgroup driver that the kubelet takes from the runtime",
            V1_36,
            |m, _| m.overlay.runtime.systemd_cgroup = Some(true),
            &[],
        ),
        (
            "a flag that the kubelet does not know any more",
            V1_36,
            |m, _| m.put("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--container-runtime=remote\n", 0o644),
            &[("KubeletFlags", Error)],
        ),
        (
            "the same flag before",
            V1_20,
            |m, _| m.put("/etc/default/kubelet", "KUBELET_EXTRA_ARGS=--container-runtime=remote\n", 0o644),
            &[],
        ),
        (
            "SELinux with its policy",
            V1_20,
            |m, _| {
                m.put("/sys/fs/selinux/enforce", "1", 0o644);
                m.put("/usr/share/selinux/packages/container.pp.bz2", "", 0o644);
            },
            &[],
        ),
        (
            "an IPv6 node",
            V1_20,
            |m, job| {
                job.endpoint.address = "fd00::11".parse().unwrap();
                m.overlay.facts.sysctls.remove("net/bridge/bridge-nf-call-ip6tables");
            },
            &[
                ("FileContent--proc-sys-net-bridge-bridge-nf-call-ip6tables", Error),
                ("FileContent--proc-sys-net-ipv6-conf-default-forwarding", Error),
            ],
        ),
        (
            "an IPv6 cluster without IPv4",
            V1_36,
            |m, job| {
                job.endpoint.address = "fd00::11".parse().unwrap();
                job.cluster.networking.service_subnets = crate::config::Cidr::parse_list("fd00:96::/108").unwrap();
                m.overlay.facts.sysctls.remove("net/ipv4/ip_forward");
                m.overlay.facts.sysctls.insert("net/ipv6/conf/default/forwarding".to_owned(), "1".to_owned());
            },
            &[],
        ),
        (
            "a route into the Pod network",
            V1_20,
            |m, job| {
                job.cluster.networking.pod_subnets = crate::config::Cidr::parse_list("10.244.0.0/16").unwrap();
                let mut route = m.overlay.facts.routes[1].clone();
                route.destination = crate::config::Cidr::parse("10.244.3.0/24").unwrap();
                m.overlay.facts.routes.push(route);
            },
            &[("NetworkOverlap", Warning)],
        ),
        (
            "several default routes with a chosen address",
            V1_20,
            |m, job| {
                let mut second = m.overlay.facts.routes[0].clone();
                second.interface = "eth1".to_owned();
                m.overlay.facts.routes.push(second);
                job.node.kubelet_extra_args.push(("node-ip".to_owned(), "10.77.0.11".to_owned()));
            },
            &[],
        ),
    ];
    for (name, release, change, expected) in cases {
        let (mut machine, mut job) = (a_good_machine(release, "n1"), init_job(release.clone()));
        change(&mut machine, &mut job);
        let outcomes = of_init(machine, &job);
        assert_eq!(bad(&outcomes), *expected, "{name}: {outcomes:#?}");
    }
}

fn set_cgroup_v1(machine: &mut Machine) {
    machine.overlay.facts.cgroup_v2 = false;
}

fn set_kernel(machine: &mut Machine, kernel: &str) {
    let config = crate::world::Host::read(&machine.overlay, "/boot/config-6.1.0".as_ref()).unwrap().unwrap();
    machine.put(&format!("/boot/config-{kernel}"), std::str::from_utf8(&config).unwrap(), 0o644);
    kernel.clone_into(&mut machine.overlay.facts.kernel);
}

fn look_at(machine: Machine, flags: &LookFlags) -> Vec<Outcome> {
    Stage::over(machine).within(|world| look(flags, world)).unwrap()
}

fn verdict_of(outcomes: &[Outcome], name: &str) -> Option<Verdict> {
    outcomes.iter().find(|outcome| outcome.problem.id == name).map(|outcome| outcome.verdict)
}

#[test]
fn a_look_without_root_says_what_needs_root_and_fails_nothing_for_it() {
    let mut machine = a_good_machine(&V1_20, "n1");
    machine.overlay.facts.uid = 1000;
    machine.overlay.probed.disk = Some(Err("Permission denied".to_owned()));
    let outcomes = look_at(machine, &LookFlags::default());
    assert_eq!(verdict_of(&outcomes, "IsPrivilegedUser"), Some(Verdict::Skipped));
    assert_eq!(verdict_of(&outcomes, "EtcdDisk"), Some(Verdict::Skipped));
    assert_eq!(verdict_of(&outcomes, "NumCPU"), Some(Verdict::Passed), "the others are asked all the same");
    assert_eq!(bad(&outcomes), []);
}

#[test]
fn a_look_at_an_api_server_without_a_token_is_one_from_outside() {
    let flags = LookFlags {
        join: JoinFlags { endpoint: Some("10.77.0.11:6443".to_owned()), ..JoinFlags::default() },
        ..LookFlags::default()
    };
    let outcomes = look_at(a_good_machine(&V1_20, "n2"), &flags);
    assert_eq!(bad(&outcomes), []);
    for name in ["Discovery", "CgroupDriver", "NetworkOverlap"] {
        assert_eq!(verdict_of(&outcomes, name), Some(Verdict::Skipped), "{name}");
    }
    for name in ["Endpoint", "ClockSkew"] {
        assert_eq!(verdict_of(&outcomes, name), Some(Verdict::Passed), "{name}");
    }
    assert_eq!(verdict_of(&outcomes, "NumCPU"), None, "a worker may be small");

    let control_plane = LookFlags { control_plane: true, ..flags };
    let outcomes = look_at(a_good_machine(&V1_20, "n2"), &control_plane);
    for name in ["NumCPU", "Port-6443", "EtcdDisk"] {
        assert_eq!(verdict_of(&outcomes, name), Some(Verdict::Passed), "{name}");
    }
}

#[test]
fn a_cluster_that_cannot_be_verified_is_one_finding_among_the_others() {
    let flags = LookFlags {
        join: JoinFlags {
            endpoint: Some("10.77.0.11:6443".to_owned()),
            token: Some("abcdef.0123456789abcdef".to_owned()),
            discovery_token_ca_cert_hash: vec![format!("sha256:{}", "0".repeat(64))],
            ..JoinFlags::default()
        },
        ..LookFlags::default()
    };
    let outcomes = look_at(a_good_machine(&V1_20, "n2"), &flags);
    assert_eq!(bad(&outcomes), [("Discovery", Verdict::Error)]);
}

#[test]
fn a_file_for_a_join_makes_it_a_join_and_wrong_input_is_refused() {
    let machine = a_good_machine(&V1_20, "n2");
    machine.put(
        "/root/join.yaml",
        "apiVersion: kubeadm.k8s.io/v1beta3\nkind: JoinConfiguration\ndiscovery:\n  bootstrapToken:\n    \
         apiServerEndpoint: 10.77.0.11:6443\n    token: abcdef.0123456789abcdef\n    unsafeSkipCAVerification: true\n",
        0o600,
    );
    let init = InitFlags { config: Some("/root/join.yaml".into()), ..InitFlags::default() };
    let outcomes = look_at(machine, &LookFlags { init, ..LookFlags::default() });
    assert_eq!(verdict_of(&outcomes, "Endpoint"), Some(Verdict::Passed));

    let join = JoinFlags { endpoint: Some("not a host".to_owned()), ..JoinFlags::default() };
    let flags = LookFlags { join, ..LookFlags::default() };
    let stage = Stage::over(a_good_machine(&V1_20, "n2"));
    assert_eq!(stage.within(|world| look(&flags, world)).unwrap_err().id, "config-bad-endpoint");
}

#[test]
fn whoever_may_not_list_nodes_is_told_so() {
    let job = join_job(V1_20);
    let server = Server::of_join(&job);
    let mut machine = a_good_machine(&V1_20, "n2");
    machine.shows_nodes = false;
    let outcomes = Stage::over(machine).within(|world| inspect(&Subject::of_worker(&job, &server), world)).unwrap();
    assert_eq!(bad(&outcomes), []);
    assert_eq!(verdict_of(&outcomes, "DuplicateMachineID"), Some(Verdict::Skipped));
    assert_eq!((server.trust, Subject::of_init(&init_job(V1_20)).role), (Trust::Verified, Role::Init));
}
