//! `kubestrap reset`: flags, the question beforehand, and closing words.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{Reset, ResetFlags, resolve_reset};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::RESET;
use kubestrap_phases::world::Host;

use super::phases::{selection, with_phases};
use super::reach::Reach;
use super::shared::{Shared, list, switch, text, texts, value};
use crate::launch::{Order, Session};
use crate::report::{Report, confirmed};

pub(super) fn command(reach: Reach<'_>) -> Command {
    let about = "Take this machine out of its cluster and remove what made it a node";
    with_phases(Command::new("reset").about(about), &RESET, flags, reach)
}

fn flags(command: Command) -> Command {
    command
        .arg(
            value("config", "FILE", "Configuration file (kubeadm v1beta4)")
                .value_parser(value_parser!(std::path::PathBuf)),
        )
        .arg(value("cert-dir", "FOLDER", "Certificate folder; default: /etc/kubernetes/pki"))
        .arg(value("cri-socket", "SOCKET", "Socket of the container runtime; default: the one that is there"))
        .arg(
            Arg::new("force")
                .short('f')
                .long("force")
                .action(ArgAction::Append)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("PATH")
                .value_parser(force)
                .help("Do not ask; with a path, remove that too although it is not ours"),
        )
        .arg(list("ignore-preflight-errors", "CHECKS", "Accepted for kubeadm's sake"))
        .arg(
            value("kubeconfig", "FILE", "Credentials for drain and for deleting the Node; default: the node's own")
                .value_parser(value_parser!(std::path::PathBuf)),
        )
        .arg(switch("cleanup-tmp-dir", "Remove /etc/kubernetes/tmp too, where kubeadm keeps backups"))
        .arg(switch("skip-drain", "Leave Pods where they are; they end with this node"))
        .arg(value("drain-timeout", "DURATION", "How long to wait for Pods to go; default: 2m0s"))
}

/// A switch, as kubeadm has it, or a path.
fn force(text: &str) -> Result<String, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".to_owned()),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".to_owned()),
        path if path.starts_with('/') => Ok(path.to_owned()),
        _ => Err("it is true, false, or the whole path of what is to be removed too".to_owned()),
    }
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let (selection, matches) = selection(matches);
    let is_whole = selection.only.is_none();
    let forced: Vec<&str> = matches.get_many::<String>("force").into_iter().flatten().map(String::as_str).collect();
    let flags = ResetFlags {
        config: matches.get_one("config").cloned(),
        cert_dir: text(matches, "cert-dir"),
        cri_socket: text(matches, "cri-socket"),
        kubeconfig: matches.get_one("kubeconfig").cloned(),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
        force: forced.iter().any(|word| *word != "false"),
        named: forced.iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()).collect(),
        cleanup_tmp_dir: matches.get_flag("cleanup-tmp-dir"),
        skip_drain: matches.get_flag("skip-drain"),
        drain_timeout: text(matches, "drain-timeout"),
    };
    let mut session = Session::open(shared, report)?;
    session.obey_file(flags.config.as_deref(), "ResetConfiguration");
    let job = resolve_reset(&flags, session.host())?;
    session.obey(&job.node);
    let selection = selection.or_skip(&job.node.skip_phases);
    if !job.force && !session.is_dry() && !confirmed(&question(&job, session.host())) {
        return Err(Problem::new("not-confirmed", "reset was not confirmed; nothing was changed")
            .fix("answer y, or say so beforehand: kubestrap reset --force"));
    }
    let order = Order { workflow: &RESET, job: &job, selection: &selection, subject: job.node.name.as_str() };
    let took = if is_whole { session.run_whole(&order, None)? } else { session.run(&order)? };
    if is_whole && !session.is_dry() {
        session.forget()?;
        report.end(&format!("\n{} is no node any more. It took {:.1} s.\n", job.node.name, took.as_secs_f64()));
    } else {
        report.end("");
    }
    Ok(())
}

fn question(job: &Reset, host: &dyn Host) -> String {
    let data = job.etcd_data_dir.join("member");
    let and_data = match host.stat(&data) {
        Ok(Some(_)) => format!(", with etcd's data in {}", data.display()),
        _ => String::new(),
    };
    format!(
        "This takes {} out of its cluster, ends its Pods and removes what made it a node{and_data}.\n\
         Other files stay. Go on? [y/N]",
        job.node.name,
    )
}
