//! Phases `etcd/*`: the stacked etcd member of a control-plane node.

pub mod local;

use crate::config::OnControlPlane;
use crate::plan::Step;

impl<J: OnControlPlane> Step<J> {
    /// The first member of a stacked etcd.
    pub const ETCD: Self =
        Self::Group { name: "etcd", about: "stacked etcd", steps: &[Self::Phase(&local::LocalMember)] };
}
