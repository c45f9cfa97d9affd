//! Joining a cluster, as a worker or as a further control-plane node: the phases that only `join` has, and what is read
//! from the cluster before.

mod not_on_worker;
mod prepare;
mod resolve;
mod resolve_control_plane;
mod start;
mod tls_bootstrap;
mod update_status;
mod wait_bootstrap;

pub use not_on_worker::NotOnWorker;
pub(crate) use resolve::is_this_machine;
pub use resolve::read_cluster;
pub use resolve_control_plane::read_control_plane;
pub use start::KubeletStart;
pub use tls_bootstrap::TlsBootstrap;
pub use update_status::UpdateStatus;
pub use wait_bootstrap::KubeletWaitBootstrap;

use crate::config::JoinControlPlane;
use crate::mark_control_plane::MarkControlPlane;
use crate::plan::{Artifact, Step};

impl Step<JoinControlPlane> {
    /// What the cluster is told of a further control-plane node.
    pub const CONTROL_PLANE_JOIN: Self = Self::Group {
        name: "control-plane-join",
        about: "what the cluster is told of a further control-plane node",
        steps: &[Self::Phase(&UpdateStatus), Self::Phase(&MarkControlPlane)],
    };
}

/// With which the cluster is told of this node.
pub(crate) fn administrator(job: &JoinControlPlane) -> Vec<Artifact> {
    vec![Artifact::file("the administrator's kubeconfig", job.worker.node.layout.kubeconfig("admin.conf"))]
}

#[cfg(test)]
#[path = "control_plane_tests.rs"]
mod control_plane_tests;
