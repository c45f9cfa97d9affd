//! `kubestrap join`: flags and closing words.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{JoinFlags, resolve_join};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::{JOIN, JOIN_CONTROL_PLANE};
use kubestrap_phases::{discovery, dry_run, join};

use super::phases::{selection, with_phases};
use super::reach::Reach;
use super::shared::{self, Shared, list, switch, text, texts, value};
use super::undo;
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command(reach: Reach<'_>) -> Command {
    with_phases(
        Command::new("join").about("Make this machine a node of a cluster: a worker, or a further control-plane node"),
        &JOIN_CONTROL_PLANE,
        flags,
        reach,
    )
    .arg(undo::restart())
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
        .arg(switch("control-plane", "Make this machine a control-plane node"))
        .arg(value("certificate-key", "KEY", "Key that opens the certificates that init --upload-certs has kept"))
        .arg(value(
            "apiserver-advertise-address",
            "ADDRESS",
            "Address of this node's own API server; default: the one with the default route",
        ))
        .arg(
            Arg::new("apiserver-bind-port")
                .long("apiserver-bind-port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(1..))
                .help("Port of this node's own API server; default: 6443"),
        )
        .arg(value("cri-socket", "SOCKET", "Socket of the container runtime; default: the one that is there"))
        .arg(list("ignore-preflight-errors", "CHECKS", "Checks whose errors become warnings; all: every one"))
        .arg(value("node-name", "NAME", "Name of the Node; default: the host name"))
        .arg(shared::patches())
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let (selection, matches) = selection(matches);
    let flags = JoinFlags {
        config: matches.get_one("config").cloned(),
        endpoint: text(matches, "endpoint"),
        token: text(matches, "token"),
        discovery_file: text(matches, "discovery-file"),
        discovery_token: text(matches, "discovery-token"),
        tls_bootstrap_token: text(matches, "tls-bootstrap-token"),
        discovery_token_ca_cert_hash: texts(matches, "discovery-token-ca-cert-hash"),
        discovery_token_unsafe_skip_ca_verification: matches.get_flag("discovery-token-unsafe-skip-ca-verification"),
        control_plane: matches.get_flag("control-plane"),
        certificate_key: text(matches, "certificate-key"),
        apiserver_advertise_address: text(matches, "apiserver-advertise-address"),
        apiserver_bind_port: matches.get_one("apiserver-bind-port").copied(),
        cri_socket: text(matches, "cri-socket"),
        node_name: text(matches, "node-name"),
        patches: text(matches, "patches"),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
    };
    let mut session = Session::open(shared, report)?;
    session.obey_file(flags.config.as_deref(), "JoinConfiguration");
    if let Some(dry) = session.dry_run() {
        dry.need_address();
    }
    let is_whole = selection.only.is_none();
    if is_whole {
        session.look_for_kubelet();
    }
    let restarts = undo::wants_restart(matches);
    let resumed = session.resume(JOIN.name, is_whole && !restarts)?;
    let mut request = resolve_join(&flags, session.host())?;
    if restarts && undo::unfinished(&session)? {
        request = resolve_join(&flags, session.host())?;
    }
    session.obey(&request.node);
    let selection = selection.or_skip(&request.node.skip_phases);
    let worker = match discovery::find(&request, session.servers(), session.time()) {
        Ok(found) => join::read_cluster(&request, found, session.servers(), session.host())?,
        Err(problem) => match session.dry_run().filter(|_| dry_run::is_unreachable(&problem)) {
            Some(dry) => dry_run::cluster_to_join(&request, session.host(), dry)?,
            None => return Err(problem),
        },
    };
    let subject = format!("{} · {} → {}", worker.cluster.release, worker.node.name, worker.discovery.server);
    let name = worker.node.name.clone();
    let (selection, subject) = (&selection, subject.as_str());
    let closing = match &request.control_plane {
        None => {
            let kept = resumed.keep(JOIN.name, worker.asked())?;
            let order = Order { workflow: &JOIN, job: &worker, selection, subject };
            let took = if is_whole { session.run_whole(&order, Some(&kept))? } else { session.run(&order)? };
            joined(&name, took, "see it  kubectl get nodes   (on a control-plane node)")
        }
        Some(request) => {
            let job = join::read_control_plane(request, worker, session.host(), session.dry_run())?;
            let kept = resumed.keep(JOIN.name, job.asked())?;
            let order = Order { workflow: &JOIN_CONTROL_PLANE, job: &job, selection, subject };
            session.make_keys_ahead(&order)?;
            let took = if is_whole { session.run_whole(&order, Some(&kept))? } else { session.run(&order)? };
            let admin = job.worker.node.layout.kubeconfig("admin.conf");
            let see = format!("see it  export KUBECONFIG={}; kubectl get nodes", admin.display());
            joined(format!("{name} is a control-plane node now: it"), took, &see)
        }
    };
    report.end(if is_whole && !session.is_dry() { &closing } else { "" });
    Ok(())
}

fn joined(who: impl std::fmt::Display, took: Duration, see: &str) -> String {
    format!("\n{who} has joined the cluster. It took {:.1} s.\n\n  {see}\n", took.as_secs_f64())
}
