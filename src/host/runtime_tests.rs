//! What is read from a runtime's answers, on literal ones; and a runtime that is not there.

use std::cell::Cell;

use k8s_cri::v1::{RuntimeCondition, RuntimeStatus as CriStatus};
use kubestrap_phases::problem::Problem;
use serde_json::json;

use super::super::scratch::Scratch;
use super::*;

/// From `crictl info` of containerd 1.6.20, shortened.
const CONTAINERD: &str = r#"{"containerd":{"snapshotter":"overlayfs","defaultRuntimeName":"runc","runtimes":{"runc":{
    "runtimeType":"io.containerd.runc.v2","options":{"BinaryName":"","Root":"","SystemdCgroup":true},
    "sandboxMode":"podsandbox"}}},"cni":{"binDir":"/opt/cni/bin"},"sandboxImage":"registry.k8s.io/pause:3.6",
    "containerdRootDir":"/var/lib/containerd"}"#;

fn told(config: &str) -> StatusResponse {
    StatusResponse { info: [("config".to_owned(), config.to_owned())].into(), ..StatusResponse::default() }
}

fn condition(r#type: &str, status: bool) -> RuntimeCondition {
    let (reason, message) = ("NotNow".to_owned(), "shim is gone".to_owned());
    RuntimeCondition { r#type: r#type.to_owned(), status, reason, message }
}

#[test]
fn containerds_configuration_tells_sandbox_image_and_cgroup_driver() {
    let expected = Config {
        sandbox_image: Some("registry.k8s.io/pause:3.6".to_owned()),
        systemd_cgroup: Some(true),
        root: Some("/var/lib/containerd".into()),
    };
    assert_eq!(Config::read(&told(CONTAINERD)), expected);
}

#[test]
fn what_a_runtime_does_not_tell_stays_open() {
    let image_only = Config { sandbox_image: Some("pause:3.9".to_owned()), ..Config::default() };
    for (name, config, expected) in [
        ("CRI-O", r#"{"sandboxImage":"pause:3.9"}"#, image_only),
        ("no configuration", "", Config::default()),
        ("no options", r#"{"containerd":{"runtimes":{"runc":{"options":null}}},"sandboxImage":""}"#, Config::default()),
    ] {
        assert_eq!(Config::read(&told(config)), expected, "{name}");
    }
}

#[test]
fn the_cgroup_driver_is_that_of_the_default_handler() {
    let handler = |systemd: bool| json!({"options": {"SystemdCgroup": systemd}});
    let runtimes = json!({"runc": handler(false), "crun": handler(true)});
    let config = Config::of(&json!({"containerd": {"defaultRuntimeName": "crun", "runtimes": runtimes}}));
    assert_eq!(config.systemd_cgroup, Some(true));
}

#[test]
fn a_runtime_is_ready_without_a_network_and_says_why_it_is_not() {
    let status = |conditions: Vec<RuntimeCondition>| StatusResponse {
        status: Some(CriStatus { conditions }),
        ..StatusResponse::default()
    };
    let ready = status(vec![condition("NetworkReady", false), condition("RuntimeReady", true)]);
    assert_eq!(not_ready(&ready), None);
    let broken = status(vec![condition("RuntimeReady", false)]);
    assert_eq!(not_ready(&broken).as_deref(), Some("NotNow: shim is gone"));
    assert!(not_ready(&StatusResponse::default()).is_some());
}

#[test]
fn a_socket_that_is_not_there_or_has_no_listener_is_named_with_the_kernels_words() {
    let scratch = Scratch::new();
    let dead = scratch.join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    for (socket, words) in [(scratch.join("none.sock"), "No such file"), (dead, "Connection refused")] {
        let problem = Problem::from(Runtimes::default().status(&format!("unix://{}", socket.display())).unwrap_err());
        assert_eq!(problem.id, "runtime-failed");
        assert_eq!(problem.place, Some(format!("unix://{}", socket.display())));
        assert!(problem.why.contains(words), "{}", problem.why);
    }
}

#[test]
fn a_socket_that_does_not_answer_is_given_up_after_the_limit() {
    let scratch = Scratch::new();
    let _silent = std::os::unix::net::UnixListener::bind(scratch.join("silent.sock")).unwrap();
    let began = Instant::now();
    let error = Runtimes::default().status(&scratch.join("silent.sock").display().to_string()).unwrap_err();
    let HostError::Runtime { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// How often a removal is tried that is refused so many times in these words, and whether it succeeds.
fn tried(refusals: u32, words: &str, passing: Duration) -> (u32, bool) {
    let count = Cell::new(0);
    let once = || async {
        count.set(count.get() + 1);
        if count.get() > refusals { Ok(()) } else { Err(Box::new(Status::unknown(words))) }
    };
    let patience = Patience { pause: Duration::ZERO, passing };
    let answer = Builder::new_current_thread().enable_time().build().unwrap().block_on(tries(&patience, once));
    (count.get(), answer.is_ok())
}

#[test]
fn a_container_that_is_being_started_is_waited_for_and_other_refusals_are_not() {
    // From containerd 1.6.20, asked right after the kubelet had begun to start the container.
    let starting = r#"failed to remove container "3f": failed to set removing state for container "3f": container is in starting state, can't be removed"#;
    let long = Duration::from_secs(3600);
    assert_eq!(tried(TRIES + 20, starting, long), (TRIES + 21, true));
    assert_eq!(tried(TRIES + 20, "device or resource busy", long), (TRIES, false));
    assert_eq!(tried(TRIES + 20, starting, Duration::ZERO), (TRIES, false), "not for ever");
}
