//! Workflow `token delete`: takes away the Secrets of bootstrap tokens; nobody can join with them from then on.
//!
//! Their signatures in cluster-info stay until the bootstrapsigner controller removes them; they give nobody any right.

use super::secret_ref;
use crate::config::{DeleteTokens, TokenId};
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, Content, Event, Identity, ObjectChange, Verb, World};

/// The only phase.
pub struct Delete;

impl Phase<DeleteTokens> for Delete {
    fn name(&self) -> &'static str {
        "delete"
    }

    fn about(&self) -> &'static str {
        "deletes bootstrap tokens"
    }

    /// Deletes those that are there, then tells which were not: so a second run after a stop goes on.
    fn run(&self, job: &DeleteTokens, world: &World<'_>) -> Result<(), Problem> {
        let identity = Identity::Kubeconfig(job.kubeconfig.clone());
        let mut unknown = Vec::new();
        for id in &job.ids {
            let object = secret_ref(id);
            if world.cluster().get(&identity, &object)?.is_none() {
                unknown.push(id);
                continue;
            }
            let (identity, body) = (identity.clone(), Content::new(""));
            world.change(&Change::Object(ObjectChange { identity, object, verb: Verb::Delete, body }))?;
            world.tell(Event::Result(&format!("bootstrap token \"{id}\" deleted")));
        }
        if unknown.is_empty() { Ok(()) } else { Err(not_there(&unknown, job.ids.len())) }
    }
}

fn not_there(unknown: &[&TokenId], asked: usize) -> Problem {
    let names: Vec<&str> = unknown.iter().map(|id| id.as_str()).collect();
    let noun = if names.len() == 1 { "bootstrap token" } else { "bootstrap tokens" };
    let others = match asked - names.len() {
        0 => "nothing was changed",
        1 => "the other one was deleted",
        _ => "the others were deleted",
    };
    Problem::new("token-unknown", format!("the cluster has no {noun} {}", names.join(", ")))
        .at(names.iter().map(|id| format!("Secret kube-system/bootstrap-token-{id}")).collect::<Vec<_>>().join(", "))
        .why(format!("it has expired and was removed, or was never there; {others}"))
        .fix("see which there are: kubestrap token list")
}
