//! What was already so when a wait began: it is no evidence of what happens now. A cause that was mended a minute ago still stands
//! in the kubelet's journal and in the containers that have ended.

use std::collections::BTreeMap;

use super::{Sight, container};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{Change, Clock, UnitAction, World};

/// What has happened before. The default is nothing, so that everything counts, as for a look at a node from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Lines of the kubelet up to this second do not count.
    pub(super) until: Option<Clock>,
    /// How often each component had ended, of those that had.
    pub(super) ends: BTreeMap<String, u32>,
    /// Components whose newest container has ended, so that the kubelet lets time go by before the next attempt.
    between_attempts: bool,
    /// Processes of the kubelet that were ended, because they do not try again what they have refused.
    over: Vec<String>,
}

/// How often the kubelet is started again before it is believed.
const RESTARTS: usize = 3;

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
    /// Starts the kubelet again where that may help; what it said before is past then. Says whether it has.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn starts_again(&mut self, sight: &Sight, world: &World<'_>) -> Result<bool, Problem> {
        let Some(process) = sight.again.as_ref().filter(|_| self.over.len() < RESTARTS) else { return Ok(false) };
        self.over.push(process.clone());
        world.change(&Change::Unit { name: super::kubelet::UNIT.to_owned(), action: UnitAction::Restart })?;
        world.note("kubelet.service started again: it does not try again the static Pod that it has refused");
        Ok(true)
    }

    /// Whether this process of the kubelet was ended.
    pub(super) fn is_over(&self, process: &str) -> bool {
        self.over.iter().any(|over| over == process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::Bench;
    use crate::world::{Overlay, UnitState};

    #[test]
    fn a_kubelet_that_does_not_try_again_is_started_again_a_few_times_and_then_believed() {
        let running = UnitState { exists: true, active: "active".to_owned(), ..UnitState::default() };
        let bench = Bench::over(Overlay::default().with_unit("kubelet.service", running));
        let mut past = Past::default();
        let mut starts = |process: Option<&str>| {
            let sight = Sight { again: process.map(str::to_owned), ..Sight::default() };
            bench.within(|world| past.starts_again(&sight, world)).expect("started")
        };
        assert!(!starts(None), "another cause");
        assert_eq!(["2064", "3064", "4064", "5064"].map(|process| starts(Some(process))), [true, true, true, false]);
        assert!(past.is_over("4064") && !past.is_over("5064"));
    }
}
