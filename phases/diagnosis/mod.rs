//! Diagnosis: from symptom to one cause and one fix, by tables of rules.
//!
//! ```text
//! kubelet down? ─► runtime down? ─► component ends? ─► no container: what does the kubelet complain of? ─► the answer
//! ```
//!
//! A rule is certain when waiting longer cannot help. What is seen on the way there is the live line of the wait.

mod answer;
mod component_rules;
mod container;
mod kubelet;
mod pace;
mod past;
mod refused;
mod rules;
mod running;

use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{RuntimeStatus, World};

pub(crate) use pace::Pace;
pub use past::Past;

/// What the look at a node has shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// In a few words, for the live line.
    pub seen: String,
    /// The cause, once it is certain.
    pub certain: Option<Problem>,
    /// The kubelet's process that is the cause, where one that is started again may do better.
    again: Option<String>,
}

impl Sight {
    fn certain(seen: impl Into<String>, problem: Problem) -> Self {
        Self { seen: seen.into(), certain: Some(problem), again: None }
    }
}

/// Looks at kubelet, runtime and the static Pods of this node, and at how the API server answered last.
///
/// # Errors
/// When the machine cannot be looked at; a runtime that does not answer is a sight, not an error.
pub fn control_plane(
    node: &NodeConfig,
    components: &[&str],
    answer: &str,
    world: &World<'_>,
) -> Result<Sight, Problem> {
    control_plane_since(&Past::default(), node, components, answer, world)
}

/// The same during a wait: what is past does not count.
///
/// # Errors
/// As `control_plane`.
pub fn control_plane_since(
    past: &Past,
    node: &NodeConfig,
    components: &[&str],
    answer: &str,
    world: &World<'_>,
) -> Result<Sight, Problem> {
    if let Some(sight) = kubelet::look(node, world)? {
        return Ok(sight);
    }
    let status = match runtime(node, world) {
        Ok(status) => status,
        Err(sight) => return Ok(sight),
    };
    let (mut seen, mut not_made) = (Vec::new(), Vec::new());
    let view = container::View { node, status: &status, past, answer, world };
    for component in components {
        match container::look(component, &view)? {
            container::State::Ending(words, cause) => return Ok(Sight::certain(words, cause)),
            container::State::Going(words) => seen.push(words),
            container::State::NotMade(words) => {
                seen.push(words);
                not_made.push(*component);
            }
        }
    }
    if let Some(refusal) = refused::look(&not_made, world)?.filter(|refusal| !past.is_over(&refusal.by)) {
        let again = (refusal.problem.id == refused::PASSES).then_some(refusal.by);
        return Ok(Sight { seen: seen.join(" · "), certain: Some(refusal.problem), again });
    }
    let mut certain = if not_made.is_empty() {
        answer::cause(answer, node)
    } else {
        running::cause(node, &status, &not_made, past, world)?
    };
    if certain.is_none() && not_made.len() == components.len() && status.sandboxes.is_empty() {
        certain = running::manifests_elsewhere(node, world)?;
    }
    Ok(Sight { seen: seen.join(" · "), certain, again: None })
}

/// The cause why one of these components cannot run beside an API server that is ready. Neither kubelet nor a runtime that does
/// not answer is of interest then.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn beside_api_server(
    past: &Past,
    node: &NodeConfig,
    components: &[&str],
    world: &World<'_>,
) -> Result<Option<Problem>, Problem> {
    let Ok(status) = runtime(node, world) else { return Ok(None) };
    let view = container::View { node, status: &status, past, answer: "", world };
    for component in components {
        if let container::State::Ending(_, cause) = container::look(component, &view)? {
            return Ok(Some(cause));
        }
    }
    Ok(None)
}

/// Looks at kubelet and runtime, as on a worker that does not register.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn worker(node: &NodeConfig, world: &World<'_>) -> Result<Sight, Problem> {
    worker_since(&Past::default(), node, world)
}

/// The same during a wait: what is past does not count.
///
/// # Errors
/// As `worker`.
pub fn worker_since(past: &Past, node: &NodeConfig, world: &World<'_>) -> Result<Sight, Problem> {
    if let Some(sight) = kubelet::look(node, world)? {
        return Ok(sight);
    }
    let status = match runtime(node, world) {
        Ok(status) => status,
        Err(sight) => return Ok(sight),
    };
    let certain = running::cause(node, &status, &[], past, world)?;
    Ok(Sight { seen: "kubelet running".to_owned(), certain, again: None })
}

fn runtime(node: &NodeConfig, world: &World<'_>) -> Result<RuntimeStatus, Sight> {
    world.host().runtime(&node.cri_socket).map_err(|error| {
        let problem =
            Problem::new("runtime-down", format!("the container runtime at {} does not answer", node.cri_socket))
                .why(error.to_string())
                .fix("systemctl restart containerd, then run the same command again");
        Sight::certain("container runtime does not answer", problem)
    })
}
