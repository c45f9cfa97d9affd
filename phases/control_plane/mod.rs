//! Phases `control-plane/*`: the manifests of kube-apiserver, kube-controller-manager and kube-scheduler.
//!
//! The kubelet starts what lies in the manifest folder; nothing here waits for that.

pub mod apiserver;
pub mod controller_manager;
pub(crate) mod pod;
pub mod scheduler;

use crate::config::OnControlPlane;
use crate::plan::Step;

impl<J: OnControlPlane> Step<J> {
    /// The three manifests of the control plane.
    pub const CONTROL_PLANE: Self = Self::Group {
        name: "control-plane",
        about: "manifests of the control plane's static Pods",
        steps: &[
            Self::Phase(&apiserver::ApiServer),
            Self::Phase(&controller_manager::ControllerManager),
            Self::Phase(&scheduler::Scheduler),
        ],
    };
}
