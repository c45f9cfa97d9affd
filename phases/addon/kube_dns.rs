//! kube-dns, which kubeadm 1.20 installs in place of CoreDNS where `dns.type` says so: ServiceAccount, Deployment and the
//! Service `kube-dns`, in this order.
//!
//! Keeps the live number of replicas. Its ConfigMap `kube-dns` is the user's own, and need not be there.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, ServiceAccount};
use serde_json::Value;

use super::coredns::{service, with_live_replicas};
use crate::config::ClusterConfig;
use crate::objects;
use crate::problem::Problem;
use crate::releases::Image;
use crate::world::{Identity, World};

const TEMPLATE: &str = include_str!("../../templates/addon/kube-dns.yaml");
/// The domain in the template.
const DOMAIN: &str = "cluster.local";
/// Where the containers find each other, in the template.
const LOOPBACK: &str = "127.0.0.1";

/// Puts kube-dns there or brings it to what the configuration says.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn install(cluster: &ClusterConfig, world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    objects::put(world, identity, &objects::template::<ServiceAccount>(TEMPLATE))?;
    objects::put(world, identity, &with_live_replicas(deployment(cluster), world, identity)?)?;
    objects::put(world, identity, &service(cluster))?;
    world.note("kube-dns is deprecated, and Kubernetes 1.21 has it no more");
    Ok(())
}

/// All objects as they are made where there are none yet.
pub fn manifests(cluster: &ClusterConfig) -> Vec<Value> {
    vec![
        objects::value(&objects::template::<ServiceAccount>(TEMPLATE)),
        objects::value(&deployment(cluster)),
        objects::value(&service(cluster)),
    ]
}

/// The Deployment with kubeadm's number of replicas.
pub fn deployment(cluster: &ClusterConfig) -> Deployment {
    let mut deployment: Deployment = objects::template(TEMPLATE);
    let pod = deployment.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).expect("the template has a Pod");
    for container in &mut pod.containers {
        container.image = Some(image(container).reference(cluster));
        for arg in container.args.iter_mut().flatten() {
            *arg = of_cluster(arg, cluster);
        }
    }
    deployment
}

fn image(container: &Container) -> Image {
    match container.name.as_str() {
        "dnsmasq" => Image::KubeDnsMasq,
        "sidecar" => Image::KubeDnsSidecar,
        _ => Image::KubeDns,
    }
}

/// An argument with the cluster's domain, and a loopback address of the family that the Service has. Of IPv6, brackets stand
/// where a port follows after a colon; dnsmasq writes `#` before it.
fn of_cluster(arg: &str, cluster: &ClusterConfig) -> String {
    let networking = &cluster.networking;
    let arg = if networking.dns_address().is_ipv6() {
        arg.replace(&format!("{LOOPBACK}:"), "[::1]:").replace(LOOPBACK, "::1")
    } else {
        arg.to_owned()
    };
    arg.replace(DOMAIN, &networking.dns_domain)
}
