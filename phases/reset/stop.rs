//! Stops what runs: the kubelet, its Pods over CRI, and unmounts what it mounted for them.

use super::mounts::Mounts;
use super::processes;
use crate::config::Reset;
use crate::counted;
use crate::plan::Phase;
use crate::problem::Problem;
use crate::world::{Change, Event, Mount, UnitAction, World};

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
        world.needs_running_system("stop kubelet.service")?;
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
        world.needs_running_system("remove Pods")?;
        let socket = &job.node.cri_socket;
        let status = match world.host().runtime(socket) {
            Ok(status) => status,
            Err(error) => return without_runtime(socket, Problem::from(error).why, world),
        };
        let (ours, foreign): (Vec<_>, Vec<_>) = status.sandboxes.into_iter().partition(|sandbox| sandbox.is_of_kubelet);
        let (count, left) = (ours.len(), foreign.len());
        for sandbox in ours {
            world.change(&Change::RemoveSandbox {
                socket: socket.clone(),
                id: sandbox.id,
                pod: format!("{}/{}", sandbox.namespace, sandbox.name),
            })?;
        }
        world.note(&format!("{} removed", counted(count, "Pod")));
        if left > 0 {
            world.note(&format!(
                "{} of others left",
                if left == 1 { "1 sandbox".to_owned() } else { format!("{left} sandboxes") }
            ));
        }
        Ok(())
    }
}

/// Without the runtime Pods go on running and cannot be asked for; their processes can be ended all the same. What the
/// runtime knows of them stays with it.
fn without_runtime(socket: &str, why: String, world: &World<'_>) -> Result<(), Problem> {
    let ended = processes::end(world)?;
    world.note(&format!("{} ended", processes::in_words(ended)));
    let problem = Problem::new("runtime-down", "the container runtime keeps its records of Pods: it does not answer")
        .at(socket.to_owned())
        .why(why)
        .fix("when it answers again, have them removed too: kubestrap reset");
    world.tell(Event::Warning(&problem));
    Ok(())
}

/// Phase `unmount`.
pub struct Unmount;

impl Phase<Reset> for Unmount {
    fn name(&self) -> &'static str {
        "unmount"
    }

    fn about(&self) -> &'static str {
        "unmounts the volumes of the kubelet's Pods"
    }

    fn run(&self, job: &Reset, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("unmount volumes")?;
        for Mount { point: path, .. } in Mounts::look(job, world.host())?.of_pods {
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
