//! `kubestrap undo`, and `--restart`: take back what the last run has made.

use clap::{Arg, ArgAction, ArgMatches, Command};
use kubestrap_phases::config::{ResetFlags, resolve_reset};
use kubestrap_phases::plan::{LastRun, Selection};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::undo::{UndoRun, half_way};
use kubestrap_phases::workflows::{RESET, UNDO};

use super::shared::switch;
use crate::launch::{Order, Session};
use crate::report::{Report, confirmed};

pub(super) fn command() -> Command {
    Command::new("undo")
        .about("Take back what the last run has made, as if it had not been")
        .arg(Arg::new("force").short('f').long("force").action(ArgAction::SetTrue).help("Do not ask"))
}

/// `--restart`, for whole workflows.
pub(super) fn restart() -> Arg {
    switch("restart", "Take back what an unfinished run has made, then begin anew as asked now")
}

/// Whether it was given; single phases do not have it.
pub(super) fn wants_restart(matches: &ArgMatches) -> bool {
    matches.try_get_one::<bool>("restart").ok().flatten().copied().unwrap_or_default()
}

pub(super) fn run(matches: &ArgMatches, shared: &super::Shared, report: &Report) -> Result<(), Problem> {
    let session = Session::open(shared, report)?;
    let Some(last) = LastRun::find(session.journal_file())? else {
        return Err(Problem::new("nothing-to-undo", "there is no run to take back")
            .why("the journal of this machine is empty: kubestrap has changed nothing here, or a reset removed all of it")
            .fix("see what this machine is: kubestrap status"));
    };
    let job = job(&last, &session)?;
    if !matches.get_flag("force") && !session.is_dry() && !confirmed(&question(&last, &job)) {
        return Err(Problem::new("not-confirmed", "undo was not confirmed; nothing was changed")
            .fix("answer y, or say so beforehand: kubestrap undo --force"));
    }
    take_back(&last, &job, &session)?;
    report.end(&if session.is_dry() {
        String::new()
    } else {
        format!("\nThe {} of {} is taken back.\n", last.command(), last.started().rfc3339())
    });
    Ok(())
}

/// Takes back the unfinished run of a workflow, for `--restart`. Says whether there was one.
pub(super) fn unfinished(session: &Session<'_>) -> Result<bool, Problem> {
    if session.unfinished()?.is_none() {
        return Ok(false);
    }
    let Some(last) = LastRun::find(session.journal_file())? else { return Ok(false) };
    take_back(&last, &job(&last, session)?, session)?;
    Ok(true)
}

fn job(last: &LastRun<'_>, session: &Session<'_>) -> Result<UndoRun, Problem> {
    if last.command() == RESET.name {
        return Err(Problem::new("reset-is-final", "a reset cannot be taken back")
            .why("what it removes is not kept: keys, etcd's data")
            .fix("finish it: kubestrap reset"));
    }
    Ok(UndoRun::of(last, resolve_reset(&ResetFlags { force: true, ..ResetFlags::default() }, session.host())?))
}

fn take_back(last: &LastRun<'_>, job: &UndoRun, session: &Session<'_>) -> Result<(), Problem> {
    let subject = format!("{} of {}", last.command(), last.started().rfc3339());
    let order = Order { workflow: &UNDO, job, selection: &Selection::default(), subject: &subject };
    session.run_back(&order, last).map(|_| ()).map_err(|problem| half_way(problem, last))
}

fn question(last: &LastRun<'_>, job: &UndoRun) -> String {
    let mut text = format!(
        "This takes back the {} of {} with its {} changes{}.\n",
        last.command(),
        last.started().rfc3339(),
        job.changes.len(),
        match (job.made_cluster, job.made_node) {
            (true, _) => "; its cluster ends, with all that is in it",
            (false, true) => "; this machine leaves its cluster, and its Pods end",
            _ => "",
        },
    );
    for why in job.impossible() {
        text += &format!("There is no way back from this: {why}\n");
    }
    text + "Other files stay. Go on? [y/N]"
}
