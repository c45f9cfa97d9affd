//! Names that are kept for what this version does not do: `upgrade …` and `alpha selfhosting pivot`. They end with what
//! to use instead, so that nobody takes a typing mistake for the cause.

use clap::{Arg, ArgAction, ArgMatches, Command};
use kubestrap_phases::problem::Problem;

/// Commands below `upgrade`, as kubeadm has them.
const UPGRADE: [(&str, &str); 4] = [
    ("plan", "Reserved: which releases the cluster can be upgraded to"),
    ("apply", "Reserved: upgrade the first control-plane node"),
    ("diff", "Reserved: what an upgrade would change in the manifests"),
    ("node", "Reserved: upgrade a further node"),
];

/// Phases of upgrade's workflows, reserved under `upgrade apply phase` and `upgrade node phase`.
pub(super) const PHASES: [(&str, &[&str]); 2] = [
    (
        "upgrade apply",
        &[
            "preflight",
            "control-plane",
            "upload-config/kubeadm",
            "upload-config/kubelet",
            "kubelet-config",
            "bootstrap-token",
            "addon/coredns",
            "addon/kube-proxy",
            "post-upgrade",
        ],
    ),
    (
        "upgrade node",
        &["preflight", "control-plane", "kubelet-config", "addon/coredns", "addon/kube-proxy", "post-upgrade"],
    ),
];

pub(super) fn command() -> Command {
    Command::new("upgrade")
        .about("Reserved: this version upgrades no cluster; kubeadm upgrade does it on ours too")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(UPGRADE.map(|(name, about)| reserved(name, about)))
}

/// kubeadm's `alpha`, as 1.20 has it.
pub(super) fn alpha() -> Command {
    let pivot = reserved("pivot", "Reserved: run the control plane as DaemonSets");
    let selfhosting = Command::new("selfhosting").about("Reserved: the control plane inside the cluster");
    Command::new("alpha")
        .about("Names that kubeadm 1.20 has under alpha")
        .hide(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(super::certs::command())
        .subcommand(super::kubeconfig::command())
        .subcommand(selfhosting.subcommand_required(true).arg_required_else_help(true).subcommand(pivot))
}

/// Takes every argument, since none is looked at.
pub(super) fn reserved(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).disable_help_subcommand(true).arg(
        Arg::new("arguments")
            .value_name("ARGUMENTS")
            .action(ArgAction::Append)
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .help("What kubeadm's command of this name takes; not looked at"),
    )
}

pub(super) fn run_alpha() -> Result<(), Problem> {
    Err(Problem::new("selfhosting-not-served", "kubestrap does not move the control plane into the cluster")
        .why("kubeadm deprecated it in 1.20 and removed it in 1.21; nothing was looked at or changed")
        .fix("static Pods are kept; to move those of a 1.20 cluster all the same: kubeadm alpha selfhosting pivot"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Problem> {
    let name = matches.subcommand_name().unwrap_or("plan");
    Err(Problem::new(
        "upgrade-not-served",
        format!("kubestrap does not upgrade clusters yet: upgrade {name} did nothing"),
    )
    .why("the name is kept for a later version; nothing was looked at or changed")
    .fix(format!("use kubeadm of the release that you want, on the same nodes: kubeadm upgrade {name}"))
    .fix("a node's files, manifests and ConfigMaps are kubeadm's own, so that it goes on where kubestrap has ended"))
}
