//! Checks of external etcd: the files to reach it with, and its release.

use std::path::Path;

use serde_json::Value;

use super::finding::{Finding, Findings, or};
use super::scene::Scene;
use crate::config::{Etcd, ExternalEtcd};
use crate::world::Identity;

fn external<'a>(scene: &Scene<'a>) -> Option<&'a ExternalEtcd> {
    match &scene.cluster.etcd {
        Etcd::External(external) => Some(external),
        Etcd::Local(_) => None,
    }
}

pub(super) fn client_certificates(scene: &Scene<'_>) -> Findings {
    let Some(external) = external(scene) else { return Ok(Vec::new()) };
    let mut findings = Vec::new();
    for path in [&external.ca_file, &external.cert_file, &external.key_file] {
        if !path.as_os_str().is_empty() && scene.world.host().stat(path)?.is_none() {
            findings.push(
                Finding::error(format!("{} is not there", path.display()))
                    .why("the API server needs it to talk to etcd")
                    .fix(format!("copy it from a host of etcd to {}", path.display())),
            );
        }
    }
    or(findings, Finding::fine("the files to reach etcd with are there"))
}

pub(super) fn version(scene: &Scene<'_>) -> Findings {
    let Some(external) = external(scene) else { return Ok(Vec::new()) };
    let minimum = scene.release.oldest_external_etcd();
    let text = minimum.map(|number| number.to_string()).join(".");
    let mut findings = Vec::new();
    for endpoint in &external.endpoints {
        let url = endpoint.trim_end_matches('/');
        let found = asked(scene, external, url);
        findings.push(match found {
            Err(reason) => {
                Finding::error(format!("the etcd at {endpoint} does not tell its version")).why(reason).fix(format!(
                    "try it: curl --cacert {} --cert {} --key {} {url}/version",
                    or_dash(&external.ca_file),
                    or_dash(&external.cert_file),
                    or_dash(&external.key_file)
                ))
            }
            Ok(version) if numbers(&version) < minimum => {
                Finding::error(format!("the etcd at {endpoint} is {version}, older than {text}"))
                    .why(format!("{} is made for etcd {text} and newer", scene.release))
                    .fix(format!("upgrade etcd to {text} or newer"))
            }
            Ok(version) => Finding::passed(format!("etcd {version} at {endpoint}")),
        });
    }
    Ok(findings)
}

fn or_dash(path: &Path) -> String {
    if path.as_os_str().is_empty() { "-".to_owned() } else { path.display().to_string() }
}

fn asked(scene: &Scene<'_>, external: &ExternalEtcd, url: &str) -> Result<String, String> {
    let identity = Identity::CertificateFiles {
        server: url.to_owned(),
        ca: external.ca_file.clone(),
        certificate: external.cert_file.clone(),
        key: external.key_file.clone(),
    };
    let answer = scene.world.cluster().raw(&identity, "/version").map_err(|error| error.reason())?;
    if answer.status != 200 {
        return Err(format!("it answers {}", answer.status));
    }
    let value: Value = serde_json::from_str(&answer.body).map_err(|error| format!("its answer is no JSON: {error}"))?;
    value["etcdserver"].as_str().map(str::to_owned).ok_or_else(|| "its answer has no etcdserver".to_owned())
}

fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (text, expected) in
            [("3.2.18", [3, 2, 18]), ("3.5.24-0", [3, 5, 24]), ("v3.10", [3, 10, 0]), ("", [0, 0, 0])]
        {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }
}
