//! Power cuts in the middle of `init`: the whole node goes dark at a point, with what the journal had not yet synced, is
//! switched on again, and the same command ends as an unbroken run ends.

use super::{all_end_well, lab, runs, told};
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::kill::{JOURNAL, Point};

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_goes_on_after_a_power_cut() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_goes_on_after_a_power_cut", |run| {
        let lab = lab::Lab::open(run)?;
        let lines = lab.init_lines;
        lab.give_back();
        all_end_well(run, "init, power cut", &runs(lines, 2, 10), |points| {
            lab::lend(run, |lab| {
                points.iter().try_for_each(|point| goes_dark(lab, *point))?;
                lab.ended_well(&lab.init(run)?)?;
                lab.reset().map(|_| 0)
            })
        })
    });
}

fn goes_dark(lab: &lab::Lab, point: Point) -> Result<(), Failure> {
    let command = lab.init_command()?;
    let reached = lab.breaker.stop_at(&lab.node, &command, point)?;
    lab.node.cut_power()?;
    lab.node.shorten(JOURNAL, reached.synced)?;
    told(&command, point, &reached.line);
    lab.node.boot()?;
    lab.lay_foreign_things()
}
