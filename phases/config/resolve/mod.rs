//! Resolve: from flags, file and host to a job, or all problems at once.
//!
//! The only place that asks the host for defaults and draws random values. Reads the configuration file and looks at the
//! host; never speaks to the network, changes nothing.

mod certificate_key;
mod certs;
mod checks;
mod cluster;
mod defaults;
mod discovery_file;
mod images;
mod init;
mod join;
mod node;
mod nowhere;
mod remove;
mod reset;
mod stored;
mod tokens;
mod upgrade;
mod user;

pub use certs::cluster_from_file;
pub use defaults::installed_release;
pub use images::resolve_images;
pub use init::resolve_init;
pub use join::{ControlPlaneRequest, DiscoverBy, JoinRequest, TokenDiscovery, TrustedCluster, resolve_join};
pub(super) use nowhere::{NoEntropy, nowhere};
pub use remove::resolve_remove;
pub use reset::resolve_reset;
pub use stored::cluster_from_config_maps;
pub use tokens::{resolve_token, resolve_token_delete};
pub(super) use upgrade::check_upgrade;
pub use user::{Told, resolve_user_kubeconfig};

use std::path::Path;

use super::draft::{Draft, Origin, Setting};
use super::findings::Findings;
use super::wire::{self, Documents};
use crate::problem::Problem;
use crate::world::Host;
use crate::yaml;

/// Id and text of the problem that sums up all findings.
pub(super) const INVALID: (&str, &str) = ("config-invalid", "the configuration cannot be used");

/// Reads the file, where one was named; needed is a document of one of the wanted kinds.
fn read_file(
    config: Option<&Path>,
    wanted: &[&str],
    host: &dyn Host,
    findings: &mut Findings,
) -> Result<Documents, Problem> {
    let Some(path) = config else { return Ok(Documents::default()) };
    let file = path.display().to_string();
    let Some(text) = read_text(path, host, findings)? else { return Ok(Documents::default()) };
    let documents = wire::load(&text, &file, wanted, true, findings);
    if findings.is_empty() && !wanted.iter().any(|kind| documents.kinds.iter().any(|seen| seen == kind)) {
        let needed = wanted.join(" or ");
        findings.add(
            Problem::new("config-needed-kind", format!("{file} has no {needed}"))
                .at(&file)
                .why(match documents.kinds.as_slice() {
                    [] => "the file is empty".to_owned(),
                    kinds => format!("it has {}", kinds.join(", ")),
                })
                .fix(format!("add a document to {file}: kind: {}", wanted[0]))
                .fix("leave --config out and give flags instead"),
        );
    }
    Ok(documents)
}

/// Whether the file's document of this kind asks for a dry run. What is wrong with the file is told by who reads all of it.
pub fn asks_for_dry_run(path: &Path, kind: &str, host: &dyn Host) -> bool {
    let Ok(Some(bytes)) = host.read(path) else { return false };
    let documents = std::str::from_utf8(&bytes).ok().and_then(|text| yaml::documents(text).ok()).unwrap_or_default();
    documents.iter().any(|document| document["kind"] == kind && document["dryRun"] == true)
}

/// The text of a configuration file, for those who work on files as such.
///
/// # Errors
/// One problem `config-invalid` when it is not there or no text, or why it could not be read.
pub fn read_config_file(path: &Path, host: &dyn Host) -> Result<String, Problem> {
    let mut findings = Findings::default();
    let text = read_text(path, host, &mut findings)?;
    findings.finish(text, INVALID.0, INVALID.1)
}

fn read_text(path: &Path, host: &dyn Host, findings: &mut Findings) -> Result<Option<String>, Problem> {
    let file = path.display().to_string();
    let Some(bytes) = host.read(path)? else {
        findings.add(
            Problem::new("config-file-missing", "the configuration file is not there")
                .at(&file)
                .why("there is no such file")
                .fix(format!("check the path that --config names: ls -l {file}")),
        );
        return Ok(None);
    };
    let text = String::from_utf8(bytes).ok();
    if text.is_none() {
        findings.add(
            Problem::new("config-not-yaml", format!("{file} is not YAML"))
                .at(&file)
                .why("it is not UTF-8 text")
                .fix(format!("look at it: file {file}")),
        );
    }
    Ok(text)
}

/// The union of flag and file, lower case and sorted, as preflight compares them.
fn ignored_checks(draft: &Draft, flags: &[String], findings: &mut Findings) -> Vec<String> {
    ignored_in(draft, Setting::IgnorePreflightErrors, flags, findings)
}

fn ignored_in(draft: &Draft, key: Setting, flags: &[String], findings: &mut Findings) -> Vec<String> {
    let (said, origin) = draft.texts(key);
    let from_flags = flags.iter().flat_map(|flag| flag.split(','));
    let mut names: Vec<String> =
        said.into_iter().chain(from_flags).map(|name| name.trim().to_lowercase()).filter(|n| !n.is_empty()).collect();
    names.sort();
    names.dedup();
    if names.len() > 1 && names.iter().any(|name| name == "all") {
        let origin = if flags.is_empty() { origin } else { Origin::Flag("--ignore-preflight-errors") };
        let why = "\"all\" stands beside other names";
        findings.wrong("config-bad-ignore", "preflight errors to ignore contradict each other", &origin, why, "all");
    }
    names
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
pub(super) mod tests;
