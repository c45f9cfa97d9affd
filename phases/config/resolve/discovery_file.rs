//! The discovery file of `join`: whether one is meant, and what it says. A file is read here; a URL is fetched by discovery.

use std::path::{Path, PathBuf};

use super::join::{DiscoverBy, token};
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::discovery::file::{no_credentials, trusted};
use crate::problem::Problem;
use crate::world::Host;

const EXAMPLE: &str = "/root/cluster-info.conf";

/// The discovery file with who named it, where it and no token is meant; empty beside a finding. A flag counts more than the file of `--config`.
pub(super) fn said<'d>(draft: &'d Draft, findings: &mut Findings) -> Option<(&'d str, Origin)> {
    let Some((file, origin)) = draft.text(Setting::DiscoveryKubeconfig) else {
        if draft.is_true(Setting::FileDiscovery) {
            let origin = draft.origin(Setting::FileDiscovery);
            let why = "discovery.file names no kubeConfigPath";
            findings.wrong("config-bad-discovery-file", "the discovery file is not named", &origin, why, EXAMPLE);
            return Some(("", origin));
        }
        return None;
    };
    let by_token = [Setting::DiscoveryEndpoint, Setting::TokenDiscovery, Setting::CaPins, Setting::DiscoveryToken];
    let is_flag = |origin: &Origin| matches!(origin, Origin::Flag(_));
    // --token also serves the TLS bootstrap, which a file may leave open.
    let counts = |origin: &Origin| *origin != Origin::Flag("--token");
    let mut others = by_token.iter().filter_map(|&key| draft.get(key)).map(|said| &said.origin).filter(|o| counts(o));
    if let Some(other) = others.clone().find(|other| is_flag(other) == is_flag(origin)) {
        let mut finding =
            Problem::new("config-two-discoveries", "the cluster is to be found by token and by file at once")
                .why(format!("{origin} names a file, and {other} belongs to discovery by token"))
                .fix("leave out one of them");
        finding.place = origin.place();
        findings.add(finding);
        return Some(("", origin.clone()));
    }
    let is_overruled = !is_flag(origin) && others.any(is_flag);
    (!is_overruled).then(|| (file, origin.clone()))
}

/// What the file says; `None` only beside a finding.
///
/// # Errors
/// When the machine cannot be looked at.
pub(super) fn discovery(
    file: &str,
    origin: &Origin,
    draft: &Draft,
    host: &dyn Host,
    findings: &mut Findings,
) -> Result<Option<DiscoverBy>, Problem> {
    let token = token(draft, Setting::TlsBootstrapToken, findings);
    let is_bad = token == Some(None);
    let token = token.flatten();
    let mut wrong = |why: String| {
        findings.wrong("config-bad-discovery-file", "the discovery file cannot be used", origin, why, EXAMPLE);
    };
    if file.is_empty() {
        return Ok(None);
    }
    if file.starts_with("https://") {
        return Ok((!is_bad).then(|| DiscoverBy::Url { url: file.to_owned(), token }));
    }
    if let Some((scheme, _)) = file.split_once("://").filter(|(scheme, _)| *scheme != "file") {
        wrong(format!("{scheme}:// cannot be trusted; a path or an https:// URL can"));
        return Ok(None);
    }
    let path = Path::new(file.strip_prefix("file://").unwrap_or(file));
    let Some(bytes) = host.read(path)? else {
        wrong(format!("there is no {}", path.display()));
        return Ok(None);
    };
    let read = |named: &Path| -> Result<Option<String>, Problem> {
        let named: PathBuf = path.parent().unwrap_or_else(|| Path::new("/")).join(named);
        Ok(host.read(&named)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    match trusted(&String::from_utf8_lossy(&bytes), file, &read) {
        Ok(cluster) if token.is_none() && !is_bad && cluster.credentials.is_none() => {
            wrong(no_credentials(file).why);
            Ok(None)
        }
        Ok(cluster) => Ok((!is_bad).then_some(DiscoverBy::File { cluster, token })),
        Err(problem) => {
            wrong(problem.why);
            Ok(None)
        }
    }
}
