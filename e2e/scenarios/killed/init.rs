//! `init`, killed: the same command again ends as an unbroken run ends, with one Node and one bootstrap token.

use super::{FULL, all_end_well, kill, lab, runs};
use crate::{only_kubestrap, scenario};

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_goes_on_wherever_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_goes_on_wherever_it_was_killed", |run| {
        let lab = lab::Lab::open(run)?;
        let lines = lab.init_lines;
        lab.give_back();
        all_end_well(run, "init", &runs(lines, 4, FULL), |points| {
            lab::lend(run, |lab| {
                let missed = kill(&lab.breaker, &lab.node, &lab.init_command()?, points)?;
                lab.ended_well(&lab.init(run)?)?;
                lab.reset().map(|_| missed)
            })
        })
    });
}
