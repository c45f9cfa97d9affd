//! Stops what runs: the kubelet, its Pods over CRI, and unmounts what it mounted for them.

use std::path::Path;

use crate::config::Reset;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, UnitAction, World};

const UNIT: &str = "kubelet.service";

/// Phase `stop-kubelet`.
pub struct StopKubelet;

impl Phase<Reset> for StopKubelet {
    fn name(&self) -> &'static str {
        "stop-kubelet"
    }

    fn about(&self) -> &'static str {
        "stops the kubelet"
    }

    fn run(&self, _job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let unit = world.host().unit(UNIT)?;
        if unit.exists && unit.active != "inactive" {
            world.change(&Change::Unit { name: UNIT.to_owned(), action: UnitAction::Stop })?;
        }
        Ok(())
    }
}

/// Phase `remove-pods`.
pub struct RemovePods;

impl Phase<Reset> for RemovePods {
    fn name(&self) -> &'static str {
        "remove-pods"
    }

    fn about(&self) -> &'static str {
        "stops and removes the kubelet's Pods over CRI"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let socket = &job.node.cri_socket;
        let status = match world.host().runtime(socket) {
            Ok(status) => status,
            Err(error) => {
                let problem = Problem::from(error);
                return Err(Problem::new(
                    "runtime-down",
                    "the Pods cannot be removed: the container runtime does not answer",
                )
                .at(socket.clone())
                .why(problem.why)
                .fix("systemctl start containerd, then: kubestrap reset"));
            }
        };
        let count = status.sandboxes.len();
        for sandbox in status.sandboxes {
            world.change(&Change::RemoveSandbox {
                socket: socket.clone(),
                id: sandbox.id,
                pod: format!("{}/{}", sandbox.namespace, sandbox.name),
            })?;
        }
        world.note(&format!("{} removed", counted(count, "Pod")));
        Ok(())
    }
}

/// Phase `unmount`.
pub struct Unmount;

/// Folders below the kubelet's where it mounts volumes for Pods. Mounts elsewhere are the user's.
const MOUNTED: [&str; 2] = ["pods", "plugins"];

impl Phase<Reset> for Unmount {
    fn name(&self) -> &'static str {
        "unmount"
    }

    fn about(&self) -> &'static str {
        "unmounts the volumes of the kubelet's Pods"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        let kubelet = job.node.layout.kubelet();
        let is_pods = |point: &Path| MOUNTED.iter().any(|folder| point.starts_with(kubelet.join(folder)));
        let mut points: Vec<_> =
            world.host().facts()?.mounts.into_iter().map(|mount| mount.point).filter(|point| is_pods(point)).collect();
        // A mount inside a mount goes first; of two on the same point, the newer.
        points.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
        for path in points {
            world.change(&Change::Unmount { path, flags: job.unmount_flags.clone() }).map_err(
                |problem| match problem.id.as_str() {
                    "host-write" => Problem { id: "unmount".to_owned(), ..problem }
                        .fix("see who holds it: fuser -vm <the mount point>; then: kubestrap reset"),
                    // The user stopped the run, or the journal cannot be written.
                    _ => problem,
                },
            )?;
        }
        Ok(())
    }
}
