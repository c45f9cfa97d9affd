//! Components' last lines, what they say while they run, and ends that are past.

use super::*;
use crate::config::Release;
use crate::diagnosis::control_plane_since;
use crate::support::Bench;
use crate::support::jobs::default_init;
use crate::world::{Overlay, UnitState};

fn ended(reason: &str) -> ContainerInfo {
    ContainerInfo {
        id: "1".to_owned(),
        name: "etcd".to_owned(),
        state: "exited".to_owned(),
        attempt: 0,
        exit_code: 1,
        reason: reason.to_owned(),
        log: "/log".into(),
    }
}

#[test]
fn what_components_have_said_has_one_cause() {
    for (component, line, id) in [
        ("kube-apiserver", "Error: unknown flag: --audit-log-pth", "bad-flag"),
        ("etcd", "flag provided but not defined: -made-up", "bad-flag"),
        ("kube-apiserver", "Error: invalid argument \"x\" for \"--v\" flag: strconv", "bad-value"),
        (
            "kube-apiserver",
            "error: failed to create listener: failed to listen on 0.0.0.0:6443: listen tcp 0.0.0.0:6443: bind: address already in use",
            "port-taken",
        ),
        ("etcd", "listen tcp 10.0.0.9:2380: bind: cannot assign requested address", "no-address"),
        ("etcd", "walpb: crc mismatch", "data-corrupt"),
        ("etcd", "2026-11-23 04:40:52.690338 C | etcdmain: wal: max entry size limit exceeded", "data-corrupt"),
        ("kube-apiserver", "fatal error: newosproc", "pid-limit"),
        (
            "kube-apiserver",
            "Error: loading audit policy file: failed to read file path \"/etc/kubernetes/audit.yaml\": open /etc/kubernetes/audit.yaml: no such file or directory",
            "file-missing",
        ),
        (
            "kube-apiserver",
            "Error: loading audit policy file: failed decoding: yaml: line 1: did not find expected node content: from file /etc/audit/policy.yaml",
            "bad-file",
        ),
        ("etcd", "error validating peerURLs: member count is unequal", "data-of-another-cluster"),
        ("kube-apiserver", "Error: open /etc/kubernetes/pki/apiserver.crt: no such file or directory", "file-missing"),
        ("kube-apiserver", "Error: tls: private key does not match public key", "key-mismatch"),
        ("kube-apiserver", "Error: context deadline exceeded", "etcd-away"),
        (
            "kube-apiserver",
            "transport: authentication handshake failed: x509: certificate signed by unknown authority",
            "etcd-certificate-refused",
        ),
        (
            "etcd",
            "fatal error: newosproc: runtime: failed to create new OS thread (have 5 already; errno=11)",
            "pid-limit",
        ),
        (
            "kube-controller-manager",
            "error: Get \"https://10.77.1.11:6443/api\": proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused",
            "proxy",
        ),
    ] {
        assert_eq!(rule_of(component, &ended("Error"), line).map(|rule| rule.id), Some(id), "{line}");
    }
    assert_eq!(rule_of("etcd", &ended("OOMKilled"), "").map(|rule| rule.id), Some("out-of-memory"));
}

#[test]
fn etcd_is_away_for_the_api_server_only() {
    let line = "Error: context deadline exceeded";
    assert!(rule_of("kube-controller-manager", &ended("Error"), line).is_none());
}

#[test]
fn the_refused_port_is_read_from_what_grpc_says() {
    let line = "grpc: addrConn.createTransport failed to connect to {https://127.0.0.1:2390  <nil> 0 <nil>}. Err :connection error: desc = \"transport: Error while dialing dial tcp 127.0.0.1:2390: connect: connection refused\". Reconnecting...";
    assert_eq!(port_refused(line), Some(2390));
    assert_eq!(port_refused("dial tcp 127.0.0.1:2390: i/o timeout"), None);
}

#[test]
fn the_port_is_read_from_what_go_says() {
    assert_eq!(port_of("listen tcp 0.0.0.0:6443: bind: address already in use"), Some(6443));
    assert_eq!(port_of("listen tcp [::1]:2379: bind: address already in use"), Some(2379));
    assert_eq!(port_of("no port here"), None);
}

fn node() -> NodeConfig {
    default_init(Release::new(20, 2)).node
}

