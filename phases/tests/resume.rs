//! A run that is broken off anywhere is finished by the same command: at every line of the journal, at every change that
//! fails, and by the user after every change.

use std::path::{Path, PathBuf};

use crate::config::{Init, JoinControlPlane, JoinWorker, Release, Reset};
use crate::plan::Workflow;
use crate::problem::{Exit, Problem};
use crate::stage::outcome::{Outcome, assert_certificates_fit};
use crate::stage::{Stage, init_job, join_job};
use crate::support::jobs::{V1_20, V1_36};
use crate::workflows::{INIT, JOIN, JOIN_CONTROL_PLANE, RESET};
use crate::world::{Change, KeyAlgorithm};

/// A job whose keys are made and checked in no time.
fn quick_job(release: Release) -> Init {
    let mut job = init_job(release);
    job.cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
    job
}

/// A machine that has to pull all images.
fn without_images(release: Release) -> Stage {
    let mut stage = Stage::ready(&release, "n1");
    stage.machine.overlay.runtime.images.clear();
    stage
}

/// A control-plane node with files that were there before, and files of somebody else.
fn initialised(release: Release) -> Stage {
    let stage = Stage::ready(&release, "n1");
    stage.machine.put("/var/lib/kubelet/config.yaml", "# of the distribution\n", 0o640);
    stage.machine.put("/etc/kubernetes/pki/mine.crt", "mine\n", 0o644);
    stage.run(&INIT, &quick_job(release)).unwrap();
    stage
}

/// A machine before a run, and the run.
struct Case<J: 'static> {
    workflow: &'static Workflow<J>,
    stage: fn() -> Stage,
    job: fn(&Stage) -> J,
    /// Whether the certificates of a control-plane node are there afterwards.
    makes_certificates: bool,
}

const INITIALISE: [Case<Init>; 2] = [
    Case { workflow: &INIT, stage: || without_images(V1_20), job: |_| quick_job(V1_20), makes_certificates: true },
    Case { workflow: &INIT, stage: || without_images(V1_36), job: |_| quick_job(V1_36), makes_certificates: true },
];

const JOINING: [Case<JoinWorker>; 2] = [
    Case {
        workflow: &JOIN,
        stage: || Stage::ready_to_join(&V1_20),
        job: |_| join_job(V1_20),
        makes_certificates: false,
    },
    Case {
        workflow: &JOIN,
        stage: || Stage::ready_to_join(&V1_36),
        job: |_| join_job(V1_36),
        makes_certificates: false,
    },
];

const JOINING_CONTROL_PLANE: [Case<JoinControlPlane>; 2] = [
    Case {
        workflow: &JOIN_CONTROL_PLANE,
        stage: || Stage::ready_to_join_control_plane(&V1_20),
        job: |stage| stage.join_control_plane_job(V1_20),
        makes_certificates: true,
    },
    Case {
        workflow: &JOIN_CONTROL_PLANE,
        stage: || Stage::ready_to_join_control_plane(&V1_36),
        job: |stage| stage.join_control_plane_job(V1_36),
        makes_certificates: true,
    },
];

const RESETTING: [Case<Reset>; 2] = [
    Case { workflow: &RESET, stage: || initialised(V1_20), job: Stage::reset_job, makes_certificates: false },
    Case { workflow: &RESET, stage: || initialised(V1_36), job: Stage::reset_job, makes_certificates: false },
];

/// How a run is broken off after `n` things went well, and the problem it then ends with.
struct Break {
    name: &'static str,
    arm: fn(&Stage, usize),
    expected: fn(&Problem) -> bool,
}

/// What a full disk is told as: which one, and what to do.
fn names_the_disk(problem: &Problem) -> bool {
    let has_fix = problem.fixes.iter().any(|fix| fix.starts_with("see how full it is: df -h /"));
    problem.id == "disk-full" && problem.place.is_some() && has_fix
}

const JOURNAL_FAILS: Break = Break {
    name: "journal line",
    arm: |stage, n| stage.store.left.set(Some(n)),
    expected: |problem| names_the_disk(problem) && problem.place.as_deref() == Some("/var/lib/kubestrap/journal"),
};

const CHANGE_FAILS: Break = Break {
    name: "change",
    arm: |stage, n| stage.machine.fails_from.set(Some(stage.machine.asked.get() + n + 1)),
    expected: |problem| {
        let is_elsewhere = ["runtime-failed", "api-refused", "etcd-refused", "unmount"].contains(&&*problem.id);
        let says_so = problem.why.contains("no space")
            || problem.why.contains("space exceeded")
            || problem.id == "etcd-member-left";
        names_the_disk(problem)
            || (is_elsewhere || says_so) && !problem.fixes.is_empty() && problem.exit != Exit::Interrupted
    },
};

const USER_STOPS: Break = Break {
    name: "interrupted change",
    arm: |stage, n| stage.time.interrupted_after.set(Some(stage.machine.asked.get() + n)),
    expected: |problem| problem.id == "interrupted" && problem.exit.code() == 130,
};

fn count(stage: &Stage, kind: &str) -> usize {
    stage.machine.overlay.objects().iter().filter(|object| object["kind"] == kind).count()
}

type Tree = std::collections::BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

