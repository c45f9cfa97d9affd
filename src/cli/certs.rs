//! `kubestrap certs …`: expiry, renewal, requests for an external CA, keys for sealed certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::certs::expiration::expirations;
use kubestrap_phases::certs::managed::ALL;
use kubestrap_phases::certs::renewal;
use kubestrap_phases::certs::settings::{Settings, settings};
use kubestrap_phases::config::{CertsFlags, InitFlags, resolve_init};
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::{GENERATE_CSR, RENEW};
use serde_json::json;

use super::shared::{Shared, folder, printer_flags, requests_folder, switch, value};
use crate::launch::{Order, Session};
use crate::report::{Output, Report, say};

pub(super) fn command() -> Command {
    let renew = Command::new("renew")
        .about("Make successors of certificates, with new keys, for the same names and usages")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(requests(of_cluster(Command::new("all").about("All of them that are there"))))
        .subcommands(
            ALL.iter().map(|managed| requests(of_cluster(Command::new(managed.name()).about(managed.about())))),
        );
    let generate = Command::new("generate-csr")
        .about("Make keys and requests for everything that an external CA has to sign")
        .arg(config())
        .arg(cert_dir())
        .arg(path("kubeconfig-dir", "FOLDER", "Folder of the kubeconfigs; default: /etc/kubernetes"));
    Command::new("certs")
        .visible_alias("certificates")
        .about("Certificates of a control-plane node")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(of_cluster(printer_flags(
            Command::new("check-expiration").about("Show until when certificates and CAs are valid"),
        )))
        .subcommand(renew)
        .subcommand(generate)
        .subcommand(
            Command::new("certificate-key").about("Print a random key that uploaded certificates can be sealed with"),
        )
}

fn path(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    value(name, placeholder, help).value_parser(value_parser!(PathBuf))
}

fn config() -> Arg {
    path("config", "FILE", "Configuration file (kubeadm v1beta2, v1beta3 or v1beta4)")
}

fn cert_dir() -> Arg {
    path("cert-dir", "FOLDER", "Certificate folder; default: the cluster's, else /etc/kubernetes/pki")
}

fn of_cluster(command: Command) -> Command {
    command.arg(config()).arg(cert_dir()).arg(path(
        "kubeconfig",
        "FILE",
        "Credentials to read the cluster's configuration, where it answers; default: /etc/kubernetes/admin.conf",
    ))
}

fn requests(command: Command) -> Command {
    command.arg(switch("csr-only", "Write a key and a request to be signed elsewhere, and renew nothing")).arg(path(
        "csr-dir",
        "FOLDER",
        "Where --csr-only writes",
    ))
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let mut session = Session::open(shared, report)?;
    match matches.subcommand() {
        Some(("check-expiration", matches)) => check_expiration(matches, &session, (shared, report)),
        Some(("renew", matches)) => {
            let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
            renew((name != "all").then_some(name), matches, &mut session, (shared, report))
        }
        Some(("generate-csr", matches)) => generate_csr(matches, &session, (shared, report)),
        _ => {
            let mut bytes = [0; 32];
            session.entropy().bytes(&mut bytes);
            let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            report.answer(&key, &json!({ "certificateKey": key }));
            Ok(())
        }
    }
}

fn found_settings(matches: &ArgMatches, session: &Session<'_>) -> Result<Settings, Problem> {
    let flags = CertsFlags {
        config: matches.get_one("config").cloned(),
        cert_dir: folder(matches, "cert-dir")?,
        kubeconfig: matches.get_one("kubeconfig").cloned(),
    };
    settings(&flags, session.host(), session.servers())
}

fn check_expiration(
    matches: &ArgMatches,
    session: &Session<'_>,
    (shared, report): (&Shared, &Report),
) -> Result<(), Problem> {
    let settings = found_settings(matches, session)?;
    match &settings.warning {
        // The answer stands alone on standard output, whatever its form.
        Some(warning) if shared.output != Output::Text => say(&format!("warning: {warning}")),
        Some(warning) => report.warning(warning),
        None => {}
    }
    let found = expirations(&settings.cluster, &settings.layout, session.host(), session.now())?;
    report.answer(&found.text(), &found.value());
    Ok(())
}

