//! The stacked etcd member of a control-plane node: `etcd/local` for the first one, `check-etcd` and `etcd-join` for those
//! that join it.

mod check;
mod join;
pub mod local;
pub(crate) mod members;

pub use check::CheckEtcd;
pub use join::EtcdJoin;

use crate::config::OnControlPlane;
use crate::plan::Step;

impl<J: OnControlPlane> Step<J> {
    /// The first member of a stacked etcd.
    pub const ETCD: Self =
        Self::Group { name: "etcd", about: "stacked etcd", steps: &[Self::Phase(&local::LocalMember)] };
}
