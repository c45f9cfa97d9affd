//! CoreDNS: ConfigMap, ClusterRole with binding, ServiceAccount, Deployment and the Service `kube-dns`, in this order.
//!
//! Keeps the live number of replicas, and a Corefile that somebody has changed. Where a cluster of 1.20 has kube-dns instead,
//! the phase installs that.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec, Service, ServiceAccount, Toleration};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::kube_dns;
use crate::cluster_admins::{self, administrator};
use crate::config::{ClusterConfig, DnsServer, Init, Release};
use crate::objects;
use crate::patches::{Patches, Target};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::releases::Image;
use crate::world::{Identity, World};

const TEMPLATE: &str = include_str!("../../templates/addon/coredns.yaml");
/// The domain in the template.
const DOMAIN: &str = "cluster.local";
const COREFILE: &str = "Corefile";

/// Phase `addon/coredns`.
pub struct CoreDns;

impl Phase<Init> for CoreDns {
    fn name(&self) -> &'static str {
        "coredns"
    }

    fn about(&self) -> &'static str {
        "CoreDNS, the cluster's DNS"
    }

    fn verdict(&self, job: &Init) -> Verdict {
        if job.cluster.dns.disabled { Verdict::Skip("dns.disabled is set".to_owned()) } else { Verdict::Run }
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let admin = administrator(job, world)?;
        match job.cluster.dns.server {
            DnsServer::CoreDns => install(&job.cluster, &job.node.patches, world, &admin),
            DnsServer::KubeDns => kube_dns::install(&job.cluster, world, &admin),
        }
    }
}

/// Puts CoreDNS there or brings it to what the configuration says.
///
/// # Errors
/// When the API server cannot be asked or refuses.
pub fn install(
    cluster: &ClusterConfig,
    patches: &Patches,
    world: &World<'_>,
    identity: &Identity,
) -> Result<(), Problem> {
    let found: Option<ConfigMap> = objects::get(world, identity, "kube-system", "coredns")?;
    let corefile = found.and_then(|found| found.data).and_then(|mut data| data.remove(COREFILE));
    if corefile.as_deref().is_none_or(|corefile| is_default(corefile, cluster)) {
        objects::put(world, identity, &config_map(cluster))?;
    } else {
        world.note("the Corefile was changed by somebody and is kept");
    }
    objects::put(world, identity, &cluster_role(&cluster.release))?;
    objects::put(world, identity, &objects::template::<ClusterRoleBinding>(TEMPLATE))?;
    objects::put(world, identity, &objects::template::<ServiceAccount>(TEMPLATE))?;

    let deployment = with_live_replicas(deployment(cluster), world, identity)?;
    objects::put(world, identity, &patched(deployment, patches)?)?;
    objects::put(world, identity, &service(cluster))?;
    Ok(())
}

/// All objects as they are made where there are none yet, in the order in which kubeadm prints them.
pub fn manifests(cluster: &ClusterConfig) -> Vec<Value> {
    if cluster.dns.server == DnsServer::KubeDns {
        return kube_dns::manifests(cluster);
    }
    vec![
        objects::value(&deployment(cluster)),
        objects::value(&config_map(cluster)),
        objects::value(&service(cluster)),
        objects::value(&cluster_role(&cluster.release)),
        objects::value(&objects::template::<ClusterRoleBinding>(TEMPLATE)),
        objects::value(&objects::template::<ServiceAccount>(TEMPLATE)),
    ]
}

/// The ConfigMap with the Corefile.
pub fn config_map(cluster: &ClusterConfig) -> ConfigMap {
    let mut map: ConfigMap = objects::template(TEMPLATE);
    let domain = &cluster.networking.dns_domain;
    if let Some(corefile) = map.data.as_mut().and_then(|data| data.get_mut(COREFILE)) {
        *corefile = corefile_for(corefile, domain, cluster.release.coredns_caches_cluster_domain());
    }
    map
}

/// Whether a Corefile is one that some release writes for this domain.
fn is_default(corefile: &str, cluster: &ClusterConfig) -> bool {
    let map: ConfigMap = objects::template(TEMPLATE);
    let template = map.data.and_then(|mut data| data.remove(COREFILE)).unwrap_or_default();
    [true, false].iter().any(|&caches| corefile == corefile_for(&template, &cluster.networking.dns_domain, caches))
}

