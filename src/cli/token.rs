//! `kubestrap token create`: flags.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{TokenFlags, resolve_token};
use kubestrap_phases::dry_run;
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::TOKEN_CREATE;

use super::shared::{Shared, switch, text, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    let create = Command::new("create")
        .about("Make a bootstrap token, signed for at once")
        .arg(Arg::new("token").value_name("TOKEN").help("The token; default: a random one"))
        .arg(value("ttl", "DURATION", "How long it is valid; 0: for ever; default: 24h0m0s"))
        .arg(value("description", "TEXT", "What it is for, for people"))
        .arg(
            value("kubeconfig", "FILE", "Credentials; default: /etc/kubernetes/admin.conf")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(switch("print-join-command", "Show the whole line that other machines join with"));
    Command::new("token")
        .about("Bootstrap tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(create)
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some(("create", matches)) = matches.subcommand() else { return Ok(()) };
    let flags = TokenFlags {
        token: text(matches, "token"),
        ttl: text(matches, "ttl"),
        description: text(matches, "description"),
        kubeconfig: matches.get_one("kubeconfig").cloned(),
        print_join_command: matches.get_flag("print-join-command"),
    };
    let session = Session::open(shared, report)?;
    let job = resolve_token(&flags, session.now(), session.entropy())?;
    if let Some(dry) = session.dry_run() {
        dry_run::kubeconfig(&job.kubeconfig, session.host(), dry)?;
    }
    let subject = job.token.token.id().to_string();
    session.run(&Order { workflow: &TOKEN_CREATE, job: &job, selection: &Selection::default(), subject: &subject })?;
    report.end("");
    Ok(())
}
