//! Checks of the kubelet: its service, its release, and flags that would contradict what kubestrap writes.

use std::path::Path;

use super::finding::{Finding, Findings, one, or};
use super::scene::{Kubelet, Scene};
use crate::config::Release;

pub(super) fn service(scene: &Scene<'_>) -> Findings {
    let unit = scene.world.host().unit("kubelet.service")?;
    one(if !unit.exists {
        Finding::error("there is no kubelet.service")
            .why("the kubelet is not installed as a service on this machine")
            .fix("install the kubelet package of the release, with its unit and kubeadm's drop-in")
    } else if unit.masked {
        Finding::error("kubelet.service is masked")
            .why("systemd refuses to start a masked unit")
            .fix("systemctl unmask kubelet.service && systemctl enable kubelet.service")
    } else if !unit.enabled {
        Finding::warning("kubelet.service does not start at boot")
            .why("after a reboot the node would stay away")
            .fix("systemctl enable kubelet.service")
    } else {
        Finding::fine("kubelet.service starts at boot")
    })
}

pub(super) fn version(scene: &Scene<'_>) -> Findings {
    let release = scene.release;
    let oldest = release.oldest_kubelet_distance();
    one(match &scene.kubelet {
        // Without a service, that is what is missing.
        Kubelet::Unknown(_) if !scene.world.host().unit("kubelet.service")?.exists => {
            Finding::skipped("there is no kubelet to ask")
        }
        Kubelet::Unknown(reason) => Finding::error("the kubelet does not tell its version")
            .why(reason.clone())
            .fix("install the kubelet of the release, in the path"),
        Kubelet::Installed(kubelet) if kubelet.minor() > release.minor() => {
            Finding::error(format!("the kubelet is {kubelet}, newer than the control plane {release}"))
                .why("a kubelet must not be newer than the API server it talks to")
                .fix(format!("install the kubelet of {release}, or --kubernetes-version {kubelet} for a new cluster"))
        }
        Kubelet::Installed(kubelet) if kubelet.minor() + oldest < release.minor() => {
            Finding::error(format!("the kubelet is {kubelet}, too old for the control plane {release}"))
                .why(format!("at most {oldest} minor releases may lie between them"))
                .fix(format!("install the kubelet of {release}"))
        }
        Kubelet::Installed(kubelet) => Finding::passed(format!("kubelet {kubelet}")),
    })
}

/// Where packages let people put flags; kubeadm's drop-in reads one of them, after all other flags.
const FLAG_FILES: [&str; 2] = ["/etc/default/kubelet", "/etc/sysconfig/kubelet"];

/// Flags there win over what kubestrap writes.
pub(super) fn flags(scene: &Scene<'_>) -> Findings {
    let kubelet = match &scene.kubelet {
        Kubelet::Installed(release) => release,
        Kubelet::Unknown(_) => scene.release,
    };
    let mut findings = Vec::new();
    for file in FLAG_FILES {
        for (flag, value) in scene.text(file).map(|text| extra_args(&text)).unwrap_or_default() {
            let Some(why) = conflict(scene, kubelet, &flag, &value) else { continue };
            let fix = format!("remove --{flag} from {file}");
            findings.push(match why {
                Conflict::Fatal(why) => Finding::error(format!("{file} gives the kubelet --{flag}")).why(why).fix(fix),
                Conflict::Odd(why) => Finding::warning(format!("{file} gives the kubelet --{flag}")).why(why).fix(fix),
            });
        }
    }
    or(findings, Finding::fine("no flags beside those of kubestrap that contradict them"))
}

enum Conflict {
    Fatal(String),
    Odd(String),
}

fn conflict(scene: &Scene<'_>, kubelet: &Release, flag: &str, value: &str) -> Option<Conflict> {
    let bare = |socket: &str| socket.trim_start_matches("unix://").to_owned();
    match flag {
        "config" | "kubeconfig" | "bootstrap-kubeconfig" => {
            Some(Conflict::Fatal("the kubelet would not read the files that kubestrap writes".to_owned()))
        }
        "hostname-override" if value != scene.node.name.as_str() => Some(Conflict::Fatal(format!(
            "it would register as {value}, with a certificate for {}: use --node-name instead",
            scene.node.name
        ))),
        "pod-manifest-path" if Path::new(value) != scene.node.layout.manifests() => {
            Some(Conflict::Fatal(format!("it would look for static Pods in {value}, not where kubestrap writes them")))
        }
        "container-runtime-endpoint" if bare(value) != bare(&scene.node.cri_socket) => Some(Conflict::Fatal(format!(
            "kubestrap was told to use {}: use --cri-socket instead",
            scene.node.cri_socket
        ))),
        "cgroup-driver" => {
            let wanted =
                scene.kubelet_setting("cgroupDriver").and_then(serde_json::Value::as_str).unwrap_or("cgroupfs");
            (value != wanted).then(|| Conflict::Odd(format!("the cluster's configuration says {wanted}")))
        }
        _ if kubelet.kubelet_has_dropped(flag) => {
            Some(Conflict::Fatal(format!("the kubelet {kubelet} has no such flag any more and would not start")))
        }
        _ => None,
    }
}

/// Flags of the line `KUBELET_EXTRA_ARGS=…`, without dashes.
fn extra_args(text: &str) -> Vec<(String, String)> {
    let line = text.lines().filter_map(|line| line.trim().strip_prefix("KUBELET_EXTRA_ARGS=")).next_back();
    let line = line.unwrap_or_default().trim_matches(['"', '\'']);
    let mut words = line.split_whitespace().peekable();
    let mut flags = Vec::new();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, words.next_if(|next| !next.starts_with('-')).unwrap_or("true")),
        };
        flags.push((name.to_owned(), value.to_owned()));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_extra_flags_counts() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        for (text, expected) in [
            ("KUBELET_EXTRA_ARGS=\n", pairs(&[])),
            ("# KUBELET_EXTRA_ARGS=--v=4\n", pairs(&[])),
            (
                "KUBELET_EXTRA_ARGS=--v=2\nKUBELET_EXTRA_ARGS=\"--node-ip 10.0.0.5 --cgroup-driver=systemd --x\"\n",
                pairs(&[("node-ip", "10.0.0.5"), ("cgroup-driver", "systemd"), ("x", "true")]),
            ),
        ] {
            assert_eq!(extra_args(text), expected, "{text}");
        }
    }
}
