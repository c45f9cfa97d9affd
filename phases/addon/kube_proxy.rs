//! kube-proxy: ConfigMap, DaemonSet, ServiceAccount, and the rights to watch Services and to read the ConfigMap.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount, Toleration};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use serde_json::Value;

use crate::cluster_admins::{self, administrator};
use crate::config::{ApiEndpoint, ClusterConfig, Init};
use crate::objects;
use crate::patches::{Patches, Target};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::releases::Image;
use crate::upload_config::mark_as_defaults;
use crate::world::{Identity, World};
use crate::yaml;

const TEMPLATE: &str = include_str!("../../templates/addon/kube-proxy.yaml");
/// The server in the template.
const SERVER: &str = "https://127.0.0.1:6443";

/// Phase `addon/kube-proxy`.
pub struct KubeProxy;

impl Phase<Init> for KubeProxy {
    fn name(&self) -> &'static str {
        "kube-proxy"
    }

    fn about(&self) -> &'static str {
        "kube-proxy on every node"
    }

    fn verdict(&self, job: &Init) -> Verdict {
        if job.cluster.proxy_disabled { Verdict::Skip("proxy.disabled is set".to_owned()) } else { Verdict::Run }
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        install(&job.cluster, (&job.endpoint, &job.node.patches), world, &administrator(job, world)?)
    }
}

/// Puts kube-proxy there or brings it to what the configuration says. The endpoint is used where the cluster has no
/// control-plane endpoint.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn install(
    cluster: &ClusterConfig,
    (endpoint, patches): (&ApiEndpoint, &Patches),
    world: &World<'_>,
    identity: &Identity,
) -> Result<(), Problem> {
    objects::put(world, identity, &config_map(cluster, endpoint))?;
    objects::put(world, identity, &patched(daemon_set(cluster), patches)?)?;
    objects::put(world, identity, &objects::template::<ServiceAccount>(TEMPLATE))?;
    objects::put(world, identity, &objects::template::<ClusterRoleBinding>(TEMPLATE))?;
    objects::put(world, identity, &objects::template::<Role>(TEMPLATE))?;
    objects::put(world, identity, &objects::template::<RoleBinding>(TEMPLATE))?;
    Ok(())
}

/// All objects as they are made where there are none yet, in the order in which kubeadm prints them.
pub fn manifests(cluster: &ClusterConfig, endpoint: &ApiEndpoint) -> Vec<Value> {
    vec![
        objects::value(&objects::template::<ServiceAccount>(TEMPLATE)),
        objects::value(&objects::template::<ClusterRoleBinding>(TEMPLATE)),
        objects::value(&objects::template::<Role>(TEMPLATE)),
        objects::value(&objects::template::<RoleBinding>(TEMPLATE)),
        objects::value(&config_map(cluster, endpoint)),
        objects::value(&daemon_set(cluster)),
    ]
}

/// The ConfigMap with the configuration and the kubeconfig. Neither text ends with a newline, as kubeadm writes them:
/// the hash covers them.
pub fn config_map(cluster: &ClusterConfig, endpoint: &ApiEndpoint) -> ConfigMap {
    let mut map: ConfigMap = objects::template(TEMPLATE);
    let data = map.data.get_or_insert_default();
    if let Some(kubeconfig) = data.get_mut("kubeconfig.conf") {
        *kubeconfig = kubeconfig.replace(SERVER, &cluster.server_url(endpoint));
    }
    let config = yaml::write(&Value::Object(cluster.kube_proxy.clone()));
    data.insert("config.conf".to_owned(), config.trim_end().to_owned());
    if !cluster.kube_proxy_from_user {
        mark_as_defaults(&mut map);
    }
    map
}

/// The DaemonSet.
pub fn daemon_set(cluster: &ClusterConfig) -> DaemonSet {
    let mut set: DaemonSet = objects::template(TEMPLATE);
    let pod = set.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).expect("the template has a Pod");
    for container in &mut pod.containers {
        container.image = Some(Image::Proxy.reference(cluster));
    }
    if cluster.release.proxy_tolerates_addons_only() {
        let addons_only = Toleration {
            key: Some("CriticalAddonsOnly".to_owned()),
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        };
        pod.tolerations.get_or_insert_default().insert(0, addons_only);
    }
    set
}

/// The DaemonSet with the user's patches.
pub(crate) fn patched(set: DaemonSet, patches: &Patches) -> Result<DaemonSet, Problem> {
    patches.apply_typed(Target::KubeProxy, set)
}
