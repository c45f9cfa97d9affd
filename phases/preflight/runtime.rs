//! Checks of the container runtime, over CRI; pulls the images that are missing.

use std::error::Error;

use serde_json::Value;

use super::finding::{Finding, Findings, one};
use super::is_ignored;
use super::scene::Scene;
use crate::config::NodeConfig;
use crate::problem::{Exit, Problem};
use crate::releases::Image;
use crate::world::{Change, HostError, ImagePull, RuntimeStatus, World};

pub(super) fn answers(scene: &Scene<'_>) -> Findings {
    let socket = &scene.node.cri_socket;
    one(match &scene.runtime {
        Err(error) if scene.facts.uid != 0 && is_refused(error) => Finding::needs_root(format!("asking {socket}")),
        Err(error) => Finding::error(format!("no container runtime answers at {socket}"))
            .why(reason(error))
            .fix("systemctl enable --now containerd")
            .fix("or name the runtime's socket: --cri-socket"),
        Ok(RuntimeStatus { name, not_ready: Some(reason), .. }) => Finding::error(format!("{name} is not ready"))
            .why(reason.clone())
            .fix(format!("journalctl -u {name} -n 50")),
        Ok(RuntimeStatus { name, version, api, .. }) => {
            Finding::passed(format!("{name} {version} over CRI {api} at {}", socket.trim_start_matches("unix://")))
        }
    })
}

/// Only root may use the socket.
fn is_refused(error: &HostError) -> bool {
    matches!(error, HostError::Runtime { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

fn reason(error: &HostError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What other checks of a runtime say when it does not answer.
fn unknown(scene: &Scene<'_>) -> Findings {
    let is_closed = scene.facts.uid != 0 && scene.runtime.as_ref().is_err_and(is_refused);
    one(if is_closed {
        Finding::needs_root("asking the container runtime")
    } else {
        Finding::skipped("the container runtime does not answer")
    })
}

/// What checks say that compare with the cluster.
pub(super) fn unknown_cluster() -> Finding {
    Finding::skipped("the cluster's settings are not known")
}

/// From 1.37 on the kubelet asks the runtime for its cgroup driver, and kubeadm warns from 1.35 on.
pub(super) fn version(scene: &Scene<'_>) -> Findings {
    let Ok(status) = &scene.runtime else { return unknown(scene) };
    if !scene.release.advises_runtime_config() {
        return one(Finding::fine(format!("{} does not ask for more than CRI {}", scene.release, status.api)));
    }
    one(if status.tells_cgroup_driver {
        Finding::fine(format!("{} tells its cgroup driver", status.name))
    } else {
        Finding::warning(format!("{} {} cannot be asked for its cgroup driver", status.name, status.version))
            .why("kubelets from 1.37 on need the CRI call RuntimeConfig")
            .fix("upgrade: containerd 2.0 and CRI-O 1.28 have it")
    })
}

pub(super) fn pause_image(scene: &Scene<'_>) -> Findings {
    let Ok(status) = &scene.runtime else { return unknown(scene) };
    if !scene.knows_cluster() {
        return one(unknown_cluster());
    }
    let expected = Image::Pause.reference(scene.cluster);
    one(match &status.sandbox_image {
        None => Finding::skipped(format!("{} does not tell its sandbox image", status.name)),
        Some(sandbox) if *sandbox == expected => Finding::passed(format!("sandbox image {sandbox}")),
        Some(sandbox) => Finding::warning(format!(
            "{} uses the sandbox image {sandbox}, {} expects {expected}",
            status.name, scene.release
        ))
        .why("without a registry, a sandbox image that is not here keeps every Pod from starting")
        .fix(match status.name.as_str() {
            "cri-o" => format!("set pause_image = \"{expected}\" below /etc/crio, then: systemctl restart crio"),
            _ => format!(
                "set sandbox_image = \"{expected}\" in /etc/containerd/config.toml, then: systemctl restart containerd"
            ),
        }),
    })
}

pub(super) fn cgroup_driver(scene: &Scene<'_>) -> Findings {
    let Ok(status) = &scene.runtime else { return unknown(scene) };
    if !scene.knows_cluster() {
        return one(unknown_cluster());
    }
    let wanted = scene.kubelet_setting("cgroupDriver").and_then(Value::as_str).unwrap_or("cgroupfs");
    let Some(uses_systemd) = status.systemd_cgroup else {
        return one(Finding::skipped(format!("{} does not tell its cgroup driver", status.name)));
    };
    let actual = if uses_systemd { "systemd" } else { "cgroupfs" };
    let is_asked = status.tells_cgroup_driver && scene.release.kubelet_asks_for_cgroup_driver();
    one(if actual == wanted || is_asked {
        Finding::passed(format!("cgroup driver {actual}"))
    } else {
        Finding::error(format!("{} uses the cgroup driver {actual}, the kubelet will use {wanted}", status.name))
            .why("with two cgroup drivers the kubelet fails or Pods are killed under load")
            .fix(format!("set cgroupDriver: {actual} in a KubeletConfiguration document of --config"))
            .fix(format!("or SystemdCgroup = {} in /etc/containerd/config.toml", wanted == "systemd"))
    })
}

/// What is missing is pulled later, by the phase.
pub(super) fn images(scene: &Scene<'_>) -> Findings {
    let Ok(status) = &scene.runtime else { return unknown(scene) };
    if !scene.knows_cluster() {
        return one(unknown_cluster());
    }
    let needed = scene.subject.images();
    let missing: Vec<&str> = needed.iter().filter(|image| !status.images.contains(image)).map(String::as_str).collect();
    one(match scene.node.image_pull_policy.as_str() {
        _ if missing.is_empty() => Finding::passed(format!("{} images are here", needed.len())),
        "Never" => Finding::warning(format!("{} of {} images are not here", missing.len(), needed.len()))
            .why(format!("imagePullPolicy is Never, and the control plane needs {}", missing.join(", ")))
            .fix("load them: ctr -n k8s.io images import <archive>"),
        _ => Finding::passed(format!("{} of {} images will be pulled", missing.len(), needed.len())),
    })
}

/// Has the runtime pull what is missing.
pub(super) fn pull(node: &NodeConfig, images: &[String], world: &World<'_>) -> Result<(), Problem> {
    if images.is_empty() || is_ignored(node, "ImagePull") || node.image_pull_policy == "Never" {
        return Ok(());
    }
    let present = world.host().runtime(&node.cri_socket)?.images;
    let is_wanted = |image: &&String| node.image_pull_policy == "Always" || !present.contains(image);
    let missing: Vec<String> = images.iter().filter(is_wanted).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(", ");
    let pull = Change::PullImages(ImagePull {
        socket: node.cri_socket.clone(),
        images: missing,
        is_serial: node.image_pull_serial,
    });
    world.change(&pull).map_err(|problem| match problem.id.as_str() {
        "runtime-failed" => Problem { id: "ImagePull".to_owned(), ..problem }
            .fix("check that the registry can be reached, or load the images beforehand: ctr -n k8s.io images import <archive>")
            .fix(format!("the images are: {names}"))
            .exit(Exit::Preflight),
        // The user stopped the run, or the journal cannot be written.
        _ => problem,
    })
}
