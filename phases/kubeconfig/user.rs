//! Workflow `kubeconfig user`: a kubeconfig for one more person or program, on standard output only.
//!
//! Reads the Kubernetes CA with its key (with a bearer token, its certificate alone); writes nothing, so that the key exists in
//! the result only.

use std::time::Duration;

use super::cluster_of;
use super::text::{Target, render_with_certificate, render_with_token};
use crate::certs::found::{self, Ca};
use crate::certs::issue::{self, Leaf, Names, Usage};
use crate::certs::new_key;
use crate::config::{ClusterConfig, Layout, UserKubeconfig, cluster_from_config_maps};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Cluster, Event, Host, Identity, ObjectRef, World};

/// How long kubeadm lets such a certificate be valid without a warning.
const USUAL: Duration = Duration::from_secs(8760 * 3600);

/// The only phase.
pub struct User;

impl Phase<UserKubeconfig> for User {
    fn name(&self) -> &'static str {
        "user"
    }

    fn about(&self) -> &'static str {
        "shows a kubeconfig for one more user"
    }

    fn needs(&self, job: &UserKubeconfig) -> Vec<Artifact> {
        vec![Artifact::file("the certificate of the Kubernetes CA", job.layout.certificate("ca.crt"))]
    }

    fn run(&self, job: &UserKubeconfig, world: &World<'_>) -> Result<(), Problem> {
        let ca = found::ca(world, &job.layout, Ca::Kubernetes)?;
        let cluster = &job.cluster;
        let ca_pem = ca.pem();
        let target = Target { cluster_name: &cluster.name, server: job.server.clone(), ca_pem: &ca_pem };
        let text = match &job.token {
            Some(token) => render_with_token(&target, &job.client_name, token, &cluster.release),
            None => {
                if cluster.certificate_validity > USUAL {
                    warn_of_long_validity(job, world);
                }
                let leaf = Leaf {
                    common_name: job.client_name.clone(),
                    organization: None,
                    usage: Usage::Client,
                    names: Names::default(),
                };
                let key = new_key(cluster.key_algorithm, world)?;
                let certificate = issue::leaf_in_groups(&leaf, &job.organizations, &key, &ca, (cluster, world))?;
                render_with_certificate(&target, &job.client_name, (&certificate, key.pem()), &cluster.release)
            }
        };
        world.tell(Event::Result(&text));
        Ok(())
    }
}

fn warn_of_long_validity(job: &UserKubeconfig, world: &World<'_>) {
    let days = job.cluster.certificate_validity.as_secs() / 86_400;
    let problem = Problem::new(
        "kubeconfig-long-validity",
        format!("the certificate of {} is valid for {days} days", job.client_name),
    )
    .why("a client certificate cannot be taken back before it ends, unless the cluster gets another CA")
    .fix("give it a shorter life and renew it: --validity-period 8760h");
    world.tell(Event::Warning(&problem));
}

/// What the cluster of this node has stored of itself; `None` on a machine without admin.conf.
///
/// # Errors
/// When the API server cannot be asked, or what it has stored cannot be used.
pub fn stored_cluster(host: &dyn Host, cluster: &dyn Cluster) -> Result<Option<ClusterConfig>, Problem> {
    let admin_conf = Layout::default().kubeconfig("admin.conf");
    if host.stat(&admin_conf)?.is_none() {
        return Ok(None);
    }
    let reference = ObjectRef::new("v1", "ConfigMap", "kube-system", "kubeadm-config");
    let Some(found) = cluster.get(&Identity::Kubeconfig(admin_conf), &reference)? else { return Ok(None) };
    let text = found["data"]["ClusterConfiguration"].as_str().unwrap_or_default();
    cluster_from_config_maps(text, "{}", None).map(Some)
}

/// Where this node's admin.conf leads; `None` on a machine without one.
///
/// # Errors
/// When the file is there and is no kubeconfig.
pub fn server_of_node(host: &dyn Host) -> Result<Option<String>, Problem> {
    let admin_conf = Layout::default().kubeconfig("admin.conf");
    match host.stat(&admin_conf)? {
        Some(_) => Ok(Some(cluster_of(host, &admin_conf)?.server)),
        None => Ok(None),
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
