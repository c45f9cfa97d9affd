//! Whether what patches make is still an object of its kind: of the right shape, without unknown fields, and something a kubelet or
//! an API server would take.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Patches, Target};
use crate::addon::{coredns, kube_proxy};
use crate::config::findings::Findings;
use crate::config::{ClusterConfig, Etcd, NodeConfig, OnControlPlane, clashes};
use crate::control_plane::{apiserver, controller_manager, scheduler};
use crate::problem::Problem;
use crate::{etcd, kubelet};

/// The object as its type writes it, where it is one.
pub(super) fn fitting(target: Target, object: Value) -> Result<Value, String> {
    match target {
        Target::ApiServer | Target::ControllerManager | Target::Scheduler | Target::Etcd => {
            let (pod, mut object) = typed::<Pod>(object, "Pod")?;
            check_pod(pod.spec.as_ref())?;
            object["status"] = Value::Object(serde_json::Map::new());
            Ok(object)
        }
        Target::CoreDns => {
            let (deployment, object) = typed::<Deployment>(object, "Deployment")?;
            check_pod(deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()))?;
            Ok(object)
        }
        Target::KubeProxy => {
            let (set, object) = typed::<DaemonSet>(object, "DaemonSet")?;
            check_pod(set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()))?;
            Ok(object)
        }
        Target::Kubelet => {
            let Some(config) = object.as_object() else { return Err("the result is no object".to_owned()) };
            match clashes("KubeletConfiguration", config).first() {
                Some(path) => Err(format!("{path} has a shape that no KubeletConfiguration has")),
                None => Ok(object),
            }
        }
    }
}

/// The object as a type, and as that type writes it. A field that the type does not have is a mistake, not passed over.
fn typed<T: DeserializeOwned + Serialize>(object: Value, kind: &str) -> Result<(T, Value), String> {
    if object["kind"] != kind {
        return Err(format!("the result is no {kind} any more"));
    }
    let typed: T =
        serde_json::from_value(object.clone()).map_err(|error| format!("the result is no {kind}: {error}"))?;
    let written = serde_json::to_value(&typed).expect("objects have text keys only");
    match lost(&object, &written, String::new()) {
        Some(path) => Err(format!("a {kind} has no field {path}")),
        None => Ok((typed, written)),
    }
}

/// The first field that holds something and is not there any more.
fn lost(object: &Value, written: &Value, path: String) -> Option<String> {
    match (object, written) {
        (Value::Object(fields), Value::Object(written)) => fields.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match written.get(name) {
                Some(written) => lost(value, written, path),
                None if is_nothing(value) || path == "status" => None,
                None => Some(path),
            }
        }),
        (Value::Array(items), Value::Array(written)) => items
            .iter()
            .zip(written)
            .enumerate()
            .find_map(|(index, (item, written))| lost(item, written, format!("{path}[{index}]"))),
        _ => None,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// What a kubelet needs of a Pod: containers with name and image, and a volume for every mount.
fn check_pod(spec: Option<&PodSpec>) -> Result<(), String> {
    let Some(spec) = spec.filter(|spec| !spec.containers.is_empty()) else {
        return Err("no container is left in the Pod".to_owned());
    };
    let volumes: Vec<&str> = spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
    let mut names = BTreeSet::new();
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let name = container.name.as_str();
        if name.is_empty() {
            return Err("a container has no name".to_owned());
        }
        if !names.insert(name) {
            return Err(format!("there are two containers of the name {name}"));
        }
        if container.image.as_deref().unwrap_or_default().is_empty() {
            return Err(format!("container {name} has no image; a merge patch replaces lists as a whole"));
        }
        let mounts = container.volume_mounts.iter().flatten();
        if let Some(stray) = mounts.into_iter().find(|mount| !volumes.contains(&mount.name.as_str())) {
            return Err(format!("container {name} mounts the volume {}, which the Pod does not have", stray.name));
        }
    }
    Ok(())
}

/// Applies the patches of the manifests for trial.
pub(crate) fn check_control_plane(job: &dyn OnControlPlane, findings: &mut Findings) {
    let patches = &job.node().patches;
    let mut check = |component: &str, manifest: Result<String, Problem>| {
        // What keeps a manifest from being made is not the patches' fault.
        if let Ok(text) = manifest {
            keep(patches.manifest(component, text), findings);
        }
    };
    check("kube-apiserver", apiserver::manifest(job));
    check("kube-controller-manager", controller_manager::manifest(job, false));
    check("kube-scheduler", scheduler::manifest(job));
    if let Etcd::Local(local) = &job.cluster().etcd {
        check("etcd", etcd::local::manifest(job, local, &[]));
    }
}

/// Applies the patches of the kubelet's configuration for trial.
pub(crate) fn check_kubelet(cluster: &ClusterConfig, node: &NodeConfig, findings: &mut Findings) {
    keep(kubelet::config::files(cluster, node, false, None), findings);
}

/// Applies the patches of the addons for trial.
pub(crate) fn check_addons(cluster: &ClusterConfig, patches: &Patches, findings: &mut Findings) {
    keep(coredns::patched(coredns::deployment(cluster), patches), findings);
    keep(kube_proxy::patched(kube_proxy::daemon_set(cluster), patches), findings);
}

fn keep<T>(patched: Result<T, Problem>, findings: &mut Findings) {
    if let Err(problem) = patched {
        findings.add(problem);
    }
}
