//! Flags that only some phases of `init` have: where kubeconfigs go, flags of components, and the addons' objects to look at.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::addon::{coredns, kube_proxy};
use kubestrap_phases::config::{ExtraArgs, Init, InitFlags};
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::yaml;

use super::shared::{folder, list, switch, texts, value};
use crate::report::Report;

/// Adds them below `phase`.
pub(super) fn augment(init: Command) -> Command {
    init.mut_subcommand("phase", |phase| {
        let phase = each(phase, "certs", |command| {
            let folder = value("csr-dir", "FOLDER", "Where --csr-only writes; default: the certificate folder");
            command
                .arg(switch("csr-only", "Make keys and requests only").hide(true))
                .arg(folder.value_parser(value_parser!(PathBuf)).hide(true))
        });
        let phase = each(phase, "kubeconfig", |command| {
            command.arg(
                value("kubeconfig-dir", "FOLDER", "Where the kubeconfigs go; default: /etc/kubernetes")
                    .value_parser(value_parser!(PathBuf)),
            )
        });
        let phase = each(phase, "control-plane", |command| {
            command
                .arg(extra_args("apiserver-extra-args"))
                .arg(extra_args("controller-manager-extra-args"))
                .arg(extra_args("scheduler-extra-args"))
        });
        each(phase, "addon", |command| {
            command.arg(switch("print-manifest", "Print the objects and change nothing; needs no cluster"))
        })
    })
}

/// Changes the phases of a group.
fn each(phase: Command, group: &'static str, change: fn(Command) -> Command) -> Command {
    phase.mut_subcommand(group, |group| {
        let names: Vec<String> = group.get_subcommands().map(|phase| phase.get_name().to_owned()).collect();
        names.into_iter().fold(group, |group, name| group.mut_subcommand(name, change))
    })
}

fn extra_args(name: &'static str) -> Arg {
    list(name, "NAME=VALUE", "Flags of the component, in place of the file's extraArgs; better said in the file")
        .hide(true)
}

/// Reads them, where the phase has them.
pub(super) fn read(matches: &ArgMatches, flags: InitFlags) -> Result<InitFlags, Problem> {
    Ok(InitFlags {
        kubeconfig_dir: folder(matches, "kubeconfig-dir")?,
        extra_args: ExtraArgs {
            api_server: texts(matches, "apiserver-extra-args"),
            controller_manager: texts(matches, "controller-manager-extra-args"),
            scheduler: texts(matches, "scheduler-extra-args"),
        },
        ..flags
    })
}

/// Whether the certificates are to be signed elsewhere: `--csr-only`, deprecated in kubeadm 1.20.
pub(super) fn wants_requests(matches: &ArgMatches) -> bool {
    matches.try_get_one("csr-only").ok().flatten().copied().unwrap_or(false)
}

/// Prints an addon's objects if that was asked for. Says whether it was.
pub(super) fn print_manifest(matches: &ArgMatches, selection: &Selection, job: &Init, report: &Report) -> bool {
    if !matches.try_get_one::<bool>("print-manifest").ok().flatten().is_some_and(|&print| print) {
        return false;
    }
    let only = selection.only.as_deref().unwrap_or_default();
    let is_wanted = |path: &str| only == "addon" || only == path;
    let mut objects = Vec::new();
    if is_wanted("addon/coredns") {
        objects.extend(coredns::manifests(&job.cluster));
    }
    if is_wanted("addon/kube-proxy") {
        objects.extend(kube_proxy::manifests(&job.cluster, &job.endpoint));
    }
    let texts: Vec<String> = objects.iter().map(yaml::write).collect();
    report.answers(|| texts.join("---\n"), objects.into_iter());
    true
}
