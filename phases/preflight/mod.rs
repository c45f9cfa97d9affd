//! Preflight: looks at the machine before anything is changed, and pulls missing images.
//!
//! One table (`table.rs`) holds every check with its name, its area and the roles it is for; the phases of `init` and
//! `join` and the command `preflight` run the same rows. Checks carry kubeadm's names where kubeadm has them, so that
//! `--ignore-preflight-errors` lists keep working. What kubestrap itself left behind is not held against it.

mod endpoint;
mod etcd;
mod finding;
mod host;
mod kernel;
mod kubelet;
mod leftovers;
mod look;
mod network;
mod phase;
mod programs;
mod proxy;
mod runtime;
mod scene;
mod storage;
mod table;

pub use finding::{Outcome, Verdict};
pub use look::{LookFlags, look};
pub use phase::Preflight;
pub use scene::{Role, Server, Subject, Trust};
pub use table::{Area, CHECKS, Check};

use crate::config::NodeConfig;
use crate::problem::{Exit, Problem};
use crate::world::World;
use finding::Finding;
use scene::Scene;

/// Name of the check for root, which comes before all others.
const ROOT: &str = "IsPrivilegedUser";

/// Runs every check that is for this role, and gives all they found, in the order of the table.
///
/// Errors that are to be ignored come as warnings. A run that is to change the machine ends with the check for root when
/// it does not run as root; a mere look goes on, and checks that need root say so.
///
/// # Errors
/// When the facts of the machine, or root's journal, cannot be read.
pub fn inspect(subject: &Subject<'_>, world: &World<'_>) -> Result<Vec<Outcome>, Problem> {
    let scene = Scene::look(subject, world)?;
    let mut outcomes = Vec::new();
    for check in CHECKS.iter().filter(|check| check.roles.contains(&subject.role)) {
        let found = (check.run)(&scene).unwrap_or_else(|problem| vec![unseen(&scene, problem)]);
        outcomes.extend(found.into_iter().map(|finding| outcome(check, finding, subject.node)));
        let is_refused = outcomes.last().is_some_and(|last| last.verdict == Verdict::Error);
        if check.name == ROOT && is_refused && !subject.is_look {
            break;
        }
    }
    Ok(outcomes)
}

/// A check that could not look: for want of rights, or because something is wrong with the machine.
fn unseen(scene: &Scene<'_>, problem: Problem) -> Finding {
    if scene.facts.uid == 0 { Finding::of_problem(problem) } else { Finding::needs_root(problem.what) }
}

fn outcome(check: &Check, finding: Finding, node: &NodeConfig) -> Outcome {
    let Finding { name, mut verdict, mut problem, is_brief } = finding;
    problem.id = name.unwrap_or_else(|| check.name.to_owned());
    if verdict == Verdict::Error && is_ignored(node, &problem.id) {
        verdict = Verdict::Warning;
    }
    Outcome { area: check.area, verdict, problem, is_brief }
}

/// Whether errors of this check are to be taken for warnings.
pub(crate) fn is_ignored(node: &NodeConfig, name: &str) -> bool {
    node.ignore_preflight_errors.iter().any(|ignored| ignored == "all" || ignored.eq_ignore_ascii_case(name))
}

/// The problem that sums up errors.
fn failed(errors: Vec<Problem>) -> Problem {
    let count = errors.len();
    let mut names: Vec<&str> = errors.iter().map(|error| error.id.as_str()).collect();
    names.dedup();
    let ignore = format!("or, to go on in spite of it: --ignore-preflight-errors={}", names.join(","));
    Problem::new(
        "preflight",
        if count == 1 {
            "this machine is not ready: 1 check failed".to_owned()
        } else {
            format!("this machine is not ready: {count} checks failed")
        },
    )
    .why("each finding below says what is wrong; nothing was changed")
    .fix("mend what the findings say, then run the same command again")
    .fix(ignore)
    .exit(Exit::Preflight)
    .with_findings(errors)
}
