//! Reset: takes a node out of its cluster and removes what made it a node, and nothing else.
//!
//! ```text
//! preflight ─ drain ─ update-cluster-status ─ remove-etcd-member ─ delete-node ─ cleanup-node (kubelet, Pods, mounts, iptables, files)
//! ```
//!
//! Each phase works when the cluster is gone. One that fails ends the run: data behind a Pod that may not be evicted, or
//! behind a volume that cannot be unmounted, is never removed.

mod accounts;
mod cluster_status;
mod etcd_member;
mod files;
mod iptables;
mod ipvs;
mod known;
mod leave;
mod left;
mod mounts;
mod nftables;
mod processes;
mod stop;

pub use cluster_status::UpdateClusterStatus;
pub use etcd_member::RemoveEtcdMember;
pub use files::CleanFiles;
pub use iptables::CleanIptables;
pub use leave::{DeleteNode, Drain};
pub use stop::{RemovePods, StopKubelet, Unmount};

use crate::config::Reset;
use crate::plan::{Phase, Step};
use crate::problem::{Exit, Problem};
use crate::world::{Identity, ObjectRef, World};

impl Step<Reset> {
    /// Everything on this machine.
    pub const CLEANUP_NODE: Self = Self::Group {
        name: "cleanup-node",
        about: "stops the kubelet and removes its Pods, mounts, network rules and files",
        steps: &[
            Self::Phase(&StopKubelet),
            Self::Phase(&RemovePods),
            Self::Phase(&Unmount),
            Self::Phase(&CleanIptables),
            Self::Phase(&CleanFiles),
        ],
    };
}

/// Phase `preflight` of reset.
pub struct Preflight;

impl Phase<Reset> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks that this may be done"
    }

    fn run(&self, _job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("take this machine out of its cluster")?;
        let facts = world.host().facts()?;
        if facts.uid == 0 {
            return Ok(());
        }
        world.refuse(
            Problem::new("IsPrivilegedUser", "kubestrap does not run as root")
                .why(format!("it runs as uid {}, and cleaning a node removes files below /etc and /var/lib", facts.uid))
                .fix("sudo kubestrap reset")
                .exit(Exit::Preflight),
        )
    }
}

/// The first credentials with which the cluster answers, and its Nodes' names and labels as far as these may see them.
fn reachable(job: &Reset, world: &World<'_>) -> Result<Result<Identity, String>, Problem> {
    let mut reason = "there is no kubeconfig on this machine".to_owned();
    for path in &job.credentials {
        if world.host().stat(path)?.is_none() {
            continue;
        }
        let identity = Identity::Kubeconfig(path.clone());
        let own = ObjectRef::new("v1", "Node", "", job.node.name.as_str());
        match world.cluster().get(&identity, &own) {
            Ok(_) => return Ok(Ok(identity)),
            Err(error) => reason = error.reason(),
        }
    }
    Ok(Err(reason))
}
