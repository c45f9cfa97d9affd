//! `kubestrap status`: what this machine is, and what to type.

use clap::{ArgMatches, Command};
use kubestrap_phases::config::{ResetFlags, resolve_reset};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::status;

use super::shared::Shared;
use crate::launch::Session;
use crate::report::Report;

pub(super) fn command() -> Command {
    Command::new("status").about("Show what this machine is in a cluster, which run is unfinished, and what is wrong")
}

pub(super) fn run(_matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let session = Session::open(shared, report)?;
    let job = resolve_reset(&ResetFlags::default(), session.host())?;
    let found = session.look(|world| status::look(&job, world))?;
    report.answer(&found.text(), &found.value());
    if report.is_for_people() {
        found.troubles.iter().for_each(|trouble| report.aside(trouble));
    }
    Ok(())
}
