//! The kubelet's files: flags, KubeletConfiguration, and what is true for this node only. Builders, without the writing.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::config::{ClusterConfig, NodeConfig};
use crate::control_plane::pod::merge_flags;
use crate::patches::Target;
use crate::problem::Problem;
use crate::releases::Image;
use crate::yaml;

/// A file with its content; all of them may be read by everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: String,
}

/// The kubelet's files in kubeadm's order. A worker gets its taints by flag, since nobody sets them for it;
/// `resolv_conf` is that of this node, where it has one of its own. The node's patches come before its CRI socket, as kubeadm has it.
///
/// # Errors
/// `config-bad-patch` when a patch of the configuration does not fit.
pub fn files(
    cluster: &ClusterConfig,
    node: &NodeConfig,
    taints_as_flags: bool,
    resolv_conf: Option<&str>,
) -> Result<Vec<KubeletFile>, Problem> {
    let layout = &node.layout;
    let mut files =
        vec![KubeletFile { path: layout.kubelet_flags(), text: flags_text(cluster, node, taints_as_flags) }];
    let mut config = cluster.kubelet.clone();
    if cluster.release.finds_resolv_conf_on_node()
        && let Some(resolv_conf) = resolv_conf
    {
        config.entry("resolvConf").or_insert_with(|| json!(resolv_conf));
    }
    let mut config = node.patches.apply(Target::Kubelet, Value::Object(config))?;
    if cluster.keeps_cri_socket_on_node() {
        let socket = cluster.release.cri_socket_text(&node.cri_socket);
        files.push(KubeletFile { path: layout.kubelet_instance_config(), text: instance_text(&socket) });
        config["containerRuntimeEndpoint"] = json!(socket);
    }
    files.push(KubeletFile { path: layout.kubelet_config(), text: yaml::write(&config) });
    Ok(files)
}

/// One line, the socket in quotes as kubeadm writes it.
fn instance_text(socket: &str) -> String {
    format!("containerRuntimeEndpoint: {}\n", quoted(socket))
}

/// `kubeadm-flags.env`, which the kubelet's unit reads.
fn flags_text(cluster: &ClusterConfig, node: &NodeConfig, taints_as_flags: bool) -> String {
    let flags: Vec<String> =
        flags(cluster, node, taints_as_flags).into_iter().map(|(name, value)| format!("--{name}={value}")).collect();
    format!("KUBELET_KUBEADM_ARGS={}\n", quoted(&flags.join(" ")))
}

/// The kubelet's flags: ours, and the user's in their place.
pub fn flags(cluster: &ClusterConfig, node: &NodeConfig, taints_as_flags: bool) -> Vec<(String, String)> {
    let release = &cluster.release;
    let mut ours: Vec<(&str, String)> = Vec::new();
    let is_docker = release.kubelet_knows_docker() && node.cri_socket.ends_with("/dockershim.sock");
    if is_docker {
        ours.push(("network-plugin", "cni".to_owned()));
    } else if !cluster.keeps_cri_socket_on_node() {
        if release.kubelet_has_runtime_flag() {
            ours.push(("container-runtime", "remote".to_owned()));
        }
        ours.push(("container-runtime-endpoint", release.cri_socket_text(&node.cri_socket)));
    }
    if release.kubelet_has_pause_flag() || is_docker {
        ours.push(("pod-infra-container-image", Image::Pause.reference(cluster)));
    }
    let taints = node.taints.as_deref().unwrap_or_default();
    if taints_as_flags && !taints.is_empty() {
        ours.push(("register-with-taints", taints.iter().map(taint_text).collect::<Vec<_>>().join(",")));
    }
    if node.name.as_str() != node.host_name {
        ours.push(("hostname-override", node.name.to_string()));
    }
    let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    merge_flags(ours, &node.kubelet_extra_args, release)
}

/// `key=value:effect`, or `key:effect` without a value.
fn taint_text(taint: &Value) -> String {
    let text = |field: &str| taint[field].as_str().unwrap_or_default();
    match (text("key"), text("value"), text("effect")) {
        (key, "", effect) => format!("{key}:{effect}"),
        (key, value, effect) => format!("{key}={value}:{effect}"),
    }
}

/// In double quotes, so that systemd and YAML read the text back as it was.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The kubelet's own folder for certificates, which a flag can move.
pub fn client_certificate(node: &NodeConfig) -> PathBuf {
    let default = node.layout.kubelet_client_certificate();
    let moved = node.kubelet_extra_args.iter().rev().find(|(name, _)| name == "cert-dir");
    match (moved, default.file_name()) {
        (Some((_, folder)), Some(file)) => PathBuf::from(folder).join(file),
        _ => default,
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
