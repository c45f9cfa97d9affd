//! Phase `wait-control-plane`: waits until the API server is ready, from 1.33 on controller manager and scheduler too. Reads kubelet, runtime and logs for the live reason;
//! writes nothing. A component that ends again and again with a known cause ends the wait.

use std::net::IpAddr;
use std::time::Duration;

use crate::config::{Etcd, HostPort, Init, JoinControlPlane, OnControlPlane};
use crate::control_plane::pod;
use crate::diagnosis::{self, Pace, Past};
use crate::plan::{Artifact, Phase};
use crate::problem::Problem;
use crate::world::{Change, Clock, Identity, Probe, UnitAction, Wait, World};

/// The phase.
pub struct WaitControlPlane;

const KUBELET: &str = "kubelet.service";
const DEPENDENT: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

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

/// What keeps a server from being well; `None` when it is.
fn complaint(identity: &Identity, path: &str, world: &World<'_>) -> Option<String> {
    match world.cluster().raw(identity, path) {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(format!("{path} answers {}", answer.status)),
        Err(error) => Some(error.reason()),
    }
}

/// A component beside the API server, and where it says whether it is well.
struct Other {
    component: &'static str,
    server: Identity,
    path: &'static str,
}

impl Other {
    fn complaint(&self, world: &World<'_>) -> Option<String> {
        complaint(&self.server, self.path, world).map(|answer| format!("{}: {answer}", self.component))
    }
}

/// Their certificates are their own, signed by nobody; only this machine is asked.
fn others(job: &dyn OnControlPlane) -> Vec<Other> {
    let cluster = job.cluster();
    let gate = cluster.feature_gates.get("WaitForAllControlPlaneComponents").copied();
    if !cluster.release.waits_for_all_components(gate) {
        return Vec::new();
    }
    let other = |component, settings, port, path| {
        let host = pod::probe_host(pod::user_flag(settings, "bind-address").unwrap_or(LOOPBACK));
        let host = if host.is_empty() { LOOPBACK } else { host.as_str() };
        let port = pod::user_flag(settings, "secure-port").and_then(|port| port.parse().ok()).unwrap_or(port);
        let server = format!("https://{}", HostPort::new(host, port));
        Other { component, server: Identity::Anonymous { server, ca_pem: None }, path }
    };
    vec![
        other("kube-controller-manager", &cluster.controller_manager, 10257, "/healthz"),
        other("kube-scheduler", &cluster.scheduler, 10259, cluster.release.scheduler_probes().liveness),
    ]
}

const LOOPBACK: &str = "127.0.0.1";

