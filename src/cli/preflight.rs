//! `kubestrap preflight`: flags, and the exit code that goes with the table.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{InitFlags, JoinFlags};
use kubestrap_phases::preflight::{LookFlags, Verdict, look};
use kubestrap_phases::problem::{Exit, Problem};

use super::shared::{Shared, list, switch, text, texts, value};
use crate::launch::Session;
use crate::report::Report;

pub(super) fn command() -> Command {
    let path = value_parser!(PathBuf);
    Command::new("preflight")
        .about("Check whether this machine can become a node; changes nothing and needs no root")
        .after_help(
            "Without --join the checks are those of init. Exit code 2 when a check finds an error, 0 with warnings.",
        )
        .arg(value("join", "HOST:PORT", "Check for joining the cluster of this API server"))
        .arg(switch("control-plane", "For a control-plane node; alone it is what init checks"))
        .arg(
            value("config", "FILE", "The file that init or join would get; one for join means --join")
                .value_parser(path.clone()),
        )
        .arg(value("token", "TOKEN", "Bootstrap token: looks at the cluster as join would"))
        .arg(list("discovery-token-ca-cert-hash", "HASH", "Pin of the cluster's CA, sha256:<hex>"))
        .arg(switch("discovery-token-unsafe-skip-ca-verification", "Look at the cluster without a pin"))
        .arg(
            value("kubeconfig", "FILE", "Credentials of an administrator of the cluster to join, to compare its Nodes")
                .value_parser(path),
        )
        .arg(value("apiserver-advertise-address", "ADDRESS", "As for init"))
        .arg(
            Arg::new("apiserver-bind-port")
                .long("apiserver-bind-port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(1..))
                .help("As for init"),
        )
        .arg(value("control-plane-endpoint", "HOST[:PORT]", "As for init"))
        .arg(value("cri-socket", "SOCKET", "Socket of the container runtime; default: the one that is there"))
        .arg(list("ignore-preflight-errors", "CHECKS", "Checks whose errors become warnings; all: every one"))
        .arg(value("image-repository", "REPOSITORY", "As for init"))
        .arg(value("kubernetes-version", "RELEASE", "As for init"))
        .arg(value("node-name", "NAME", "Name of the Node; default: the host name"))
        .arg(value("pod-network-cidr", "CIDR", "As for init"))
        .arg(value("service-cidr", "CIDR", "As for init"))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<ExitCode, Problem> {
    let init = InitFlags {
        config: matches.get_one("config").cloned(),
        apiserver_advertise_address: text(matches, "apiserver-advertise-address"),
        apiserver_bind_port: matches.get_one("apiserver-bind-port").copied(),
        control_plane_endpoint: text(matches, "control-plane-endpoint"),
        cri_socket: text(matches, "cri-socket"),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
        image_repository: text(matches, "image-repository"),
        kubernetes_version: text(matches, "kubernetes-version"),
        node_name: text(matches, "node-name"),
        pod_network_cidr: text(matches, "pod-network-cidr"),
        service_cidr: text(matches, "service-cidr"),
        ..InitFlags::default()
    };
    let join = JoinFlags {
        endpoint: text(matches, "join"),
        token: text(matches, "token"),
        discovery_token_ca_cert_hash: texts(matches, "discovery-token-ca-cert-hash"),
        discovery_token_unsafe_skip_ca_verification: matches.get_flag("discovery-token-unsafe-skip-ca-verification"),
        cri_socket: text(matches, "cri-socket"),
        node_name: text(matches, "node-name"),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
        ..JoinFlags::default()
    };
    let flags = LookFlags {
        init,
        join,
        control_plane: matches.get_flag("control-plane"),
        administrator: matches.get_one("kubeconfig").cloned(),
    };
    let outcomes = Session::open(shared, report)?.look(|world| look(&flags, world))?;
    report.checks(&outcomes);
    let is_refused = outcomes.iter().any(|outcome| outcome.verdict == Verdict::Error);
    Ok(if is_refused { ExitCode::from(Exit::Preflight.code()) } else { ExitCode::SUCCESS })
}
