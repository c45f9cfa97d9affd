//! `kubestrap remove NODE`: flags and closing words.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{RemoveFlags, resolve_remove};
use kubestrap_phases::dry_run;
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::REMOVE;

use super::shared::{Shared, text, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    Command::new("remove")
        .about("Take a node out of the cluster, also one that is gone; run on a control-plane node")
        .arg(Arg::new("node").value_name("NODE").required(true).help("Name of the Node"))
        .arg(
            value("kubeconfig", "FILE", "Credentials; default: /etc/kubernetes/admin.conf")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(value("drain-timeout", "DURATION", "How long to wait for Pods to go; default: 2m0s"))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let flags = RemoveFlags {
        target: text(matches, "node").unwrap_or_default(),
        kubeconfig: matches.get_one("kubeconfig").cloned(),
        drain_timeout: text(matches, "drain-timeout"),
    };
    let session = Session::open(shared, report)?;
    let job = resolve_remove(&flags)?;
    if let Some(dry) = session.dry_run() {
        dry_run::node(&job, session.host(), session.servers(), dry)?;
    }
    let subject = job.target.to_string();
    session.run(&Order { workflow: &REMOVE, job: &job, selection: &Selection::default(), subject: &subject })?;
    report.end(&if shared.dry_run {
        String::new()
    } else {
        format!("\n{subject} is out of the cluster. If its machine still runs, there: kubestrap reset\n")
    });
    Ok(())
}