fn corefile_for(template: &str, domain: &str, caches_domain: bool) -> String {
    let with_domain = |line: &str| line.replace(DOMAIN, domain);
    if !caches_domain {
        return with_domain(template);
    }
    // The block of the cache, up to its closing brace, becomes a line.
    let (before, block) = template.split_once("cache 30 {").expect("the template has a block for the cache");
    let (_, after) = block.split_once('}').expect("the block for the cache ends");
    with_domain(&format!("{before}cache 30{after}"))
}

/// What CoreDNS may read.
pub fn cluster_role(release: &Release) -> ClusterRole {
    let mut role: ClusterRole = objects::template(TEMPLATE);
    let rules = role.rules.get_or_insert_default();
    if !release.coredns_reads_slices() {
        rules.retain(|rule| !rule.resources.iter().flatten().any(|resource| resource == "endpointslices"));
    }
    if release.coredns_reads_nodes() {
        // Stood before the EndpointSlices, which were added later.
        rules.insert(
            1,
            PolicyRule {
                api_groups: Some(vec![String::new()]),
                resources: Some(vec!["nodes".to_owned()]),
                verbs: vec!["get".to_owned()],
                ..PolicyRule::default()
            },
        );
    }
    role
}

/// The Deployment with kubeadm's number of replicas.
pub fn deployment(cluster: &ClusterConfig) -> Deployment {
    let mut deployment: Deployment = objects::template(TEMPLATE);
    let pod = deployment.spec.as_mut().and_then(|spec| spec.template.spec.as_mut()).expect("the template has a Pod");
    take_back_what_came_later(pod, &cluster.release);
    for container in &mut pod.containers {
        container.image = Some(Image::CoreDns.reference(cluster));
    }
    deployment
}

/// A Deployment with the number of replicas that the live one has.
pub(super) fn with_live_replicas(
    mut deployment: Deployment,
    world: &World<'_>,
    identity: &Identity,
) -> Result<Deployment, Problem> {
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let live: Option<Deployment> = objects::get(world, identity, "kube-system", name)?;
    if let (Some(spec), Some(replicas)) =
        (&mut deployment.spec, live.and_then(|live| live.spec).and_then(|spec| spec.replicas))
    {
        spec.replicas = Some(replicas);
    }
    Ok(deployment)
}

/// The Deployment with the user's patches.
pub(crate) fn patched(deployment: Deployment, patches: &Patches) -> Result<Deployment, Problem> {
    patches.apply_typed(Target::CoreDns, deployment)
}

fn take_back_what_came_later(pod: &mut PodSpec, release: &Release) {
    if !release.coredns_spreads() {
        pod.affinity = None;
    }
    if release.coredns_tolerates_master() {
        let master = Toleration {
            key: Some("node-role.kubernetes.io/master".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        };
        pod.tolerations.get_or_insert_default().insert(1, master);
    }
    for container in &mut pod.containers {
        if !release.coredns_names_probe_ports() {
            number_probe_ports(container);
        }
        if let Some(capabilities) =
            container.security_context.as_mut().and_then(|context| context.capabilities.as_mut())
        {
            capabilities.drop = Some(vec![release.coredns_dropped_capability().to_owned()]);
        }
    }
}

/// Probes ask a number instead of a name, and the named ports for them go.
fn number_probe_ports(container: &mut Container) {
    let ports = container.ports.get_or_insert_default();
    let probes = [&mut container.liveness_probe, &mut container.readiness_probe];
    for action in probes.into_iter().flatten().filter_map(|probe| probe.http_get.as_mut()) {
        let IntOrString::String(name) = &action.port else { continue };
        if let Some(index) = ports.iter().position(|port| port.name.as_ref() == Some(name)) {
            action.port = IntOrString::Int(ports.remove(index).container_port);
        }
    }
}

/// The Service at the address that every kubelet hands to its Pods.
pub fn service(cluster: &ClusterConfig) -> Service {
    let mut service: Service = objects::template(TEMPLATE);
    let label = cluster.release.dns_service_label().to_owned();
    service.metadata.labels.get_or_insert_default().insert("kubernetes.io/name".to_owned(), label);
    service.spec.get_or_insert_default().cluster_ip = Some(cluster.networking.dns_address().to_string());
    service
}

#[cfg(test)]
#[path = "coredns_tests.rs"]
mod tests;
