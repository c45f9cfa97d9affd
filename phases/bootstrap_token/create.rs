//! Workflow `token create`: further tokens, signed for at once, and for each the line or the token to join with.

use k8s_openapi::api::core::v1::ConfigMap;

use super::{put_token, secret_ref};
use crate::config::{CreateToken, TokenSpec};
use crate::discovery::jws;
use crate::kubeconfig::cluster_of;
use crate::objects;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::show_join_command::join_command;
use crate::world::{Event, Identity, ObjectRef, World};

/// The only phase.
pub struct Create;

impl Phase<CreateToken> for Create {
    fn name(&self) -> &'static str {
        "create"
    }

    fn about(&self) -> &'static str {
        "makes a bootstrap token"
    }

    fn run(&self, job: &CreateToken, world: &World<'_>) -> Result<(), Problem> {
        let identity = Identity::Kubeconfig(job.kubeconfig.clone());
        // Before anything is made, so that a kubeconfig without a CA leaves no token behind.
        let cluster = job.print_join_command.then(|| cluster_of(world.host(), &job.kubeconfig)).transpose()?;
        for spec in &job.tokens {
            let object = secret_ref(spec.token.id());
            if world.cluster().get(&identity, &object)?.is_some() {
                let what = format!("a token with ID {} is there already", spec.token.id());
                return Err(Problem::new("token-exists", what)
                    .at(object.to_string())
                    .why("nothing was changed: another token's rights and end are not replaced")
                    .fix("leave the token out, and a random one is made: kubestrap token create")
                    .fix(format!("or delete the other one first: kubestrap token delete {}", spec.token.id())));
            }
        }
        for spec in &job.tokens {
            put_token(spec, world, &identity)?;
        }
        sign(&job.tokens, world, &identity)?;
        if job.certificate_key.is_some() {
            warn_without_certificates(world, &identity)?;
        }
        for spec in &job.tokens {
            let mut text = match &cluster {
                Some(cluster) => join_command(cluster, Some(&spec.token))?,
                None => spec.token.reveal(),
            };
            if let Some(key) = &job.certificate_key {
                text.push_str(&format!(" --control-plane --certificate-key {}", key.reveal()));
            }
            world.tell(Event::Result(&text));
        }
        Ok(())
    }
}

/// Signs cluster-info with the tokens that may; the bootstrapsigner controller would do the same some time later.
fn sign(tokens: &[TokenSpec], world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    let info: Option<ConfigMap> = objects::get(world, identity, "kube-public", "cluster-info")?;
    let Some(mut data) = info.and_then(|info| info.data) else { return Ok(()) };
    let Some(text) = data.get("kubeconfig").cloned() else { return Ok(()) };
    for spec in tokens.iter().filter(|spec| spec.usages.iter().any(|usage| usage == "signing")) {
        data.insert(jws::data_key(&spec.token), jws::sign(&text, &spec.token));
    }
    objects::put(world, identity, &objects::config_map("kube-public", "cluster-info", data)).map(drop)
}

/// A certificate key opens nothing while no certificates are uploaded, and the cluster drops them after two hours.
fn warn_without_certificates(world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    let uploaded = ObjectRef::new("v1", "Secret", "kube-system", "kubeadm-certs");
    if world.cluster().get(identity, &uploaded)?.is_none() {
        let problem = Problem::new("certificates-not-uploaded", "there are no certificates for this key to open")
            .at(uploaded.to_string())
            .why("they were never uploaded, or the two hours that the cluster keeps them are over")
            .fix("on a control-plane node: kubestrap init phase upload-certs --upload-certs --certificate-key <the same key>");
        world.tell(Event::Warning(&problem));
    }
    Ok(())
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
