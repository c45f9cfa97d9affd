//! `kubestrap token create|list|delete|generate`: flags.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use kubestrap_phases::bootstrap_token::list;
use kubestrap_phases::config::{BootstrapToken, TokenDeleteFlags, TokenFlags, resolve_token, resolve_token_delete};
use kubestrap_phases::dry_run;
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::{TOKEN_CREATE, TOKEN_DELETE};
use kubestrap_phases::world::{Entropy, Identity};
use serde_json::json;

use super::shared::{Shared, printer_flags, switch, text, texts, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    Command::new("token")
        .about("Bootstrap tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            value(
                "kubeconfig",
                "FILE",
                "Credentials; default: $KUBECONFIG, ~/.kube/config or /etc/kubernetes/admin.conf",
            )
            .global(true)
            .value_parser(value_parser!(PathBuf)),
        )
        .subcommands([create(), list_command(), delete(), generate()])
}

fn create() -> Command {
    Command::new("create")
        .about("Make a bootstrap token, signed for at once")
        .arg(Arg::new("token").value_name("TOKEN").help("The token; default: a random one"))
        .arg(
            value("config", "FILE", "Configuration file whose bootstrapTokens are made; flags speak of the first")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(value("ttl", "DURATION", "How long it is valid; 0: for ever; default: 24h0m0s"))
        .arg(value("description", "TEXT", "What it is for, for people"))
        .arg(super::shared::list("usages", "USAGES", "What it may be used for; default: signing,authentication"))
        .arg(super::shared::list(
            "groups",
            "GROUPS",
            "Groups of its holder; default: system:bootstrappers:kubeadm:default-node-token",
        ))
        .arg(switch("print-join-command", "Show the whole line that other machines join with"))
        .arg(
            value(
                "certificate-key",
                "KEY",
                "With it the line joins a control-plane node, which opens uploaded certificates",
            )
            .requires("print-join-command"),
        )
}

fn list_command() -> Command {
    printer_flags(Command::new("list").about("Show the bootstrap tokens of the cluster, with their secrets"))
}

fn delete() -> Command {
    Command::new("delete").about("Delete bootstrap tokens: nobody can join with them any more").arg(
        Arg::new("tokens")
            .value_name("TOKEN")
            .required(true)
            .action(ArgAction::Append)
            .num_args(1..)
            .help("IDs, or whole tokens"),
    )
}

fn generate() -> Command {
    Command::new("generate").about("Show a random token for `init --token` or `token create`; needs no cluster")
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    match matches.subcommand() {
        Some(("create", matches)) => run_create(matches, shared, report),
        Some(("list", matches)) => run_list(matches, shared, report),
        Some(("delete", matches)) => run_delete(matches, shared, report),
        _ => {
            run_generate(report);
            Ok(())
        }
    }
}

fn run_create(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let flags = TokenFlags {
        config: matches.get_one("config").cloned(),
        token: text(matches, "token"),
        ttl: text(matches, "ttl"),
        description: text(matches, "description"),
        usages: texts(matches, "usages"),
        groups: texts(matches, "groups"),
        kubeconfig: Some(shared.kubeconfig(matches)),
        print_join_command: matches.get_flag("print-join-command"),
        certificate_key: text(matches, "certificate-key"),
    };
    let session = Session::open(shared, report)?;
    let job = resolve_token(&flags, session.host(), session.now(), session.entropy())?;
    if let Some(dry) = session.dry_run() {
        dry_run::kubeconfig(&job.kubeconfig, session.host(), dry)?;
    }
    let ids: Vec<&str> = job.tokens.iter().map(|spec| spec.token.id().as_str()).collect();
    let subject = ids.join(", ");
    session.run(&Order { workflow: &TOKEN_CREATE, job: &job, selection: &Selection::default(), subject: &subject })?;
    report.end("");
    Ok(())
}

fn run_list(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let session = Session::open(shared, report)?;
    let identity = Identity::Kubeconfig(shared.kubeconfig(matches));
    let mut held = list::Held::default();
    session.servers().each(&identity, &list::secrets(), list::QUERY, &mut |secret| held.add(&secret))?;
    let (tokens, broken) = held.sorted();
    for problem in &broken {
        report.aside(problem);
    }
    report.answers(|| list::table(&tokens, session.now()), tokens.iter().map(list::object));
    Ok(())
}

fn run_delete(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let flags = TokenDeleteFlags { tokens: texts(matches, "tokens"), kubeconfig: Some(shared.kubeconfig(matches)) };
    let job = resolve_token_delete(&flags)?;
    let ids: Vec<&str> = job.ids.iter().map(|id| id.as_str()).collect();
    let subject = ids.join(", ");
    let session = Session::open(shared, report)?;
    if let Some(dry) = session.dry_run() {
        dry_run::tokens(&job, session.host(), session.servers(), dry)?;
    }
    let outcome =
        session.run(&Order { workflow: &TOKEN_DELETE, job: &job, selection: &Selection::default(), subject: &subject });
    // Those that were deleted are named also when others were not there.
    report.end("");
    outcome.map(drop)
}

fn run_generate(report: &Report) {
    let entropy = crate::entropy::Real::default();
    let token = BootstrapToken::random(|| {
        let mut byte = [0];
        entropy.bytes(&mut byte);
        byte[0]
    });
    report.answer(&token.reveal(), &json!({ "token": token.reveal() }));
}