/// A node whose kubelet runs, with one component in this state, and its log.
fn bench(component: &str, state: &str, attempt: u32, log: &str) -> Bench {
    let log: String = log.lines().map(|line| format!("2026-11-23T04:00:00Z stderr F {line}\n")).collect();
    let container = ContainerInfo { state: state.to_owned(), attempt, name: component.to_owned(), ..ended("Error") };
    let running = UnitState { exists: true, active: "active".to_owned(), ..UnitState::default() };
    let mut overlay = Overlay::default().with_file("/log", &log, 0o640).with_unit("kubelet.service", running);
    let sandbox = |component: &str, containers| Sandbox {
        is_of_kubelet: true,
        id: component.to_owned(),
        name: format!("{component}-{}", node().name),
        namespace: "kube-system".to_owned(),
        containers,
    };
    overlay.runtime.sandboxes = vec![sandbox(component, vec![container])];
    if component != "etcd" {
        overlay.runtime.sandboxes.push(sandbox("etcd", Vec::new()));
    }
    Bench::over(overlay)
}

/// The cause that is certain when the API server does not answer.
fn named(bench: &Bench, component: &str, past: &Past, answer: &str) -> Option<String> {
    let sight = bench.within(|world| control_plane_since(past, &node(), &[component], answer, world)).unwrap();
    sight.certain.map(|problem| problem.id)
}

const REFUSED: &str = "connection refused";

#[test]
fn an_end_of_before_is_no_evidence() {
    let log = "Error: unknown flag: --audit-log-pth";
    let before = bench("kube-apiserver", "exited", 2, log);
    let past = before.within(|world| Past::of(&node(), &["kube-apiserver"], world)).unwrap();
    assert!(past.is_between_attempts());
    assert_eq!(named(&before, "kube-apiserver", &past, REFUSED), None);
    assert_eq!(named(&before, "kube-apiserver", &Past::default(), REFUSED).as_deref(), Some("apiserver-bad-flag"));
    let again = bench("kube-apiserver", "exited", 3, log);
    assert_eq!(named(&again, "kube-apiserver", &past, REFUSED).as_deref(), Some("apiserver-bad-flag"));
    // Another manifest makes another Pod, which begins to count anew.
    let anew = bench("kube-apiserver", "exited", 0, log);
    assert_eq!(named(&anew, "kube-apiserver", &past, REFUSED).as_deref(), Some("apiserver-bad-flag"));
}

#[test]
fn what_needs_an_api_server_may_end_until_there_is_one() {
    let log = "error: something that no rule knows";
    let bench = bench("kube-scheduler", "exited", 5, log);
    assert_eq!(named(&bench, "kube-scheduler", &Past::default(), REFUSED), None);
    assert_eq!(named(&bench, "kube-scheduler", &Past::default(), "").as_deref(), Some("scheduler-crash-looping"));
}

#[test]
fn a_running_api_server_that_cannot_get_at_etcd_has_a_cause() {
    let dial = |port: u16| {
        format!(
            "W1123 04:00:00.000000 1 clientconn.go:1223] grpc: failed to connect. Err :connection error: desc = \"transport: Error while dialing dial tcp 127.0.0.1:{port}: connect: connection refused\". Reconnecting...\n"
        )
    };
    let handshake = "W1123 04:00:00.000000 1 clientconn.go:1223] grpc: failed to connect. Err :connection error: desc = \"transport: authentication handshake failed: x509: certificate signed by unknown authority\". Reconnecting...\n";
    for (log, expected) in [
        (dial(2390).repeat(3), Some("apiserver-etcd-away")),
        (dial(2390).repeat(2), None),
        (dial(2379).repeat(9), None),
        (handshake.repeat(3), Some("apiserver-etcd-certificate-refused")),
    ] {
        let bench = bench("kube-apiserver", "running", 0, &log);
        assert_eq!(named(&bench, "kube-apiserver", &Past::default(), REFUSED).as_deref(), expected, "{log}");
    }
    // One that has given up need not say it three times.
    let bench = bench("kube-apiserver", "exited", 0, &format!("{handshake}Error: context deadline exceeded\n"));
    let id = named(&bench, "kube-apiserver", &Past::default(), REFUSED);
    assert_eq!(id.as_deref(), Some("apiserver-etcd-certificate-refused"));
}

#[test]
fn the_complaint_of_gos_flags_is_found_above_the_usage() {
    let log =
        "flag provided but not defined: -snapshot-cuont\nUsage:\n\n  etcd [OPTIONS]\n    Path to the error log.\n";
    let bench = bench("etcd", "exited", 0, log);
    assert_eq!(named(&bench, "etcd", &Past::default(), REFUSED).as_deref(), Some("etcd-bad-flag"));
}

#[test]
fn a_controller_manager_behind_a_dead_proxy_is_named_though_the_api_server_is_ready() {
    let log = "E1123 05:10:17.664064       1 leaderelection.go:325] error retrieving resource lock kube-system/kube-controller-manager: Get \"https://10.77.2.11:6443/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager?timeout=10s\": proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused";
    let bench = bench("kube-controller-manager", "running", 0, log);
    let id = named(&bench, "kube-controller-manager", &Past::default(), "");
    assert_eq!(id.as_deref(), Some("controller-manager-proxy"));
}
