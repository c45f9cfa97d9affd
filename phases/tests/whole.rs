//! Whole workflows in memory: what INIT and JOIN leave on a machine and in its cluster, and that RESET takes it away.
//!
//! Compares with `testdata/scenarios/<workflow>-<release>/`: files with modes, objects, and the changes in order.

use crate::config::Release;
use crate::plan::Workflow;
use crate::stage::outcome::{Outcome, assert_certificates_fit};
use crate::stage::{Stage, init_job, join_job};
use crate::support::jobs::{V1_20, V1_36};
use crate::support::renew;
use crate::workflows::{INIT, JOIN, JOIN_CONTROL_PLANE, RESET};

/// Files that belong to somebody else, in and beside the folders that become ours.
const SENTINELS: [&str; 6] = [
    "/etc/kubernetes/mine/admin.conf",
    "/etc/kubernetes/pki/mine.txt",
    "/etc/kubernetes-old/pki/ca.key",
    "/var/lib/kubelet/mine.yaml",
    "/var/lib/kubelet/seccomp/profile.json",
    "/var/lib/etcd-backup/member/snap/db",
];

fn prepared(stage: Stage) -> Stage {
    SENTINELS.iter().for_each(|path| stage.machine.put(path, "mine\n", 0o640));
    stage
}

/// Files and folders of ours, with their modes.
fn files(stage: &Stage, before: &Outcome) -> String {
    let tree = stage.machine.tree();
    let ours = tree.iter().filter(|(path, _)| !before.files.contains_key(&path.display().to_string()));
    let ours = ours.filter(|(path, _)| !stage.machine.is_of_kubelet(path));
    ours.map(|(path, (mode, content))| {
        format!("{mode:04o} {}{}\n", path.display(), if content.is_some() { "" } else { "/" })
    })
    .collect()
}

fn objects(stage: &Stage) -> String {
    let objects = stage.machine.overlay.objects();
    objects.iter().map(|object| crate::world::ObjectRef::of(object).to_string() + "\n").collect()
}

fn run<J>(stage: &Stage, workflow: &'static Workflow<J>, job: &J) {
    let outcome = stage.run(workflow, job);
    assert!(outcome.is_ok(), "{}: {outcome:?}", workflow.name);
}

fn compare_with_golden(stage: &Stage, before: &Outcome, folder: &str) {
    renew::compare(&format!("scenarios/{folder}/files.txt"), &files(stage, before));
    renew::compare(&format!("scenarios/{folder}/objects.txt"), &objects(stage));
    renew::compare(&format!("scenarios/{folder}/transcript.txt"), &stage.transcript());
}

fn initialised(release: &Release) -> (Stage, Outcome) {
    let stage = prepared(Stage::ready(release, "n1"));
    // A worker of 1.20 would not be joined with it.
    stage.machine.put("/etc/kubernetes/manifests/mine.yaml", "mine\n", 0o640);
    let before = Outcome::of(&stage);
    run(&stage, &INIT, &init_job(release.clone()));
    (stage, before)
}

fn joined(release: &Release) -> (Stage, Outcome) {
    let stage = prepared(Stage::ready_to_join(release));
    let before = Outcome::of(&stage);
    run(&stage, &JOIN, &join_job(release.clone()));
    (stage, before)
}

#[test]
fn init_makes_a_control_plane_node() {
    for release in [V1_20, V1_36] {
        let (stage, before) = initialised(&release);
        compare_with_golden(&stage, &before, &format!("init-{release}"));
        assert_certificates_fit(&stage, &release.to_string());
        assert_eq!(stage.told.warnings(), [], "{release}");
    }
}

#[test]
fn join_makes_a_worker() {
    for release in [V1_20, V1_36] {
        let (stage, before) = joined(&release);
        compare_with_golden(&stage, &before, &format!("join-{release}"));
    }
}

fn joined_control_plane(release: &Release) -> (Stage, Outcome) {
    let stage = prepared(Stage::ready_to_join_control_plane(release));
    let before = Outcome::of(&stage);
    run(&stage, &JOIN_CONTROL_PLANE, &stage.join_control_plane_job(release.clone()));
    (stage, before)
}

