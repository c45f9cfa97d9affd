//! Phase `show-join-command`: gives the line that makes other machines workers and, where the cluster has a stable
//! endpoint, before it the one for control-plane nodes. Reads the administrator's kubeconfig for address and CA; writes
//! nothing.

use crate::bootstrap_token::usable_token;
use crate::certs::found::pins;
use crate::cluster_admins;
use crate::config::{BootstrapToken, Init};
use crate::kubeconfig::{self, KnownCluster};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Event, Identity, ObjectRef, World};

/// The phase.
pub struct ShowJoinCommand;

impl Phase<Init> for ShowJoinCommand {
    fn name(&self) -> &'static str {
        "show-join-command"
    }

    fn about(&self) -> &'static str {
        "shows the command that other machines join with"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let cluster = kubeconfig::cluster_of(world.host(), &job.kubeconfig)?;
        let identity = Identity::Kubeconfig(job.kubeconfig.clone());
        for spec in &job.tokens {
            let secret = ObjectRef::new("v1", "Secret", "kube-system", &format!("bootstrap-token-{}", spec.token.id()));
            // Run alone, this phase has a token that nobody has made: it shows one that the cluster has.
            let token = match world.cluster().get(&identity, &secret)? {
                Some(_) => spec.token.clone(),
                None => match usable_token(world, &identity)? {
                    Some(usable) => usable,
                    None => {
                        world.refuse(no_token())?;
                        spec.token.clone()
                    }
                },
            };
            let line = join_command(&cluster, (!job.skip_token_print).then_some(&token))?;
            if job.cluster.control_plane_endpoint.is_some() {
                world.tell(Event::Result(&for_control_plane(&line, job)));
            }
            world.tell(Event::Result(&line));
        }
        world.note("below");
        Ok(())
    }
}

/// The line for a control-plane node; with the certificate key, where there is something to open with it.
fn for_control_plane(line: &str, job: &Init) -> String {
    match &job.certificate_key {
        None => format!("{line} --control-plane"),
        Some(_) if job.skip_certificate_key_print => {
            format!("{line} --control-plane --certificate-key <value withheld>")
        }
        Some(key) => format!("{line} --control-plane --certificate-key {}", key.reveal()),
    }
}

fn no_token() -> Problem {
    Problem::new("token-missing", "the cluster has no token to join with")
        .why("all its bootstrap tokens have expired, or may not be used for both discovery and TLS bootstrap")
        .fix("kubestrap token create --print-join-command")
}

/// The whole line, one pin per CA certificate; kubeadm's own form, so that either tool can run it.
///
/// # Errors
/// When the kubeconfig's CA cannot be read.
pub fn join_command(cluster: &KnownCluster, token: Option<&BootstrapToken>) -> Result<String, Problem> {
    let endpoint = cluster.server.trim_start_matches("https://");
    let token = token.map_or_else(|| "<value withheld>".to_owned(), BootstrapToken::reveal);
    let mut line = format!("kubestrap join {endpoint} --token {token}");
    for pin in pins(&cluster.ca_pem)? {
        line.push_str(&format!(" --discovery-token-ca-cert-hash {pin}"));
    }
    Ok(line)
}
