//! Where the output goes: nothing that is wrong with it ends a run, and who wants lines without colours gets them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::Bench;
use serde_json::Value;

/// Changes something, so that a run that ended early is seen.
const MAKES: [&str; 5] = ["init", "phase", "certs", "ca", "--rootfs"];
const FLAGS: [&str; 4] = ["--apiserver-advertise-address", "10.77.0.11", "--node-name", "n1"];

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe that nobody reads.
fn broken() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    OwnedFd::from(writer).into()
}

#[test]
fn a_full_or_broken_output_ends_no_run() {
    for (name, output) in [("full", full as fn() -> Stdio), ("broken", broken)] {
        for form in ["text", "json", "yaml"] {
            let bench = Bench::new();
            bench.folder("tree");
            let tree = bench.path("tree").display().to_string();
            let words = [&MAKES[..], &[&tree], &FLAGS, &["-o", form]].concat();
            let status = bench.command(&words).stdout(output()).stderr(output()).status().unwrap();
            assert_eq!(status.code(), Some(0), "{name} {form}");
            assert!(bench.path("tree/etc/kubernetes/pki/ca.crt").exists(), "{name} {form}");
        }
    }
}

#[test]
fn a_full_or_broken_output_loses_no_exit_code_and_tells_of_a_lost_answer() {
    let bench = Bench::new();
    for output in [full as fn() -> Stdio, broken] {
        for (words, code) in [
            (&["--help"][..], 0),
            (&["version"], 1),
            (&["init", "--nonsense"], 1),
            (&["init", "--nonsense", "-o", "json"], 1),
            (&["init", "--dry-run", "--pod-network-cidr", "nonsense"], 3),
            (&["init", "--dry-run", "--apiserver-advertise-address", "10.77.0.11"], 1),
        ] {
            let status = bench.command(words).stdout(output()).stderr(output()).status().unwrap();
            assert_eq!(status.code(), Some(code), "{words:?}");
        }
    }
}

#[test]
fn a_run_that_cannot_write_on_obeys_a_signal() {
    let bench = Bench::new();
    bench.folder("tree");
    let tree = bench.path("tree").display().to_string();
    for form in ["text", "json"] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while writer.write(&[0; 4096]).is_ok() {}
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let output = || Stdio::from(OwnedFd::from(writer.try_clone().unwrap()));
        let words = [&MAKES[..], &[&tree], &FLAGS, &["-o", form]].concat();
        let mut running = bench.command(&words).stdout(output()).stderr(output()).spawn().unwrap();
        let is_ready = |status: &str| {
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (Signal::SIGTERM as i32 - 1)) != 0
        };
        while !is_ready(&fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap()) {
            std::thread::yield_now();
        }
        kill(Pid::from_raw(running.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(130), "{form}");
        drop(reader);
    }
}

#[test]
fn closed_streams_end_no_run() {
    let bench = Bench::new();
    bench.folder("tree");
    let tree = bench.path("tree").display().to_string();
    let program = bench.path("kubestrap").display().to_string();
    let words = [&MAKES[..], &[&tree], &FLAGS].concat().join(" ");
    let script = format!("exec {program} {words} <&- >&- 2>&-");
    let status = Command::new("/bin/sh").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(bench.path("tree/etc/kubernetes/pki/ca.crt").exists());
}

#[test]
fn a_wrong_command_line_is_a_problem_for_programs() {
    let bench = Bench::new();
    let ended = bench.run(&["init", "--pod-network-cdir", "10.0.0.0/8", "-o", "json"]);
    let problem = ended.last();
    assert_eq!((ended.code, &problem["event"], &problem["exit-code"]), (1, &Value::from("problem"), &Value::from(1)));
    assert_eq!(problem["problem"]["id"], "command-line");
    assert_eq!(problem["problem"]["fix"][0], "write --pod-network-cidr");
    assert_eq!(ended.stderr, "");
    let ended = bench.run(&["-o", "yaml", "iint"]);
    assert!(ended.stdout.starts_with("---\n") && ended.stdout.contains("id: command-line"), "{ended:?}");
}

#[test]
fn lines_without_control_characters_are_given_to_who_wants_them() {
    let bench = Bench::new();
    for variables in [&[("NO_COLOR", "1"), ("TERM", "xterm-256color")][..], &[("TERM", "dumb")], &[]] {
        for words in [
            &["init", "--nonsense"][..],
            &["init", "--nonsense", "--plain"],
            &["init", "--help"],
            &["init", "--dry-run", "--plain", "--apiserver-advertise-address", "10.77.0.11"],
            &["init", "--dry-run", "--pod-network-cidr", "nonsense"],
        ] {
            let output = bench.command(words).envs(variables.iter().copied()).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            assert!(!text.contains(&0x1b), "{variables:?} {words:?}");
        }
    }
}
