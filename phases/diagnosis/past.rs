//! What was already so when a wait began: it is no evidence of what happens now. A cause that was mended a minute ago still stands
//! in the kubelet's journal and in the containers that have ended.

use std::collections::BTreeMap;

use super::container;
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{Clock, World};

/// What has happened before. The default is nothing, so that everything counts, as for a look at a node from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Lines of the kubelet up to this second do not count.
    pub(super) until: Option<Clock>,
    /// How often each component had ended, of those that had.
    pub(super) ends: BTreeMap<String, u32>,
    /// Components whose newest container has ended, so that the kubelet lets time go by before the next attempt.
    between_attempts: bool,
}

impl Past {
    /// Looks at what these components have been through.
    ///
    /// # Errors
    /// When the machine cannot be looked at; a runtime that does not answer tells of no past.
    pub fn of(node: &NodeConfig, components: &[&str], world: &World<'_>) -> Result<Self, Problem> {
        let mut past = Self { until: Some(world.time().now()), ..Self::default() };
        let Ok(status) = world.host().runtime(&node.cri_socket) else { return Ok(past) };
        for component in components {
            let Some(newest) = container::newest(component, node, &status) else { continue };
            past.ends.insert((*component).to_owned(), container::ends(newest));
            past.between_attempts |= container::has_ended(newest);
        }
        Ok(past)
    }

    /// Whether the kubelet waits before it tries a component again, which can be minutes. One that is started anew tries at once.
    pub fn is_between_attempts(&self) -> bool {
        self.between_attempts
    }
}