fn wait_for_api_server(job: &dyn OnControlPlane, identity: &Identity, world: &World<'_>) -> Result<(), Problem> {
    let mut components = vec!["kube-apiserver"];
    if matches!(job.cluster().etcd, Etcd::Local(_)) {
        components.insert(0, "etcd");
    }
    // Whether these are waited for depends on the release; one that cannot run ends the wait on each.
    components.extend(DEPENDENT);
    let others = others(job);
    let mut past = Past::of(job.node(), &components, world)?;
    if past.is_between_attempts() && complaint(identity, "/readyz", world).is_some() {
        world.change(&Change::Unit { name: KUBELET.to_owned(), action: UnitAction::Restart })?;
        world.note("kubelet.service started again: it tries at once what has failed before");
    }
    let wait =
        Wait { what: "the API server", within: job.cluster().control_plane_timeout, every: Duration::from_millis(100) };
    let mut pace = Pace::new(world);
    let mut sight = diagnosis::Sight::default();
    let mut elsewhere = Elsewhere::default();
    let outcome = world.time().wait(&wait, &mut || {
        let Some(answer) =
            complaint(identity, "/readyz", world).or_else(|| others.iter().find_map(|other| other.complaint(world)))
        else {
            // Those that are not waited for may have ended meanwhile.
            let found = diagnosis::beside_api_server(&past, job.node(), &DEPENDENT, world)?;
            return found.map_or(Ok(Probe::Yes), Err);
        };
        if pace.is_due(world) {
            sight = diagnosis::control_plane_since(&past, job.node(), &components, &answer, world)?;
            if let Some(problem) = sight.certain.take()
                && !past.starts_again(&sight, world)?
            {
                return Err(problem);
            }
            if let Some(problem) = elsewhere.certain(job, identity, world)? {
                return Err(problem);
            }
        }
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

/// A control-plane endpoint that does not lead to the API server of this node, though that is ready.
#[derive(Debug, Default)]
struct Elsewhere {
    ready_since: Option<Clock>,
}

/// Load balancers look at a new server a few times, and virtual addresses move, before they let anyone through.
const FORWARDING_GRACE: Duration = Duration::from_secs(40);

impl Elsewhere {
    /// The cause, at once where the endpoint is an address of this machine, otherwise after a while.
    fn certain(
        &mut self,
        job: &dyn OnControlPlane,
        identity: &Identity,
        world: &World<'_>,
    ) -> Result<Option<Problem>, Problem> {
        let Some(stable) = &job.cluster().control_plane_endpoint else { return Ok(None) };
        let own = HostPort::new(job.endpoint().address.to_string(), job.endpoint().port);
        let here = Identity::Anonymous { server: format!("https://{own}"), ca_pem: None };
        if *stable == own || complaint(&here, "/readyz", world).is_some() {
            return Ok(None);
        }
        let now = world.time().now();
        let since = *self.ready_since.get_or_insert(now);
        let address: Option<IpAddr> = stable.host().parse().ok();
        let is_here = match address {
            Some(address) => world.host().facts()?.interfaces.iter().any(|found| found.addresses.contains(&address)),
            None => false,
        };
        if !is_here && now < since.plus(FORWARDING_GRACE) {
            return Ok(None);
        }
        // It may have become ready between the two questions.
        let Some(answer) = complaint(identity, "/readyz", world) else { return Ok(None) };
        let id = if answer.contains("o route to host") { "endpoint-no-route" } else { "endpoint-elsewhere" };
        let problem = Problem::new(id, format!("the control-plane endpoint {stable} does not lead to this API server"))
            .saw(format!("https://{own}/readyz answers ok, https://{stable}: {answer}"))
            .at(job.node().layout.kubeconfig("admin.conf").display().to_string())
            .why("the API server of this node is ready; what should forward to it is not there, refuses, or leads elsewhere")
            .fix(format!("make {stable} lead to {own} (load balancer, virtual address, DNS, firewall), then run the same command again"))
            .fix(format!("see what answers there: curl -kv https://{stable}/readyz"));
        Ok(Some(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Release;
    use crate::support::jobs::default_init;

    fn asked(job: &Init) -> Vec<String> {
        let url = |other: &Other| match &other.server {
            Identity::Anonymous { server, .. } => format!("{server}{}", other.path),
            _ => String::new(),
        };
        others(job).iter().map(url).collect()
    }

    #[test]
    fn newer_releases_wait_for_all_components_where_they_listen() {
        let usual = ["https://127.0.0.1:10257/healthz", "https://127.0.0.1:10259/livez"];
        for (minor, gate, is_asked) in [
            (20, None, false),
            (29, Some(true), false),
            (32, None, false),
            (33, Some(false), false),
            (33, None, true),
            (36, Some(false), true),
        ] {
            let mut job = default_init(Release::new(minor, 1));
            job.cluster.feature_gates.extend(gate.map(|on| ("WaitForAllControlPlaneComponents".to_owned(), on)));
            assert_eq!(asked(&job), if is_asked { usual.to_vec() } else { Vec::new() }, "1.{minor} {gate:?}");
        }
        let mut job = default_init(Release::new(36, 2));
        let flag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        job.cluster.scheduler.extra_args = vec![flag("bind-address", "10.0.0.1"), flag("secure-port", "20259")];
        job.cluster.controller_manager.extra_args = vec![flag("bind-address", "::")];
        assert_eq!(asked(&job), ["https://127.0.0.1:10257/healthz", "https://10.0.0.1:20259/livez"]);
    }
}
