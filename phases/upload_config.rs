//! The cluster's configuration, kept in the cluster for those who join and for upgrades.
//!
//! Writes the ConfigMaps `kubeadm-config` and `kubelet-config` with the Roles that let nodes read them, and up to 1.33 the
//! annotation with the CRI socket on this Node. Reads the ConfigMap that is there: other keys of it are kept.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde_json::{Value, json};

use crate::cluster_admins::{self, administrator};
use crate::cluster_status;
use crate::config::{ApiEndpoint, ClusterConfig, Init, NodeConfig, NodeName};
use crate::objects;
use crate::plan::{Artifact, Phase, Step};
use crate::problem::Problem;
use crate::world::{Identity, World, sha256_hex};
use crate::yaml;

const KUBEADM_RBAC: &str = include_str!("../templates/rbac/kubeadm-config.yaml");
const KUBELET_RBAC: &str = include_str!("../templates/rbac/kubelet-config.yaml");

/// Annotation of a Node with the CRI socket of its kubelet.
pub const CRI_SOCKET_ANNOTATION: &str = "kubeadm.alpha.kubernetes.io/cri-socket";
/// Annotation of a ConfigMap whose content is all defaults: an upgrade may make it anew.
pub const HASH_ANNOTATION: &str = "kubeadm.kubernetes.io/component-config.hash";

impl Step<Init> {
    /// The configuration, uploaded.
    pub const UPLOAD_CONFIG: Self = Self::Group {
        name: "upload-config",
        about: "keep the cluster's configuration in the cluster",
        steps: &[Self::Phase(&UploadKubeadm), Self::Phase(&UploadKubelet)],
    };
}

struct UploadKubeadm;

impl Phase<Init> for UploadKubeadm {
    fn name(&self) -> &'static str {
        "kubeadm"
    }

    fn about(&self) -> &'static str {
        "the ConfigMap kubeadm-config"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let admin = administrator(job, world)?;
        upload_kubeadm_config(&job.cluster, Some((&job.node.name, &job.endpoint)), world, &admin)
    }
}

struct UploadKubelet;

impl Phase<Init> for UploadKubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn about(&self) -> &'static str {
        "the ConfigMap with the kubelets' configuration"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let admin = administrator(job, world)?;
        upload_kubelet_config(&job.cluster, world, &admin)?;
        annotate_cri_socket(&job.cluster, &job.node, world, &admin)
    }
}

/// Writes `kubeadm-config` and lets nodes read it; up to 1.21 adds a control-plane node to its `ClusterStatus`.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn upload_kubeadm_config(
    cluster: &ClusterConfig,
    member: Option<(&NodeName, &ApiEndpoint)>,
    world: &World<'_>,
    identity: &Identity,
) -> Result<(), Problem> {
    let found: Option<ConfigMap> = objects::get(world, identity, "kube-system", "kubeadm-config")?;
    let mut data = found.and_then(|found| found.data).unwrap_or_default();
    data.insert("ClusterConfiguration".to_owned(), cluster_config_text(cluster));
    if let (true, Some((name, endpoint))) = (cluster.release.has_cluster_status(), member) {
        let status = cluster_status::with(data.get("ClusterStatus"), (name, endpoint));
        data.insert("ClusterStatus".to_owned(), status);
    }
    objects::put(world, identity, &objects::config_map("kube-system", "kubeadm-config", data))?;
    objects::put_all(world, identity, KUBEADM_RBAC)?;
    Ok(())
}

fn cluster_config_text(cluster: &ClusterConfig) -> String {
    crate::config::encode_cluster_config(cluster)
}

/// Writes the ConfigMap with the kubelets' configuration and lets nodes read it.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn upload_kubelet_config(cluster: &ClusterConfig, world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    objects::put(world, identity, &kubelet_config_map(cluster))?;
    let (role, binding) = kubelet_config_rbac(&cluster.release.kubelet_config_map());
    objects::put(world, identity, &role)?;
    objects::put(world, identity, &binding)?;
    Ok(())
}

/// The ConfigMap with the kubelets' configuration.
pub fn kubelet_config_map(cluster: &ClusterConfig) -> ConfigMap {
    let text = yaml::write(&Value::Object(cluster.kubelet.clone()));
    let data = BTreeMap::from([("kubelet".to_owned(), text)]);
    let mut map = objects::config_map("kube-system", &cluster.release.kubelet_config_map(), data);
    if !cluster.kubelet_from_user {
        mark_as_defaults(&mut map);
    }
    map
}

/// Says with the hash of its content that a ConfigMap holds nothing but defaults.
pub(crate) fn mark_as_defaults(map: &mut ConfigMap) {
    let content: String = map.data.iter().flat_map(BTreeMap::values).map(String::as_str).collect();
    let hash = format!("sha256:{}", sha256_hex(content.as_bytes()));
    map.metadata.annotations.get_or_insert_default().insert(HASH_ANNOTATION.to_owned(), hash);
}

fn kubelet_config_rbac(map: &str) -> (Role, RoleBinding) {
    let mut role: Role = objects::template(KUBELET_RBAC);
    let mut binding: RoleBinding = objects::template(KUBELET_RBAC);
    let name = format!("kubeadm:{map}");
    role.metadata.name = Some(name.clone());
    for rule in role.rules.iter_mut().flatten() {
        rule.resource_names = Some(vec![map.to_owned()]);
    }
    binding.metadata.name = Some(name.clone());
    binding.role_ref.name = name;
    (role, binding)
}

/// Notes the CRI socket on the Node, where the release does not keep it on the node itself.
///
/// # Errors
/// When the kubelet has not registered the Node in time; when the API server refuses.
pub fn annotate_cri_socket(
    cluster: &ClusterConfig,
    node: &NodeConfig,
    world: &World<'_>,
    identity: &Identity,
) -> Result<(), Problem> {
    if cluster.keeps_cri_socket_on_node() {
        return Ok(());
    }
    let socket = cluster.release.cri_socket_text(&node.cri_socket);
    let found = objects::registered_node(world, identity, &node.name)?;
    if found["metadata"]["annotations"][CRI_SOCKET_ANNOTATION] == *socket {
        return Ok(());
    }
    let patch = json!({"metadata": {"annotations": {CRI_SOCKET_ANNOTATION: socket}}});
    objects::patch(world, identity, &objects::node_ref(&node.name), &patch)
}

#[cfg(test)]
#[path = "upload_config_tests.rs"]
mod tests;
