//! Phase `check-etcd`: all members of a stacked etcd are well before this node joins them. Reads etcd's Pods for the
//! addresses and asks each member; writes nothing.
//!
//! etcd refuses a further member while one of its members is out of touch; a look beforehand says which one it is.

use super::{local, members};
use crate::config::{Etcd, OnControlPlane};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::world::World;

/// Phase `check-etcd`.
pub struct CheckEtcd;

impl<J: OnControlPlane> Phase<J> for CheckEtcd {
    fn name(&self) -> &'static str {
        "check-etcd"
    }

    fn about(&self) -> &'static str {
        "sees that all members of etcd are well"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        members::needs(&job.node().layout)
    }

    fn verdict(&self, job: &J) -> Verdict {
        match job.cluster().etcd {
            Etcd::Local(_) => Verdict::Run,
            Etcd::External(_) => Verdict::Skip("etcd is external".to_owned()),
        }
    }

    /// This node's own member is not asked: it is there when a join is gone on with, and need not run yet.
    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let access = members::found(job, world)?;
        let count = members::wait_until_well(&access, Some(&local::peer_url(job)), world)?;
        if count > 0 {
            world.note(&format!("{} well", crate::counted(count, "member")));
        }
        Ok(())
    }
}
