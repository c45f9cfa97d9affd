//! Phase `discovery` of join: writes the CA certificate and `bootstrap-kubelet.conf` with the token, both 0600 or less
//! than the kubelet needs. Reads nothing but what is already there; what it writes was verified while resolving.

use crate::config::JoinWorker;
use crate::kubeconfig;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Content, World};

/// The phase.
pub struct Discovery;

impl Phase<JoinWorker> for Discovery {
    fn name(&self) -> &'static str {
        "discovery"
    }

    fn about(&self) -> &'static str {
        "writes the verified CA certificate and the kubelet's bootstrap credentials"
    }

    fn makes(&self, job: &JoinWorker) -> Vec<Artifact> {
        vec![
            Artifact::file("the cluster's CA certificate", &job.discovery.ca_cert_path),
            Artifact::file("the kubelet's bootstrap kubeconfig", job.node.layout.kubeconfig("bootstrap-kubelet.conf")),
        ]
    }

    fn run(&self, job: &JoinWorker, world: &World<'_>) -> Result<(), Problem> {
        let found = &job.discovery;
        let host = world.host();
        if host.stat(&found.ca_cert_path)?.is_none() {
            world.put_file(&found.ca_cert_path, Content::new(found.ca_pem.as_str()), 0o644)?;
        }
        // A kubelet that has its own credentials needs the token no more.
        if host.stat(&job.node.layout.kubeconfig("kubelet.conf"))?.is_none() {
            let text = kubeconfig::render_with_token(
                &found.server,
                &found.ca_pem,
                &job.cluster.name,
                "tls-bootstrap-token-user",
                &found.bootstrap.reveal(),
            );
            world.put_file(&job.node.layout.kubeconfig("bootstrap-kubelet.conf"), Content::new(text), 0o600)?;
        }
        world.note(&format!("{} trusted by token {}", found.server, found.bootstrap.id()));
        Ok(())
    }
}
