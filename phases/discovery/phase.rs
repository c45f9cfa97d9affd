//! Phase `discovery` of join: writes the CA certificate that was verified while resolving. A certificate that is there
//! already is left: the user put it there, and preflight has looked at it.

use crate::config::Joining;
use crate::plan::{Artifact, Phase, damage};
use crate::problem::Problem;
use crate::world::{Content, World};

/// The phase.
pub struct Discovery;

impl<J: Joining> Phase<J> for Discovery {
    fn name(&self) -> &'static str {
        "discovery"
    }

    fn about(&self) -> &'static str {
        "writes the verified CA certificate"
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the cluster's CA certificate", &job.discovery().ca_cert_path)]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let found = job.discovery();
        let is_lost = damage::is_lost(&found.ca_cert_path, &world.journal().inventory()?, world.host())?;
        if is_lost || world.host().stat(&found.ca_cert_path)?.is_none() {
            world.put_file(&found.ca_cert_path, Content::new(found.ca_pem.as_str()), 0o644)?;
        }
        world.note(&format!("{} · {}", found.server, found.bootstrap));
        Ok(())
    }
}
