//! `kubestrap kubeconfig user`: flags.

use std::path::PathBuf;

use clap::{ArgMatches, Command, value_parser};
use kubestrap_phases::config::{UserKubeconfigFlags, resolve_user_kubeconfig};
use kubestrap_phases::kubeconfig::user::{server_of_node, stored_cluster};
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::KUBECONFIG_USER;

use super::shared::{Shared, list, text, texts, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    let user = Command::new("user")
        .about("Print a kubeconfig for one more user, signed by the cluster's CA on this node")
        .arg(value("client-name", "NAME", "The user's name: the certificate's common name").required(true))
        .arg(
            value(
                "config",
                "FILE",
                "Configuration file; default: what the cluster of this node has stored, else defaults",
            )
            .value_parser(value_parser!(PathBuf)),
        )
        .arg(list("org", "GROUPS", "The user's groups: the certificate's organizations"))
        .arg(value("token", "TOKEN", "A bearer token to put into the kubeconfig in place of a certificate"))
        .arg(value("validity-period", "DURATION", "How long the certificate is valid; default: 8760h0m0s"));
    Command::new("kubeconfig")
        .about("Kubeconfigs for more users")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(user)
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
    let flags = UserKubeconfigFlags {
        client_name: text(matches, "client-name").unwrap_or_default(),
        config: matches.get_one("config").cloned(),
        organizations: texts(matches, "org"),
        token: text(matches, "token"),
        validity_period: text(matches, "validity-period"),
    };
    let session = Session::open(shared, report)?;
    let told = if flags.config.is_some() {
        (None, None)
    } else {
        let stored = stored_cluster(session.host(), session.servers());
        // A cluster that is down is no reason: the CA is here.
        let stored = stored.unwrap_or_else(|problem| {
            report.aside(&problem);
            None
        });
        (stored, server_of_node(session.host())?)
    };
    let job = resolve_user_kubeconfig(&flags, told, session.host(), session.now(), session.entropy())?;
    let subject = format!("{} → {}", job.client_name, job.server);
    session.run(&Order {
        workflow: &KUBECONFIG_USER,
        job: &job,
        selection: &Selection::default(),
        subject: &subject,
    })?;
    report.end("");
    Ok(())
}
