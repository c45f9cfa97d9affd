//! Defaults that this machine decides: release, advertise address, CRI socket.

use std::net::IpAddr;
use std::path::Path;

use crate::config::Release;
use crate::config::draft::{Draft, Origin, Setting};
use crate::config::findings::Findings;
use crate::problem::Problem;
use crate::releases::{DEFAULT, NEWEST_MINOR, OLDEST_MINOR};
use crate::world::{Command, Facts, Host};

/// The release of the control plane. Nothing is downloaded: a label, or nothing, means the release of the kubelet that
/// is installed, else the default.
pub(super) fn release(draft: &Draft, host: &dyn Host, findings: &mut Findings) -> Release {
    let Some((text, origin)) = draft.text(Setting::KubernetesVersion) else {
        return served(installed_kubelet(host), findings);
    };
    if let Some(minor) = label_minor(text) {
        let found = served(installed_kubelet(host), findings);
        if minor.is_some_and(|minor| minor != found.minor()) {
            let why = format!("the label {text:?} would have to be looked up, and nothing is downloaded");
            findings.wrong(
                "config-bad-version",
                "the Kubernetes version is not known",
                origin,
                why,
                &format!("v1.{}.0", minor.unwrap_or_else(|| found.minor())),
            );
        }
        return found;
    }
    let example = DEFAULT.to_string();
    let what = ("config-bad-version", "the Kubernetes version cannot be used");
    match findings.keep(text.parse::<Release>(), what, origin, &example) {
        Some(release) => {
            check_range(&release, origin, findings);
            release
        }
        None => DEFAULT,
    }
}

/// The release that the file or flags name, or the installed one; for those who only need to know the node's habits.
pub(super) fn node_release(host: &dyn Host) -> Release {
    installed_kubelet(host).unwrap_or(DEFAULT)
}

/// Whether the release is one of those served.
pub(super) fn check_range(release: &Release, origin: &Origin, findings: &mut Findings) {
    if !(OLDEST_MINOR..=NEWEST_MINOR).contains(&release.minor()) {
        let why = format!("{release} is not between v1.{OLDEST_MINOR} and v1.{NEWEST_MINOR}");
        findings.wrong("config-bad-version", "the Kubernetes version is not served", origin, why, &DEFAULT.to_string());
    }
}

fn served(installed: Option<Release>, findings: &mut Findings) -> Release {
    let Some(release) = installed else { return DEFAULT };
    if !(OLDEST_MINOR..=NEWEST_MINOR).contains(&release.minor()) {
        findings.add(
            Problem::new("config-bad-version", "the release of the installed kubelet is not served")
                .at("kubelet --version")
                .why(format!("{release} is not between v1.{OLDEST_MINOR} and v1.{NEWEST_MINOR}"))
                .fix(format!("install a kubelet of v1.{OLDEST_MINOR} to v1.{NEWEST_MINOR}"))
                .fix("--kubernetes-version vX.Y.Z"),
        );
    }
    release
}

/// What `kubelet --version` tells: `Kubernetes v1.20.2`.
fn installed_kubelet(host: &dyn Host) -> Option<Release> {
    let output = host.ask(&Command::new(&["kubelet", "--version"])).ok().filter(|output| output.code == 0)?;
    output.stdout.split_whitespace().find_map(|word| word.starts_with('v').then(|| word.parse().ok())?)
}

/// For a label, the minor release it names, if it names one: `stable-1.20` does, `stable-1` and `latest` do not.
pub(super) fn label_minor(text: &str) -> Option<Option<u32>> {
    let label = text.strip_prefix("release/").unwrap_or(text);
    let rest = label.strip_prefix("stable").or_else(|| label.strip_prefix("latest"))?;
    match rest {
        "" | "-1" => Some(None),
        _ => rest.strip_prefix("-1.").and_then(|minor| minor.parse().ok()).map(Some),
    }
}

/// The address to advertise: the given one, else that of the default route of the same family.
pub(super) fn advertise_address(draft: &Draft, key: Setting, facts: &Facts, findings: &mut Findings) -> Option<IpAddr> {
    let said = draft.text(key);
    let given: Option<IpAddr> = match said {
        None => None,
        Some((text, origin)) => {
            let parsed = text.parse::<IpAddr>().map_err(|_| format!("{text:?} is not an IP address"));
            let what = ("config-bad-address", "the advertise address cannot be used");
            Some(findings.keep(parsed, what, origin, "10.0.0.1")?)
        }
    };
    let chosen = match given {
        Some(address) if !address.is_unspecified() => Some(address),
        Some(any) => facts.default_addresses.iter().find(|found| found.is_ipv4() == any.is_ipv4()).copied(),
        None => facts.default_addresses.first().copied(),
    };
    let Some(address) = chosen else {
        findings.add(
            Problem::new("config-no-address", "no address to advertise")
                .why("the host has no default route, and no address was given")
                .fix("--apiserver-advertise-address ADDRESS, one of: ip -brief address")
                .fix("set localAPIEndpoint.advertiseAddress in the file that --config names"),
        );
        return None;
    };
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    };
    if address.is_multicast() || is_link_local {
        let origin = said.map_or(Origin::Host("default route"), |(_, origin)| origin.clone());
        let why = format!("{address} is no address that other nodes can reach");
        findings.wrong("config-bad-address", "the advertise address cannot be used", &origin, why, "10.0.0.1");
    }
    Some(address)
}

/// The CRI socket: the given one, else the one that exists, else the release's default.
pub(super) fn cri_socket(draft: &Draft, release: &Release, facts: &Facts, findings: &mut Findings) -> String {
    if let Some((socket, origin)) = draft.text(Setting::CriSocket) {
        let path = socket.strip_prefix("unix://").unwrap_or(socket);
        if !Path::new(path).is_absolute() {
            let why = format!("{socket:?} is neither an absolute path nor a URL of the form unix:///path");
            findings.wrong(
                "config-bad-cri-socket",
                "the CRI socket cannot be used",
                origin,
                why,
                release.cri_sockets()[0],
            );
        }
        return release.cri_socket_text(socket);
    }
    let mut found: Vec<String> = Vec::new();
    for socket in &facts.cri_sockets {
        let socket = canonical(&socket.to_string_lossy());
        let known = release.cri_sockets().iter().find(|known| canonical(known) == socket);
        let name = known.map_or_else(|| release.cri_socket_text(&socket), ToString::to_string);
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if let [first, .., last] = found.as_slice() {
        findings.add(
            Problem::new("config-many-cri-sockets", "there is more than one container runtime")
                .why(format!("found {}", found.join(", ")))
                .fix(format!("--cri-socket {first}"))
                .fix(format!("--cri-socket {last}")),
        );
    }
    found.into_iter().next().unwrap_or_else(|| release.cri_sockets()[0].to_owned())
}

/// Without the scheme, and with `/run` for `/var/run`, which is a link to it.
fn canonical(socket: &str) -> String {
    let path = socket.strip_prefix("unix://").unwrap_or(socket);
    path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path).to_owned()
}
