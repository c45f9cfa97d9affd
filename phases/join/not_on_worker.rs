//! The phases of a control-plane node in the table of a worker: there, so that `join` has one list of names, and left out
//! without a word.

use super::prepare::{CERTS, CONTROL_PLANE, KUBECONFIG};
use super::update_status::UpdateStatus;
use crate::config::{JoinControlPlane, JoinWorker};
use crate::mark_control_plane::MarkControlPlane;
use crate::plan::{Phase, Step, Verdict};
use crate::problem::Problem;
use crate::shared_certs::DownloadCerts;
use crate::wait_control_plane::WaitControlPlane;
use crate::world::World;

impl Step<JoinWorker> {
    /// Not on a worker.
    pub const CONTROL_PLANE_PREPARE: Self = Self::Group {
        name: "control-plane-prepare",
        about: "files of a further control-plane node",
        steps: &[
            Self::Phase(&NotOnWorker(&DownloadCerts)),
            Self::Phase(&NotOnWorker(&CERTS)),
            Self::Phase(&NotOnWorker(&KUBECONFIG)),
            Self::Phase(&NotOnWorker(&CONTROL_PLANE)),
        ],
    };
    /// Not on a worker.
    pub const CONTROL_PLANE_JOIN: Self = Self::Group {
        name: "control-plane-join",
        about: "what the cluster is told of a further control-plane node",
        steps: &[Self::Phase(&NotOnWorker(&UpdateStatus)), Self::Phase(&NotOnWorker(&MarkControlPlane))],
    };
    /// Not on a worker.
    pub const WAIT_CONTROL_PLANE: Self = Self::Phase(&NotOnWorker(&WaitControlPlane));
}

/// A phase of a control-plane node, left out.
pub struct NotOnWorker(pub &'static dyn Phase<JoinControlPlane>);

impl Phase<JoinWorker> for NotOnWorker {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn about(&self) -> &'static str {
        self.0.about()
    }

    fn verdict(&self, _job: &JoinWorker) -> Verdict {
        Verdict::Foreign("for control-plane nodes: --control-plane is not given".to_owned())
    }

    fn run(&self, _job: &JoinWorker, _world: &World<'_>) -> Result<(), Problem> {
        Ok(())
    }
}
