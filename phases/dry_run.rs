//! What a dry run takes for granted of a cluster that it cannot ask: one that is there, has kubeadm's defaults and a CA
//! that nobody knows. kubeadm answers itself with canned objects then.
//!
//! Each function looks, and puts into the world of the run what is missing, with a line that says so.

use std::path::Path;

use serde_json::json;

use crate::config::{
    Bootstrap, DeleteTokens, DiscoverBy, Discovered, JoinRequest, JoinWorker, RemoveNode, cluster_from_config_maps,
    installed_release,
};
use crate::problem::Problem;
use crate::world::{Cluster, DryRun, Host, Identity, ObjectRef, Secret};
use crate::{bootstrap_token, discovery, kubeconfig};

/// A certificate whose key nobody has.
const CA: &str = include_str!("../templates/dry-run/ca.crt");
/// An address for documentation (RFC 5737), which belongs to nobody.
const SERVER: &str = "https://192.0.2.1:6443";

/// What is known of a cluster that does not answer.
struct Told<'a> {
    server: String,
    ca_pem: &'a str,
    bootstrap: Bootstrap,
}

/// Whether a join finds no cluster because nobody answers, so that a dry run can go on without.
pub fn is_unreachable(problem: &Problem) -> bool {
    matches!(problem.id.as_str(), "discovery-unreachable" | "discovery-url-unreachable")
}

/// The cluster to join, when it does not answer.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn cluster_to_join(request: &JoinRequest, host: &dyn Host, dry: &DryRun) -> Result<JoinWorker, Problem> {
    let release = installed_release(host);
    let (place, found) = match &request.discovery {
        DiscoverBy::Token(by) => {
            let server = format!("https://{}", by.endpoint);
            let bootstrap = Bootstrap::Token(by.tls_bootstrap_token.clone());
            (by.endpoint.to_string(), Told { server, ca_pem: CA, bootstrap })
        }
        DiscoverBy::File { cluster, token } => {
            let bootstrap = token.clone().map(Bootstrap::Token).or_else(|| cluster.credentials.clone());
            let bootstrap = bootstrap.ok_or_else(|| discovery::file::no_credentials(&cluster.place))?;
            (cluster.server.clone(), Told { server: cluster.server.clone(), ca_pem: &cluster.ca_pem, bootstrap })
        }
        DiscoverBy::Url { url, token } => {
            let bootstrap = match token {
                Some(token) => Bootstrap::Token(token.clone()),
                // The file may have credentials of its own.
                None => Bootstrap::Bearer(Secret::new(String::new())),
            };
            (url.clone(), Told { server: SERVER.to_owned(), ca_pem: CA, bootstrap })
        }
    };
    let ca = if found.ca_pem == CA { " and an unknown CA" } else { "" };
    let taken =
        format!("{place} does not answer: a cluster of {release} with kubeadm's defaults{ca} is taken to be there");
    let endpoint = found.server.trim_start_matches("https://");
    let stored = format!(
        "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: {release}\n\
         controlPlaneEndpoint: '{endpoint}'\n"
    );
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "kube-system", "name": "kubeadm-config"},
        "data": {"ClusterConfiguration": stored, "ClusterStatus": ""},
    });
    dry.assume_object(config_map, taken.as_str());
    Ok(JoinWorker {
        cluster: cluster_from_config_maps(&stored, "{}", None)?,
        node: request.node.clone(),
        discovery: Discovered {
            server: found.server,
            ca_pem: found.ca_pem.to_owned(),
            bootstrap: found.bootstrap,
            ca_cert_path: request.ca_cert_path.clone(),
            tls_bootstrap_timeout: request.tls_bootstrap_timeout,
        },
    })
}

/// A kubeconfig for those commands that only need one, where there is none.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn kubeconfig(path: &Path, host: &dyn Host, dry: &DryRun) -> Result<(), Problem> {
    if host.read(path)?.is_none() {
        let text = kubeconfig::cluster_info(SERVER, CA, &installed_release(host));
        let line = format!(
            "{} is not there: a cluster at {SERVER} that is empty and has an unknown CA is taken to be there",
            path.display()
        );
        dry.assume_file(path, text, line);
    }
    Ok(())
}

/// The bootstrap tokens that are to be deleted, when no cluster answers.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn tokens(job: &DeleteTokens, host: &dyn Host, cluster: &dyn Cluster, dry: &DryRun) -> Result<(), Problem> {
    kubeconfig(&job.kubeconfig, host, dry)?;
    for id in &job.ids {
        let secret = bootstrap_token::secret_ref(id);
        if cluster.get(&Identity::Kubeconfig(job.kubeconfig.clone()), &secret).is_err() {
            let object = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": secret.namespace, "name": secret.name},
            });
            dry.assume_object(object, format!("no cluster answers: {secret} is taken to be in it"));
        }
    }
    Ok(())
}

/// The Node that is to be removed, when no cluster answers.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn node(job: &RemoveNode, host: &dyn Host, cluster: &dyn Cluster, dry: &DryRun) -> Result<(), Problem> {
    kubeconfig(&job.kubeconfig, host, dry)?;
    let node = ObjectRef::new("v1", "Node", "", job.target.as_str());
    if cluster.get(&Identity::Kubeconfig(job.kubeconfig.clone()), &node).is_err() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let object = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": job.target.as_str()}, "status": {"conditions": ready},
        });
        dry.assume_object(object, format!("no cluster answers: {node} is taken to be in it, without Pods"));
    }
    Ok(())
}
