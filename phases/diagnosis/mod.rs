//! Diagnosis: from symptom to one cause and one fix, by a table of rules.
//!
//! A rule is certain when waiting longer cannot help: the same component has ended three times with the same last line.
//! What is seen on the way there is the live line of the wait.

mod container;
mod kubelet;

use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::World;

/// What the look at a node has shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// In a few words, for the live line.
    pub seen: String,
    /// The cause, once it is certain.
    pub certain: Option<Problem>,
}

/// How often a component must have ended before its cause is taken for certain.
const CERTAIN_AFTER: u32 = 3;

/// Looks at kubelet, runtime and the static Pods of this node.
///
/// # Errors
/// When the machine cannot be looked at; a runtime that does not answer is a sight, not an error.
pub fn control_plane(node: &NodeConfig, components: &[&str], world: &World<'_>) -> Result<Sight, Problem> {
    if let Some(sight) = kubelet::look(node, world)? {
        return Ok(sight);
    }
    let status = match world.host().runtime(&node.cri_socket) {
        Ok(status) => status,
        Err(error) => {
            let problem =
                Problem::new("runtime-down", format!("the container runtime at {} does not answer", node.cri_socket))
                    .why(error.to_string())
                    .fix("systemctl restart containerd, then run the same command again");
            return Ok(Sight { seen: "container runtime does not answer".to_owned(), certain: Some(problem) });
        }
    };
    let mut seen = Vec::new();
    for component in components {
        let (words, certain) = container::look(component, node, &status, world)?;
        if certain.is_some() {
            return Ok(Sight { seen: words, certain });
        }
        seen.push(words);
    }
    Ok(Sight { seen: seen.join(" · "), certain: None })
}

/// Looks at the kubelet alone, as on a worker.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn worker(node: &NodeConfig, world: &World<'_>) -> Result<Sight, Problem> {
    Ok(kubelet::look(node, world)?.unwrap_or_else(|| Sight { seen: "kubelet running".to_owned(), certain: None }))
}
