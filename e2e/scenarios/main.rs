//! What users do, on real nodes. All scenarios of one run share a cluster of one control-plane node and two workers
//! where they leave it as it was; those that do not make nodes of their own. Each runs alone as well:
//! `cargo test -p kubestrap-e2e -- --ignored --test-threads=1 NAME`.

mod certificates;
mod config;
mod control_plane_reset;
mod crash;
mod dry_run;
mod events;
mod external_ca;
mod faults;
mod foreign;
mod golden;
mod golden_objects;
mod ha;
mod halves;
mod init;
mod join;
mod join_phases_alone;
mod killed;
mod leave;
mod many;
mod mixed;
mod phases_alone;
mod renewal;
mod reset;
mod reset_harsh;
mod reset_of_kubeadms;
mod side_by_side;
mod speed;
mod terminal;
mod undo;
mod workload;
mod wrong_input;

use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::tool::Tool;
use kubestrap_e2e::{logs, prepare, say};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

/// Runs one scenario; when it fails, logs are collected before anything is taken away.
fn scenario(name: &str, body: impl FnOnce(&'static Run) -> Result<(), Failure>) {
    let run = match run() {
        Ok(run) => run,
        Err(failure) => panic!("{failure}"),
    };
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| body(run)));
    say(&format!("{name}: {:.0} s", started.elapsed().as_secs_f32()));
    let failure = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new("the scenario panicked", "the message is above"),
    };
    let cluster = CLUSTER.get().and_then(|cluster| cluster.as_ref().ok());
    let folder = logs::collect(run, name, &failure, cluster);
    if keeps("on-failure")
        && let Err(failure) = run.keep()
    {
        say(&failure.to_string());
    }
    panic!("{failure}\nlogs are in {}", folder.display());
}

/// The run of this process. Its warden takes everything away when the process ends, however it ends.
fn run() -> Result<&'static Run, Failure> {
    static RUN: OnceLock<Result<Run, Failure>> = OnceLock::new();
    let begin = || {
        let run = Run::begin(Path::new(env!("CARGO_BIN_EXE_e2e")), &prepare()?)?;
        if keeps("always") {
            run.keep()?;
        }
        Ok(run)
    };
    RUN.get_or_init(begin).as_ref().map_err(Clone::clone)
}

static CLUSTER: OnceLock<Result<Cluster, Failure>> = OnceLock::new();

/// The cluster that scenarios share, made by the tool under test when the first scenario asks for it.
fn shared_cluster(run: &Run) -> Result<&'static Cluster, Failure> {
    let start = || Cluster::start(run, Tool::from_environment()?, "cp-1", &["worker-1", "worker-2"]);
    CLUSTER.get_or_init(start).as_ref().map_err(Clone::clone)
}

fn keeps(when: &str) -> bool {
    std::env::var("E2E_KEEP").is_ok_and(|value| value == when || value == "always")
}

/// For scenarios about things that only kubestrap has.
fn only_kubestrap() -> bool {
    let is_ours = Tool::from_environment().is_ok_and(|tool| tool == Tool::Kubestrap);
    if !is_ours {
        say("skipped: this is about kubestrap");
    }
    is_ours
}
