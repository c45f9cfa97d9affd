//! Phase `wait-control-plane`: waits until the API server is ready. Reads kubelet, runtime and logs for the live reason;
//! writes nothing. A component that ends again and again with a known cause ends the wait.

use std::time::Duration;

use crate::config::{Etcd, Init, JoinControlPlane, OnControlPlane};
use crate::diagnosis;
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Identity, Probe, Wait, World};

/// The phase.
pub struct WaitControlPlane;

/// How many looks at the API server go by between two looks at kubelet and runtime.
const LOOKS_PER_SIGHT: u32 = 10;

impl Phase<Init> for WaitControlPlane {
    fn name(&self) -> &'static str {
        "wait-control-plane"
    }

    fn about(&self) -> &'static str {
        "waits until the API server is ready"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        vec![
            Artifact::file("the administrator's kubeconfig", &job.kubeconfig),
            Artifact::file("the manifest of kube-apiserver", job.node.layout.manifest("kube-apiserver")),
        ]
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("wait for the control plane")?;
        wait_for_api_server(job, &Identity::Kubeconfig(job.kubeconfig.clone()), world)
    }
}

impl Phase<JoinControlPlane> for WaitControlPlane {
    fn name(&self) -> &'static str {
        "wait-control-plane"
    }

    fn about(&self) -> &'static str {
        "waits until the API server of this node is ready"
    }

    fn needs(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        let layout = &job.worker.node.layout;
        vec![
            Artifact::file("the kubeconfig of kube-controller-manager", layout.kubeconfig("controller-manager.conf")),
            Artifact::file("the manifest of kube-apiserver", layout.manifest("kube-apiserver")),
        ]
    }

    /// The administrator's kubeconfig leads to any API server; this one leads to that of this node.
    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        world.needs_running_system("wait for the control plane")?;
        let own = job.worker.node.layout.kubeconfig("controller-manager.conf");
        wait_for_api_server(job, &Identity::Kubeconfig(own), world)
    }
}

fn wait_for_api_server(job: &dyn OnControlPlane, identity: &Identity, world: &World<'_>) -> Result<(), Problem> {
    let mut components = vec!["kube-apiserver"];
    if matches!(job.cluster().etcd, Etcd::Local(_)) {
        components.insert(0, "etcd");
    }
    let wait =
        Wait { what: "the API server", within: job.cluster().control_plane_timeout, every: Duration::from_millis(100) };
    let mut looks = 0;
    let mut sight = diagnosis::Sight::default();
    let outcome = world.time().wait(&wait, &mut || {
        let answer = match world.cluster().raw(identity, "/readyz") {
            Ok(answer) if answer.status == 200 => return Ok(Probe::Yes),
            Ok(answer) => format!("/readyz answers {}", answer.status),
            Err(error) => error.reason(),
        };
        if looks % LOOKS_PER_SIGHT == LOOKS_PER_SIGHT - 1 {
            sight = diagnosis::control_plane(job.node(), &components, &answer, world)?;
            if let Some(problem) = sight.certain.take() {
                return Err(problem);
            }
        }
        looks += 1;
        Ok(Probe::NotYet(if sight.seen.is_empty() { answer } else { format!("{} · {answer}", sight.seen) }))
    });
    outcome.map_err(|error| {
        let problem = error.into_problem("control-plane-not-ready", "the API server is not ready");
        if problem.id == "control-plane-not-ready" {
            problem
                .fix("see what kubelet and components say: journalctl -u kubelet -n 50; ls /var/log/pods")
                .fix("then run the same command again: it goes on from here")
        } else {
            problem
        }
    })
}
