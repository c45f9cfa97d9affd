//! `kubestrap init`: flags and closing words.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use kubestrap_phases::config::{Init, InitFlags, resolve_init};
use kubestrap_phases::plan::Selection;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::{GENERATE_CSR, INIT};
use kubestrap_phases::world::{Event, Progress as _};

use super::init_phases;
use super::phases::{selection, with_phases};
use super::reach::Reach;
use super::shared::{self, Shared, folder, list, switch, text, texts, value};
use super::undo;
use crate::launch::{Order, Session};
use crate::report::Report;

pub(super) fn command(reach: Reach<'_>) -> Command {
    let about = "Make this machine the first control-plane node of a cluster";
    let init = with_phases(Command::new("init").about(about), &INIT, flags, reach).arg(undo::restart());
    if reach.has("phase") { init_phases::augment(init) } else { init }
}

fn flags(command: Command) -> Command {
    command
        .arg(
            value("config", "FILE", "Configuration file (kubeadm v1beta2, v1beta3 or v1beta4)")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(value(
            "apiserver-advertise-address",
            "ADDRESS",
            "Address that the API server tells others; default: the one with the default route",
        ))
        .arg(
            Arg::new("apiserver-bind-port")
                .long("apiserver-bind-port")
                .value_name("PORT")
                .value_parser(value_parser!(u16).range(1..))
                .help("Port of the API server; default: 6443"),
        )
        .arg(list("apiserver-cert-extra-sans", "NAMES", "Further names and addresses in the API server's certificate"))
        .arg(value("cert-dir", "FOLDER", "Certificate folder; default: /etc/kubernetes/pki"))
        .arg(value(
            "certificate-key",
            "KEY",
            "Key that seals uploaded certificates, 64 hex digits; default: a random one",
        ))
        .arg(value("control-plane-endpoint", "HOST[:PORT]", "Stable address of all API servers"))
        .arg(value("cri-socket", "SOCKET", "Socket of the container runtime; default: the one that is there"))
        .arg(value("feature-gates", "GATES", "kubeadm's feature gates, as name=true,…"))
        .arg(list("ignore-preflight-errors", "CHECKS", "Checks whose errors become warnings; all: every one"))
        .arg(value("image-repository", "REPOSITORY", "Where images come from; default: the release's"))
        .arg(value("kubernetes-version", "RELEASE", "Release of the control plane; default: the installed kubelet's"))
        .arg(value("node-name", "NAME", "Name of the Node; default: the host name"))
        .arg(shared::patches())
        .arg(value("pod-network-cidr", "CIDR", "Network of the Pods"))
        .arg(value("service-cidr", "CIDR", "Network of the Services; default: 10.96.0.0/12"))
        .arg(value("service-dns-domain", "DOMAIN", "DNS domain of the Services; default: cluster.local"))
        .arg(value("token", "TOKEN", "Bootstrap token for nodes that join; default: a random one"))
        .arg(value("token-ttl", "DURATION", "How long the token is valid; 0: for ever; default: 24h0m0s"))
        .arg(switch("skip-certificate-key-print", "Leave the certificate key out of what is printed"))
        .arg(switch("skip-token-print", "Leave the token out of the join command"))
        .arg(switch(
            "upload-certs",
            "Keep the shared certificates in the cluster for two hours, sealed, for further control-plane nodes",
        ))
        .arg(
            value(
                "kubeconfig",
                "FILE",
                "Kubeconfig of the phases that talk to the cluster; default: /etc/kubernetes/admin.conf",
            )
            .value_parser(value_parser!(PathBuf)),
        )
}

pub(super) fn run(matches: &ArgMatches, shared: &Shared, report: &Report) -> Result<(), Problem> {
    let (selection, matches) = selection(matches);
    let is_whole = selection.only.is_none();
    let flags = InitFlags {
        config: matches.get_one("config").cloned(),
        apiserver_advertise_address: text(matches, "apiserver-advertise-address"),
        apiserver_bind_port: matches.get_one("apiserver-bind-port").copied(),
        apiserver_cert_extra_sans: texts(matches, "apiserver-cert-extra-sans"),
        cert_dir: text(matches, "cert-dir"),
        control_plane_endpoint: text(matches, "control-plane-endpoint"),
        cri_socket: text(matches, "cri-socket"),
        feature_gates: text(matches, "feature-gates"),
        ignore_preflight_errors: texts(matches, "ignore-preflight-errors"),
        image_repository: text(matches, "image-repository"),
        kubernetes_version: text(matches, "kubernetes-version"),
        node_name: text(matches, "node-name"),
        patches: text(matches, "patches"),
        pod_network_cidr: text(matches, "pod-network-cidr"),
        service_cidr: text(matches, "service-cidr"),
        service_dns_domain: text(matches, "service-dns-domain"),
        phase: selection.only.clone(),
        skip_phases: selection.skip.clone(),
        token: text(matches, "token"),
        token_ttl: text(matches, "token-ttl"),
        skip_token_print: matches.get_flag("skip-token-print"),
        kubeconfig: matches.get_one("kubeconfig").cloned(),
        certificate_key: text(matches, "certificate-key"),
        upload_certs: matches.get_flag("upload-certs"),
        skip_certificate_key_print: matches.get_flag("skip-certificate-key-print"),
        ..InitFlags::default()
    };
    let flags = init_phases::read(matches, flags)?;
    if init_phases::wants_requests(matches) {
        return requests(flags, &selection, folder(matches, "csr-dir")?, (shared, report));
    }
    let mut session = Session::open(shared, report)?;
    if is_whole {
        session.look_for_kubelet();
    }
    session.obey_file(flags.config.as_deref(), "InitConfiguration");
    if let Some(dry) = session.dry_run().filter(|_| flags.apiserver_advertise_address.is_none()) {
        dry.need_address();
    }
    let restarts = undo::wants_restart(matches);
    let resumed = session.resume(INIT.name, is_whole && !restarts)?;
    let resolve = || resolve_init(&flags, session.host(), session.now(), &resumed.draws(session.entropy()));
    let mut job = resolve()?;
    if restarts && undo::unfinished(&session)? {
        job = resolve()?;
    }
    let kept = resumed.keep(INIT.name, job.asked())?;
    session.obey(&job.node);
    let selection = selection.or_skip(&job.node.skip_phases);
    if init_phases::print_manifest(matches, &selection, &job, report) {
        return Ok(());
    }
    let subject = format!("{} · {} ({})", job.cluster.release, job.node.name, job.endpoint.address);
    let order = Order { workflow: &INIT, job: &job, selection: &selection, subject: &subject };
    session.make_keys_ahead(&order)?;
    let took = if is_whole { session.run_whole(&order, Some(&kept))? } else { session.run(&order)? };
    // A key that was drawn by chance is of use only to those who are told.
    if selection.only.as_deref() == Some("upload-certs")
        && let Some(key) = job.certificate_key.as_ref().filter(|_| !job.skip_certificate_key_print && !session.is_dry())
    {
        report.event(Event::Result(key.reveal()));
    }
    report.end(&if is_whole && !session.is_dry() { closing(&job, took) } else { String::new() });
    Ok(())
}

/// `init phase certs … --csr-only` of kubeadm 1.20: what `certs generate-csr` does, for one certificate or all.
fn requests(
    flags: InitFlags,
    selection: &Selection,
    csr_dir: Option<PathBuf>,
    (shared, report): (&Shared, &Report),
) -> Result<(), Problem> {
    let cert_dir = csr_dir.map(|folder| folder.display().to_string()).or(flags.cert_dir);
    let flags = InitFlags { cert_dir, ..flags };
    let session = Session::open(shared, report)?;
    if let Some(dry) = session.dry_run() {
        dry.need_address();
    }
    let job = resolve_init(&flags, session.host(), session.now(), session.entropy())?;
    let subject = format!("{} · {} ({})", job.cluster.release, job.node.name, job.endpoint.address);
    session.run(&Order { workflow: &GENERATE_CSR, job: &job, selection, subject: &subject })?;
    report.end("");
    Ok(())
}

fn closing(job: &Init, took: std::time::Duration) -> String {
    let expires = match job.tokens.first().and_then(|token| token.expires) {
        Some(moment) => format!("token valid until {}", kubestrap_phases::world::Clock(moment).rfc3339()),
        None => "the token does not expire".to_owned(),
    };
    let control_plane = match (&job.cluster.control_plane_endpoint, &job.certificate_key) {
        (None, _) => String::new(),
        (Some(_), None) => "\n                --control-plane makes one of the control plane: copy the certificates of\n                \
            this one to it first, or upload them: kubestrap init phase upload-certs --upload-certs"
            .to_owned(),
        (Some(_), Some(_)) => "\n                --control-plane makes one of the control plane; its certificate key opens the\n                \
            certificates that the cluster keeps for two hours: keep it secret"
            .to_owned(),
    };
    format!(
        "\n{} is a control-plane node. It took {:.1} s.\n\n  \
         use it        export KUBECONFIG={}\n  \
         still needed  a Pod network: kubectl apply -f <your network>.yaml\n  \
         add nodes     run the line below on them as root; {expires};{control_plane}\n                \
         a new line: kubestrap token create --print-join-command\n",
        job.node.name,
        took.as_secs_f64(),
        job.kubeconfig.display(),
    )
}
