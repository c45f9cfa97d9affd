//! Phase `bootstrap-token`: what lets further nodes join.
//!
//! In this order: the token Secrets, what their holders may do, and the signed cluster-info that everybody may read. The
//! Secrets come first, so that the controller which signs cluster-info knows every token whose signature it finds there.

mod cluster_info;
pub mod create;
pub mod delete;
pub mod list;
mod rbac;
mod token;

pub use cluster_info::put_cluster_info;
pub use rbac::allow_bootstrap;
pub(crate) use token::secret_ref;
pub use token::{put_token, token_of, token_secret, usable_token};

use crate::cluster_admins::{self, administrator};
use crate::config::Init;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Clock, World};

/// Phase `bootstrap-token`.
pub struct BootstrapTokens;

impl Phase<Init> for BootstrapTokens {
    fn name(&self) -> &'static str {
        "bootstrap-token"
    }

    fn about(&self) -> &'static str {
        "tokens with which nodes join, and the signed cluster-info"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        cluster_admins::needs(job)
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let admin = administrator(job, world)?;
        for token in &job.tokens {
            put_token(token, world, &admin)?;
            let until =
                token.expires.map_or_else(|| "for ever".to_owned(), |at| format!("until {}", Clock(at).rfc3339()));
            world.note(&format!("token {}, {until}", token.token.id()));
        }
        allow_bootstrap(&job.cluster.release, world, &admin)?;
        put_cluster_info(job, world, &admin)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
