//! Workflow `token create`: a further token, signed for at once, and the line or the token to join with.

use k8s_openapi::api::core::v1::ConfigMap;

use super::put_token;
use crate::config::CreateToken;
use crate::discovery::jws;
use crate::kubeconfig::cluster_of;
use crate::objects;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::show_join_command::join_command;
use crate::world::{Event, Identity, World};

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
        let cluster = cluster_of(world.host(), &job.kubeconfig)?;
        let token = &job.token.token;
        let name = format!("bootstrap-token-{}", token.id());
        if objects::get::<k8s_openapi::api::core::v1::Secret>(world, &identity, "kube-system", &name)?.is_some() {
            return Err(Problem::new("token-exists", format!("a token with ID {} is there already", token.id()))
                .at(format!("Secret kube-system/{name}"))
                .fix("leave the token out, and a random one is made: kubestrap token create"));
        }
        put_token(&job.token, world, &identity)?;
        // The bootstrapsigner controller would do the same some time later.
        let info: Option<ConfigMap> = objects::get(world, &identity, "kube-public", "cluster-info")?;
        if let Some(mut data) = info.and_then(|info| info.data)
            && let Some(text) = data.get("kubeconfig").cloned()
        {
            data.insert(jws::data_key(token), jws::sign(&text, token));
            objects::put(world, &identity, &objects::config_map("kube-public", "cluster-info", data))?;
        }
        let text = if job.print_join_command { join_command(&cluster, Some(token))? } else { token.reveal() };
        world.tell(Event::Result(&text));
        Ok(())
    }
}