fn renew(
    name: Option<&str>,
    matches: &ArgMatches,
    session: &mut Session<'_>,
    (shared, report): (&Shared, &Report),
) -> Result<(), Problem> {
    let requests = requests_folder(matches)?;
    let settings = found_settings(matches, session)?;
    if let Some(warning) = &settings.warning {
        report.warning(warning);
    }
    let job = renewal::resolve(settings, name, requests.as_deref(), session.host())?;
    if name.is_none() {
        session.make_keys(job.cluster.key_algorithm, ALL.len());
    }
    let subject = format!("{} · {}", name.unwrap_or("all certificates"), job.layout.certificates().display());
    let selection = renewal::selection(name);
    let took = session.run(&Order { workflow: &RENEW, job: &job, selection: &selection, subject: &subject })?;
    let closing = match &job.requests {
        _ if shared.dry_run => String::new(),
        Some(folder) => signed_elsewhere(folder),
        None => restarting(&renewal::restarts(&job, name, session.host())?, name, took),
    };
    report.end(&closing);
    Ok(())
}

fn signed_elsewhere(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "\nKeys and requests are in {folder}; nothing was renewed. Have each .csr signed, then put key and certificate in place.\n"
    )
}

/// What is still to be done by hand. Static Pods start again when their manifests go and come back.
fn restarting(components: &[&str], name: Option<&str>, took: Duration) -> String {
    let mut text = format!("\nRenewed in {:.1} s.\n", took.as_secs_f64());
    if !components.is_empty() {
        let manifests: Vec<String> = components.iter().map(|component| format!("{component}.yaml")).collect();
        text.push_str(&format!(
            "\nNot in use yet by {}: what runs goes on with what it holds in memory.\n\
             Have it started again, one node at a time:\n\n  \
             cd /etc/kubernetes/manifests && mkdir ../resting && mv {} ../resting/ &&\n  \
             sleep 40 && mv ../resting/*.yaml . && rmdir ../resting\n",
            components.join(", "),
            manifests.join(" "),
        ));
    }
    if name.is_none_or(|name| name == "admin.conf") {
        text.push_str("\nWhoever uses a copy of admin.conf, such as ~/.kube/config, needs a new copy.\n");
    }
    text
}

fn generate_csr(
    matches: &ArgMatches,
    session: &Session<'_>,
    (shared, report): (&Shared, &Report),
) -> Result<(), Problem> {
    let flags = InitFlags {
        config: matches.get_one("config").cloned(),
        cert_dir: folder(matches, "cert-dir")?.map(|folder| folder.display().to_string()),
        kubeconfig_dir: folder(matches, "kubeconfig-dir")?,
        ..InitFlags::default()
    };
    if let Some(dry) = session.dry_run() {
        dry.need_address();
    }
    let job = resolve_init(&flags, session.host(), session.now(), session.entropy())?;
    let (certificates, kubeconfigs) = (job.node.layout.certificates(), job.node.layout.kubeconfigs());
    let subject = format!("{} · {} ({})", job.cluster.release, job.node.name, job.endpoint.address);
    let selection = Selection::default();
    session.run(&Order { workflow: &GENERATE_CSR, job: &job, selection: &selection, subject: &subject })?;
    report.end(&if shared.dry_run {
        String::new()
    } else {
        format!(
            "\nHave each .csr in {} and {} signed:\n\n  \
             <name>.csr       put the certificate beside it as <name>.crt\n  \
             <name>.conf.csr  put the certificate into <name>.conf, in base64, as client-certificate-data,\n                   \
             and the CA's as certificate-authority-data where it is not there\n",
            certificates.display(),
            kubeconfigs.display(),
        )
    });
    Ok(())
}
