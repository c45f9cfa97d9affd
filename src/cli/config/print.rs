//! `kubestrap config print …-defaults`: flags.

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, Command, value_parser};
use kubestrap_phases::config::{ComponentConfig, DefaultsOf, Release, default_documents};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::releases::DEFAULT;

use super::super::shared::{Shared, list, texts, value};
use super::answer_documents;
use crate::report::Report;

const COMPONENTS: [(&str, ComponentConfig); 2] =
    [("KubeletConfiguration", ComponentConfig::Kubelet), ("KubeProxyConfiguration", ComponentConfig::KubeProxy)];

pub(super) fn command() -> Command {
    let of = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(
            value("kubernetes-version", "VERSION", "Release to show them for; default: the one that init makes")
                .value_parser(value_parser!(Release)),
        )
    };
    let components = || {
        list("component-configs", "KIND", "Show the configuration of these components too")
            .value_parser(PossibleValuesParser::new(COMPONENTS.map(|(name, _)| name)))
    };
    Command::new("print")
        .about("Print default configurations to begin a file with")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            of("init-defaults", "Print what init does without configuration").arg(components()),
            of("join-defaults", "Print what join does without configuration").arg(components()),
            of("reset-defaults", "Print what reset does without configuration"),
            of("upgrade-defaults", "Print what kubeadm's upgrade does without configuration"),
        ])
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let of = match name {
        "init-defaults" => DefaultsOf::Init,
        "join-defaults" => DefaultsOf::Join,
        "reset-defaults" => DefaultsOf::Reset,
        _ => DefaultsOf::Upgrade,
    };
    let asked = texts(matches, "component-configs");
    let components: Vec<ComponentConfig> =
        COMPONENTS.iter().filter(|(name, _)| asked.iter().any(|asked| asked == name)).map(|(_, kind)| *kind).collect();
    let release = matches.get_one::<Release>("kubernetes-version").cloned().unwrap_or(DEFAULT);
    answer_documents(&default_documents(of, &release, &components)?, shared, report);
    Ok(())
}