/// Every file is as it was, or as a change that was made says, or the kubelet's.
fn nothing_is_half_written(stage: &Stage, there: &Tree, before: usize, name: &str) {
    let made = &stage.machine.made()[before..];
    let last_write = |path: &Path| {
        made.iter().rev().find_map(|change| match change {
            Change::File { path: written, content, mode, .. } if written == path => {
                Some((*mode, content.bytes().to_vec()))
            }
            _ => None,
        })
    };
    for (path, (mode, content)) in stage.machine.tree() {
        let Some(content) = content else { continue };
        let is_as_before = there.get(&path).is_some_and(|before| *before == (mode, Some(content.clone())));
        let is_link = path.ends_with("kubelet-client-current.pem");
        assert!(
            is_as_before || is_link || stage.machine.is_of_kubelet(&path) || last_write(&path) == Some((mode, content)),
            "{name}: {} is half-written",
            path.display()
        );
    }
}

/// Breaks a run off after 0, 1, 2, … until it is finished without a break; each time a second run finishes it.
fn finishes<J>(cases: &[Case<J>], breaking: &Break) {
    for case in cases {
        finishes_one(case, breaking);
    }
}

fn finishes_one<J>(case: &Case<J>, breaking: &Break) {
    let unbroken = (case.stage)();
    let job = (case.job)(&unbroken);
    unbroken.run(case.workflow, &job).unwrap();
    let expected = Outcome::of(&unbroken);
    for n in 0.. {
        let name = format!("{}, {} {n}", case.workflow.name, breaking.name);
        let stage = (case.stage)();
        let job = (case.job)(&stage);
        (breaking.arm)(&stage, n);
        let before = stage.machine.made().len();
        let there = stage.machine.tree();
        let Err(problem) = stage.run(case.workflow, &job) else {
            assert!(n > 3, "{name}: nothing was broken off");
            return;
        };
        assert!((breaking.expected)(&problem), "{name}: {problem:?}");
        assert!(stage.machine.made().len() - before <= n, "{name}: changes were made after the break");
        nothing_is_half_written(&stage, &there, before, &name);
        stage.mend();
        stage.run(case.workflow, &job).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        Outcome::of(&stage).assert_same(&expected, &name);
        if case.makes_certificates && n % 4 == 0 {
            assert_certificates_fit(&stage, &name);
        }
        if case.makes_certificates {
            assert_eq!(count(&stage, "Secret"), count(&unbroken, "Secret"), "{name}: Secrets");
        }
        assert_eq!(count(&stage, "Node"), 1, "{name}: Nodes");
        if n % 4 != 0 {
            continue;
        }
        let changes = stage.machine.made().len();
        stage.run(case.workflow, &job).unwrap();
        assert_eq!(stage.machine.made().len(), changes, "{name}: a third run has nothing to do");
    }
}

#[test]
fn init_goes_on_after_any_line_of_the_journal() {
    finishes(&INITIALISE[..1], &JOURNAL_FAILS);
}

#[test]
fn init_goes_on_after_any_change_that_failed() {
    finishes(&INITIALISE[1..], &CHANGE_FAILS);
}

#[test]
fn init_goes_on_after_the_user_stopped_it_anywhere() {
    finishes(&INITIALISE[1..], &USER_STOPS);
}

#[test]
fn join_goes_on_after_any_line_of_the_journal() {
    finishes(&JOINING, &JOURNAL_FAILS);
}

#[test]
fn join_goes_on_after_any_change_that_failed() {
    finishes(&JOINING, &CHANGE_FAILS);
}

#[test]
fn join_goes_on_after_the_user_stopped_it_anywhere() {
    finishes(&JOINING, &USER_STOPS);
}

/// The kubelet's certificate has the moment of its making in its name. Found on real nodes.
#[test]
fn join_that_goes_on_a_minute_later_leaves_one_certificate_of_the_kubelet() {
    let case = &JOINING[1];
    for n in 0.. {
        let stage = (case.stage)();
        let job = (case.job)(&stage);
        (JOURNAL_FAILS.arm)(&stage, n);
        if stage.run(case.workflow, &job).is_ok() {
            assert!(n > 10, "nothing was broken off");
            return;
        }
        stage.mend();
        stage.pass_a_minute();
        stage.run(case.workflow, &job).unwrap();
        let tree = stage.machine.tree();
        let is_pair = |path: &&PathBuf| path.starts_with("/var/lib/kubelet/pki") && tree[*path].1.is_some();
        let pairs: Vec<_> =
            tree.keys().filter(is_pair).filter(|path| path.to_string_lossy().contains("kubelet-client-2")).collect();
        assert_eq!(pairs.len(), 1, "journal line {n}: {pairs:?}");
    }
}

#[test]
fn join_of_a_control_plane_node_goes_on_after_any_line_of_the_journal() {
    finishes(&JOINING_CONTROL_PLANE[1..], &JOURNAL_FAILS);
}

#[test]
fn join_of_a_control_plane_node_goes_on_after_any_change_that_failed() {
    finishes(&JOINING_CONTROL_PLANE[..1], &CHANGE_FAILS);
}

#[test]
fn join_of_a_control_plane_node_goes_on_after_the_user_stopped_it_anywhere() {
    finishes(&JOINING_CONTROL_PLANE[..1], &USER_STOPS);
}

#[test]
fn reset_goes_on_after_any_line_of_the_journal() {
    finishes(&RESETTING[..1], &JOURNAL_FAILS);
}

#[test]
fn reset_goes_on_after_any_change_that_failed() {
    finishes(&RESETTING[1..], &CHANGE_FAILS);
}

#[test]
fn reset_goes_on_after_the_user_stopped_it_anywhere() {
    finishes(&RESETTING[1..], &USER_STOPS);
}
