//! `reset` of a control-plane node, killed: the same command again ends with nothing of ours left and everything of other
//! people untouched.

use super::{FULL, all_end_well, kill, lab, runs};
use crate::control_plane_reset::is_kubelet;
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::failure::expect;
use kubestrap_e2e::snapshot::Snapshot;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn reset_goes_on_wherever_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("reset_goes_on_wherever_it_was_killed", |run| {
        let lab = lab::Lab::open(run)?;
        let lines = lab.reset_lines;
        lab.give_back();
        all_end_well(run, "reset", &runs(lines, 4, FULL), |points| {
            lab::lend(run, |lab| {
                let before = Snapshot::take(&lab.node)?;
                lab.init(run)?;
                let missed = kill(&lab.breaker, &lab.node, &lab::Lab::RESET, points)?;
                lab.reset()?;
                lab.foreign_things_work()?;
                let mut left = before.differences(&Snapshot::take(&lab.node)?);
                left.retain(|line| !is_kubelet(line));
                expect(left.is_empty(), "reset did not restore the node", left.join("\n"))?;
                Ok(missed)
            })
        })
    });
}
