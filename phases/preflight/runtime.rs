//! Checks of the container runtime, over CRI; pulls the images that are missing.

use std::error::Error;

use super::{Finding, Scene, is_ignored};
use crate::config::NodeConfig;
use crate::problem::{Exit, Problem};
use crate::releases::Image;
use crate::world::{Change, HostError, ImagePull, World};

pub(super) fn answers(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let socket = &scene.node.cri_socket;
    let status = match &scene.runtime {
        Err(reason) => {
            return Ok(vec![
                Finding::error("CRI", format!("no container runtime answers at {socket}"))
                    .why(reason.clone())
                    .fix("systemctl enable --now containerd")
                    .fix("or name the runtime's socket: --cri-socket"),
            ]);
        }
        Ok(status) => status,
    };
    let mut findings = Vec::new();
    if let Some(reason) = &status.not_ready {
        findings.push(
            Finding::error("CRI", format!("{} is not ready", status.name))
                .why(reason.clone())
                .fix(format!("journalctl -u {} -n 50", status.name)),
        );
    }
    let expected = Image::Pause.reference(scene.cluster);
    if let Some(sandbox) = status.sandbox_image.as_ref().filter(|sandbox| **sandbox != expected) {
        findings.push(
            Finding::warning(
                "PauseImage",
                format!(
                    "{} uses the sandbox image {sandbox}, {} expects {expected}",
                    status.name, scene.cluster.release
                ),
            )
            .why("without a registry, a sandbox image that is not here keeps every Pod from starting")
            .fix(format!(
                "set sandbox_image = \"{expected}\" in /etc/containerd/config.toml, then: systemctl restart containerd"
            )),
        );
    }
    let wanted = scene.cluster.kubelet.get("cgroupDriver").and_then(serde_json::Value::as_str).unwrap_or("cgroupfs");
    if let Some(uses_systemd) = status.systemd_cgroup
        && uses_systemd != (wanted == "systemd")
    {
        let actual = if uses_systemd { "systemd" } else { "cgroupfs" };
        findings.push(
            Finding::error(
                "CgroupDriver",
                format!("{} uses the cgroup driver {actual}, the kubelet will use {wanted}", status.name),
            )
            .why("with two cgroup drivers the kubelet fails or Pods are killed under load")
            .fix(format!("set cgroupDriver: {actual} in a KubeletConfiguration document of --config"))
            .fix(format!("or SystemdCgroup = {} in /etc/containerd/config.toml", wanted == "systemd")),
        );
    }
    Ok(findings)
}

/// Has the runtime pull what is missing.
pub(super) fn pull(node: &NodeConfig, images: &[String], world: &World<'_>) -> Result<(), Problem> {
    if is_ignored(node, "ImagePull") || node.image_pull_policy == "Never" {
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

pub(super) fn reason(error: &HostError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
