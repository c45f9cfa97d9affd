//! Preflight: looks at the machine before anything is changed, and pulls missing images.
//!
//! Checks carry kubeadm's names, so that `--ignore-preflight-errors` lists keep working. All checks of a list run; the
//! findings come together. What kubestrap itself left behind is not held against it.

mod host;
mod leftovers;
mod network;
mod runtime;

use crate::config::{ClusterConfig, Init, JoinControlPlane, JoinWorker, NodeConfig};
use crate::plan::{Inventory, Phase};
use crate::problem::{Exit, Problem};
use crate::releases::Image;
use crate::world::{Event, Facts, RuntimeStatus, World};

/// One result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it keeps the node from being made.
    pub is_error: bool,
    /// Name, what, why and fix.
    pub problem: Problem,
}

impl Finding {
    fn error(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { is_error: true, problem: Problem::new(name, what) }
    }

    fn warning(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { is_error: false, problem: Problem::new(name, what) }
    }

    fn why(mut self, why: impl Into<String>) -> Self {
        self.problem = self.problem.why(why);
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.problem = self.problem.fix(fix);
        self
    }
}

/// What checks look at.
struct Scene<'a> {
    node: &'a NodeConfig,
    cluster: &'a ClusterConfig,
    /// Bind port, on a control-plane node.
    api_port: Option<u16>,
    facts: Facts,
    runtime: Result<RuntimeStatus, String>,
    inventory: Inventory,
    world: &'a World<'a>,
}

/// Checks for one aspect; each gives what it finds, in order.
type Check = fn(&Scene<'_>) -> Result<Vec<Finding>, Problem>;

const CONTROL_PLANE: &[Check] = &[
    host::resources,
    host::kernel_and_cgroups,
    host::swap,
    host::programs,
    host::sysctls,
    host::host_name,
    host::kubelet,
    network::control_plane_ports,
    network::kubelet_port,
    network::default_route,
    network::overlaps,
    network::firewall,
    runtime::answers,
    leftovers::control_plane,
];

const WORKER: &[Check] = &[
    host::kernel_and_cgroups,
    host::swap,
    host::programs,
    host::sysctls,
    host::host_name,
    host::kubelet,
    network::kubelet_port,
    network::default_route,
    network::firewall,
    runtime::answers,
    leftovers::worker,
];

/// Besides those of the first control-plane node: the kubelet must not belong to a cluster.
const JOINING_CONTROL_PLANE: &[Check] = &[leftovers::kubelet];

/// The phase `preflight`.
pub struct Preflight;

impl Phase<Init> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine and pulls missing images"
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        let images = Image::of_control_plane(&job.cluster);
        check(&job.node, &job.cluster, Some(job.endpoint.port), CONTROL_PLANE, world)?;
        runtime::pull(&job.node, &images, world)
    }
}

impl Phase<JoinWorker> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine"
    }

    fn run(&self, job: &JoinWorker, world: &World<'_>) -> Result<(), Problem> {
        check(&job.node, &job.cluster, None, WORKER, world)
    }
}

impl Phase<JoinControlPlane> for Preflight {
    fn name(&self) -> &'static str {
        "preflight"
    }

    fn about(&self) -> &'static str {
        "checks the machine and, on a control-plane node, pulls missing images"
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let (node, cluster) = (&job.worker.node, &job.worker.cluster);
        let checks = [CONTROL_PLANE, JOINING_CONTROL_PLANE].concat();
        check(node, cluster, Some(job.endpoint.port), &checks, world)?;
        runtime::pull(node, &Image::of_control_plane(cluster), world)
    }
}

/// Runs a list of checks; errors end the run together, warnings are told.
fn check(
    node: &NodeConfig,
    cluster: &ClusterConfig,
    api_port: Option<u16>,
    checks: &[Check],
    world: &World<'_>,
) -> Result<(), Problem> {
    let facts = world.host().facts()?;
    let mut findings = Vec::new();
    if facts.uid != 0 {
        findings.push(host::not_root(&facts));
        if !is_ignored(node, "IsPrivilegedUser") {
            return Err(failed(findings));
        }
    }
    let runtime = world.host().runtime(&node.cri_socket).map_err(|error| runtime::reason(&error));
    let scene = Scene { node, cluster, api_port, facts, runtime, inventory: world.journal().inventory()?, world };
    for check in checks {
        findings.extend(check(&scene)?);
    }
    findings.extend(node.patches.ignored().map(|line| {
        Finding::warning("Patches", "a file in the folder with patches changes nothing")
            .why(line)
            .fix("rename it, or take it out of the folder")
    }));
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().partition(|found| found.is_error && !is_ignored(node, &found.problem.id));
    for warning in &warnings {
        world.tell(Event::Warning(&warning.problem));
    }
    if !errors.is_empty() {
        return Err(failed(errors));
    }
    world.note(&match warnings.len() {
        0 => "all checks passed".to_owned(),
        1 => "passed with 1 warning".to_owned(),
        more => format!("passed with {more} warnings"),
    });
    Ok(())
}

fn is_ignored(node: &NodeConfig, name: &str) -> bool {
    node.ignore_preflight_errors.iter().any(|ignored| ignored == "all" || ignored.eq_ignore_ascii_case(name))
}

fn failed(errors: Vec<Finding>) -> Problem {
    let count = errors.len();
    let names: Vec<&str> = errors.iter().map(|error| error.problem.id.as_str()).collect();
    let ignore = format!("or, to go on in spite of it: --ignore-preflight-errors={}", names.join(","));
    Problem::new(
        "preflight",
        if count == 1 {
            "this machine is not ready: 1 check failed".to_owned()
        } else {
            format!("this machine is not ready: {count} checks failed")
        },
    )
    .why("each finding below says what is wrong; nothing was changed")
    .fix("mend what the findings say, then run the same command again")
    .fix(ignore)
    .exit(Exit::Preflight)
    .with_findings(errors.into_iter().map(|error| error.problem).collect())
}
