//! `kubestrap join`: flags and closing words.

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{JoinFlags, resolve_join};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::JOIN;
use kubestrap_phases::{discovery, dry_run, join};

use super::phases::{selection, with_phases};
use super::shared::{self, Shared, list, switch, text, texts, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    with_phases(Command::new("join").about("Make this machine a worker node of a cluster"), &JOIN, flags)
}

fn flags(command: Command) -> Command {
    command
        .arg(Arg::new("endpoint").value_name("HOST:PORT").help("Address of an API server"))
        .arg(
            value("config", "FILE", "Configuration file (kubeadm v1beta2, v1beta3 or v1beta4)")
                .value_parser(value_parser!(std::path::PathBuf)),
        )
        .arg(value("token", "TOKEN", "Bootstrap token, for discovery and for the kubelet's first certificate"))
        .arg(value(
            "discovery-file",
            "FILE",
            "Kubeconfig, or https URL of one, that names API server and CA of the cluster",
        ))
        .arg(value("discovery-token", "TOKEN", "Token for discovery alone"))
        .arg(value("tls-bootstrap-token", "TOKEN", "Token for the kubelet's first certificate alone"))
        .arg(list(
            "discovery-token-ca-cert-hash",
            "HASH",
            "Pin of the cluster's CA, sha256:<hex>; may be given several times",
        ))
        .arg(switch(
            "discovery-token-unsafe-skip-ca-verification",
            "Join without a pin: whoever holds the token may pose as the cluster",
        ))
        .arg(value("cri-socket", "SOCKET", "Socket of the container runtime; default: the one that is there"))
        .arg(list("ignore-preflight-errors", "CHECKS", "Checks whose errors become warnings; all: every one"))
        .arg(value("node-name", "NAME", "Name of the Node; default: the host name"))
        .arg(shared::patches())
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let (selection, matches) = selection(matches);
    let is_whole = selection.only.is_none();
    let flags = JoinFlags {
        config: matches.get_one("config").cloned(),
        endpoint: text(matches, "endpoint"),
        token: text(matches, "token"),
        discovery_file: text(matches, "discovery-file"),
        discovery_token: text(matches, "discovery-token"),
        tls_bootstrap_token: text(matches, "tls-bootstrap-token"),
        discovery_token_ca_cert_hash: texts(matches, "discovery-token-ca-cert-hash"),
        discovery_token_unsafe_skip_ca_verification: matches.get_flag("discovery-token-unsafe-skip-ca-verification"),
        cri_socket: text(matches, "cri-socket"),
        node_name: text(matches, "node-name"),
        patches: text(matches, "patches"),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
    };
    let mut session = Session::open(shared, report)?;
    session.obey_file(flags.config.as_deref(), "JoinConfiguration");
    let request = resolve_join(&flags, session.host())?;
    session.obey(&request.node);
    let selection = selection.or_skip(&request.node.skip_phases);
    let job = match discovery::find(&request, session.servers(), session.time()) {
        Ok(found) => join::read_cluster(&request, found, session.servers(), session.host())?,
        Err(problem) => match session.dry_run().filter(|_| dry_run::is_unreachable(&problem)) {
            Some(dry) => dry_run::cluster_to_join(&request, session.host(), dry)?,
            None => return Err(problem),
        },
    };
    let subject = format!("{} · {} → {}", job.cluster.release, job.node.name, job.discovery.server);
    let took = session.run(&Order { workflow: &JOIN, job: &job, selection: &selection, subject: &subject })?;
    report.end(&if is_whole && !session.is_dry() {
        format!(
            "\n{} has joined the cluster. It took {:.1} s.\n\n  see it  kubectl get nodes   (on a control-plane node)\n",
            job.node.name,
            took.as_secs_f64()
        )
    } else {
        String::new()
    });
    Ok(())
}
