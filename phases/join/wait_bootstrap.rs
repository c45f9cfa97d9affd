//! Phase `kubelet-wait-bootstrap`: waits until the kubelet has registered the Node, and notes the CRI socket on the Node
//! (up to 1.33). A Node that an earlier reset has cordoned is let in again.

use std::time::Duration;

use serde_json::Value;

use crate::config::Joining;
use crate::diagnosis::{self, Pace, Past};
use crate::drain;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::upload_config::annotate_cri_socket;
use crate::world::{Clock, Identity, ObjectRef, Probe, Wait, World};

/// The phase.
pub struct KubeletWaitBootstrap;

impl<J: Joining> Phase<J> for KubeletWaitBootstrap {
    fn name(&self) -> &'static str {
        "kubelet-wait-bootstrap"
    }

    fn about(&self) -> &'static str {
        "waits until the kubelet has registered its Node"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        vec![
            Artifact::file("the kubelet's configuration", job.node().layout.kubelet_config()),
            Artifact::file("the kubelet's kubeconfig", job.node().layout.kubeconfig("kubelet.conf")),
        ]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("wait for the kubelet")?;
        let own = job.node().layout.kubeconfig("kubelet.conf");
        let identity = Identity::Kubeconfig(own);
        let node = ObjectRef::new("v1", "Node", "", job.node().name.as_str());
        let wait = Wait {
            what: "the kubelet to register its Node",
            within: job.node().timeouts.kubelet,
            every: Duration::from_millis(50),
        };
        let mut pace = Pace::new(world);
        let past = Past::of(job.node(), &[], world)?;
        let outcome = world.time().wait(&wait, &mut || {
            if pace.is_due(world)
                && let Some(problem) = diagnosis::worker_since(&past, job.node(), world)?.certain
            {
                return Err(problem);
            }
            let mut answer = Ok(Probe::NotYet("no Node yet".to_owned()));
            let watched = world.cluster().watch(&identity, &node, pace.pause(), &mut |found| {
                answer = is_from_this_kubelet(&found, world).map(|is_ours| match is_ours {
                    true => Probe::Yes,
                    false => Probe::NotYet("the Node is from before; this kubelet has not reported yet".to_owned()),
                });
                !matches!(answer, Ok(Probe::NotYet(_)))
            });
            watched.map_or_else(|error| Ok(Probe::NotYet(error.reason())), |()| answer)
        });
        outcome.map_err(|error| {
            not_registered(error.into_problem("kubelet-not-registered", "the kubelet has not registered its Node"))
        })?;
        annotate_cri_socket(job.cluster(), job.node(), world, &identity)?;
        drain::uncordon(&job.node().name, &identity, world)?;
        world.note(&format!("Node {} registered", job.node().name));
        Ok(())
    }
}

/// A Node of an earlier life of this machine may still be there: it counts once the kubelet has reported since it started.
fn is_from_this_kubelet(node: &Value, world: &World<'_>) -> Result<bool, Problem> {
    let Some(active_for) = world.host().unit("kubelet.service")?.active_for else { return Ok(true) };
    let conditions = node["status"]["conditions"].as_array();
    let heartbeats = conditions.into_iter().flatten().filter_map(|condition| condition["lastHeartbeatTime"].as_str());
    let Some(newest) = heartbeats.filter_map(Clock::parse_rfc3339).max() else { return Ok(false) };
    let seconds = i64::try_from(active_for.as_secs()).unwrap_or(i64::MAX);
    // Heartbeats are cut to whole seconds.
    Ok(newest.0 + 1 >= world.time().now().0.saturating_sub(seconds))
}

fn not_registered(problem: Problem) -> Problem {
    if problem.id != "kubelet-not-registered" {
        return problem;
    }
    problem
        .fix("see what the kubelet says: journalctl -u kubelet -n 50")
        .fix("then run the same command again: it goes on from here")
}
