//! `kubestrap config images list|pull`: flags.

use std::path::PathBuf;

use clap::{ArgMatches, Command, value_parser};
use kubestrap_phases::config::{ImagesFlags, resolve_images};
use kubestrap_phases::images::listed;
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::IMAGES_PULL;

use crate::cli::shared::{Shared, printer_flags, text, value};
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command() -> Command {
    let list = printer_flags(flags(Command::new("list").about("List the images that a control-plane node needs")));
    let pull = flags(Command::new("pull").about("Have the container runtime pull them, several at once")).arg(value(
        "cri-socket",
        "SOCKET",
        "Socket of the container runtime; default: the one that is there",
    ));
    Command::new("images")
        .about("Images of a control-plane node")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([list, pull])
}

fn flags(command: Command) -> Command {
    command
        .arg(
            value("config", "FILE", "Configuration file (kubeadm v1beta2, v1beta3 or v1beta4)")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(value("feature-gates", "GATES", "kubeadm's feature gates, as name=true,…"))
        .arg(value("image-repository", "REPOSITORY", "Where images come from; default: the release's"))
        .arg(value("kubernetes-version", "RELEASE", "Release of the control plane; default: the installed kubelet's"))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let flags = ImagesFlags {
        config: matches.get_one("config").cloned(),
        cri_socket: text(matches, "cri-socket"),
        feature_gates: text(matches, "feature-gates"),
        image_repository: text(matches, "image-repository"),
        kubernetes_version: text(matches, "kubernetes-version"),
        pull: name == "pull",
    };
    let session = Session::open(shared, report)?;
    let job = resolve_images(&flags, session.host())?;
    if name == "list" {
        report.answer(&job.references.join("\n"), &listed(&job));
        return Ok(());
    }
    let subject = format!("{} → {}", job.release, job.cri_socket);
    session.run(&Order { workflow: &IMAGES_PULL, job: &job, selection: &Selection::default(), subject: &subject })?;
    report.end("");
    Ok(())
}