#[test]
fn join_makes_a_control_plane_node() {
    for release in [V1_20, V1_36] {
        let (stage, before) = joined_control_plane(&release);
        compare_with_golden(&stage, &before, &format!("join-control-plane-{release}"));
        assert_certificates_fit(&stage, &release.to_string());
        assert_eq!(stage.told.warnings(), [], "{release}");

        let changes = stage.machine.made().len();
        run(&stage, &JOIN_CONTROL_PLANE, &stage.join_control_plane_job(release.clone()));
        assert_eq!(stage.machine.made().get(changes..), Some(&[][..]), "{release}: a second run has nothing to do");

        run(&stage, &RESET, &stage.reset_job());
        assert_eq!(Outcome::of(&stage).files, before.files, "{release}: reset leaves the machine as it was");
    }
}

#[test]
fn the_kubelets_folder_belongs_to_root_alone() {
    let initialised = Stage::ready(&V1_20, "n1");
    run(&initialised, &INIT, &init_job(V1_20));
    let joined = Stage::ready_to_join(&V1_20);
    run(&joined, &JOIN, &join_job(V1_20));
    for (name, stage) in [("init", initialised), ("join", joined)] {
        assert_eq!(Outcome::of(&stage).files["/var/lib/kubelet"], "0700 folder", "{name}");
    }
}

#[test]
fn init_and_join_run_again_change_nothing() {
    for release in [V1_20, V1_36] {
        let (stage, _) = initialised(&release);
        let changes = stage.machine.made().len();
        run(&stage, &INIT, &init_job(release.clone()));
        assert_eq!(stage.machine.made().get(changes..), Some(&[][..]), "init {release}");

        let (stage, _) = joined(&release);
        let changes = stage.machine.made().len();
        run(&stage, &JOIN, &join_job(release.clone()));
        assert_eq!(stage.machine.made().get(changes..), Some(&[][..]), "join {release}");
    }
}

#[test]
fn reset_leaves_a_machine_as_it_was_before_init() {
    for release in [V1_20, V1_36] {
        let (stage, before) = initialised(&release);
        let changes = stage.machine.made().len();
        run(&stage, &RESET, &stage.reset_job());
        assert_eq!(Outcome::of(&stage).files, before.files, "{release}");
        let summaries: String = stage.machine.made()[changes..].iter().map(|change| change.summary() + "\n").collect();
        renew::compare(&format!("scenarios/reset-{release}/transcript.txt"), &summaries);
    }
}

#[test]
fn reset_leaves_a_machine_as_it_was_before_join() {
    for release in [V1_20, V1_36] {
        let (stage, before) = joined(&release);
        run(&stage, &RESET, &stage.reset_job());
        assert_eq!(Outcome::of(&stage).files, before.files, "{release}");
    }
}

#[test]
fn reset_run_again_changes_nothing() {
    for release in [V1_20, V1_36] {
        for forgets in [true, false] {
            let (stage, before) = initialised(&release);
            run(&stage, &RESET, &stage.reset_job());
            if forgets {
                stage.store.forget();
            }
            let changes = stage.machine.made().len();
            run(&stage, &RESET, &stage.reset_job());
            assert_eq!(stage.machine.made().get(changes..), Some(&[][..]), "{release}, journal forgotten: {forgets}");
            assert_eq!(Outcome::of(&stage).files, before.files, "{release}");
        }
    }
}

#[test]
fn reset_leaves_keys_that_the_user_has_put_there() {
    let stage = Stage::ready(&V1_20, "n1");
    let path = "/etc/kubernetes/pki/sa.key";
    stage.machine.put(path, crate::support::FixedEntropy::RSA[0], 0o600);
    let before = Outcome::of(&stage);
    run(&stage, &INIT, &init_job(V1_20));
    run(&stage, &RESET, &stage.reset_job());
    assert_eq!(Outcome::of(&stage).files, before.files);
}

#[test]
fn reset_puts_back_what_init_had_replaced_and_leaves_it_there_from_then_on() {
    let stage = Stage::ready(&V1_20, "n1");
    let path = "/var/lib/kubelet/config.yaml";
    stage.machine.put(path, "# of the distribution\n", 0o640);
    let before = Outcome::of(&stage);
    run(&stage, &INIT, &init_job(V1_20));
    assert_ne!(Outcome::of(&stage).files[path], before.files[path]);
    for time in ["once", "twice"] {
        run(&stage, &RESET, &stage.reset_job());
        assert_eq!(Outcome::of(&stage).files, before.files, "{time}");
    }
}

#[test]
fn a_machine_that_was_reset_can_join() {
    let (stage, _) = joined(&V1_20);
    let first = Outcome::of(&stage);
    run(&stage, &RESET, &stage.reset_job());
    run(&stage, &JOIN, &join_job(V1_20));
    assert_eq!(Outcome::of(&stage).files, first.files);
}
