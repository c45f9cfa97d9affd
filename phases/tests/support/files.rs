//! Machines with the certificates and kubeconfigs that `init` makes, less and more some files.
//!
//! Names count from `/etc/kubernetes`, as in `pki/ca.key` and `admin.conf`.

use std::path::Path;

use super::Bench;
use crate::certs::certificate::Certificate;
use crate::config::Init;
use crate::kubeconfig::{self, Credentials, Source};
use crate::plan::Step;
use crate::world::Overlay;

const ETC: &str = "/etc/kubernetes/";

/// What the phases `certs` and `kubeconfig` make for a job.
pub(crate) fn made(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run(&Step::CERTS, job).unwrap();
    bench.run(&Step::KUBECONFIG, job).unwrap();
    bench
}

/// A machine that has these files already: nothing of them was done in its own run.
pub(crate) fn machine(made: &Bench, without: &[&str], with: &[(&str, &str)]) -> Bench {
    let mut overlay = Overlay::default();
    for (path, (content, mode)) in made.overlay.written() {
        let path = path.display().to_string();
        let name = path.trim_start_matches(ETC);
        if !without.contains(&name) && !with.iter().any(|(changed, _)| *changed == name) {
            overlay = overlay.with_file(&path, str::from_utf8(content.bytes()).unwrap(), mode);
        }
    }
    for (name, text) in with {
        overlay = overlay.with_file(&format!("{ETC}{name}"), text, 0o600);
    }
    Bench::over(overlay)
}

/// The text of a file below `/etc/kubernetes`.
pub(crate) fn text(bench: &Bench, name: &str) -> String {
    bench.text(&format!("{ETC}{name}"))
}

/// The certificate `pki/<name>.crt`.
pub(crate) fn certificate(bench: &Bench, name: &str) -> Certificate {
    Certificate::parse_all(&text(bench, &format!("pki/{name}.crt"))).unwrap().remove(0)
}

/// Certificate and key in a kubeconfig.
pub(crate) fn client(bench: &Bench, file: &str) -> (Certificate, String) {
    let found = kubeconfig::parse(&text(bench, file)).unwrap();
    match found.credentials {
        Credentials::Certificate { certificate: Source::Text(pem), key: Source::Text(key) } => {
            (Certificate::parse_all(pem.reveal()).unwrap().remove(0), key.reveal().clone())
        }
        other => panic!("{file} has {other:?}"),
    }
}

/// Names of the files that were changed, from `/etc/kubernetes` on.
pub(crate) fn changed(bench: &Bench) -> Vec<String> {
    let files = bench.overlay.changes().into_iter().filter_map(|change| match change {
        crate::world::Change::File { path, .. } => Some(path),
        _ => None,
    });
    files.map(|path| path.strip_prefix(Path::new(ETC)).unwrap_or(&path).display().to_string()).collect()
}
