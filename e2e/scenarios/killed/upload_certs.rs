//! `init phase upload-certs`, killed: the same command again ends as an unbroken run ends, with one Secret and one token that
//! owns it. `undo`, once for each run, then leaves the cluster as it was.

use super::{FULL, all_end_well, ends, kill, runs};
use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::kill::{Breaker, JOURNAL};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::PATIENCE;

const COMMAND: [&str; 5] = ["kubestrap", "init", "phase", "upload-certs", "--upload-certs"];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn upload_certs_goes_on_wherever_it_was_killed() {
    if !only_kubestrap() {
        return;
    }
    scenario("upload_certs_goes_on_wherever_it_was_killed", |run| {
        let cluster = shared_cluster(run)?;
        let node = &cluster.control_plane;
        let breaker = Breaker::build(run)?;
        let before = (ends::of_cluster(cluster)?, runs_of_journal(node)?);
        let take_back = || {
            while runs_of_journal(node)? > before.1 {
                node.run_with(&["kubestrap", "undo", "--force"], b"", PATIENCE)?.success()?;
            }
            ends::same("after undo, the cluster is", &before.0, &ends::of_cluster(cluster)?)
        };
        let (_, lines) = breaker.count(node, &COMMAND)?;
        let unbroken = ends::of_cluster(cluster)?;
        take_back()?;
        all_end_well(run, "upload-certs", &runs(lines, 2, FULL), |points| {
            let missed = kill(&breaker, node, &COMMAND, points)?;
            node.run_with(&COMMAND, b"", PATIENCE)?.success()?;
            let ended = ends::same("the cluster is", &unbroken, &ends::of_cluster(cluster)?);
            take_back().and(ended).map(|()| missed)
        })
    });
}

/// How many runs the journal tells of.
fn runs_of_journal(node: &Node) -> Result<usize, Failure> {
    let journal = node.read(JOURNAL)?;
    let count = journal.lines().filter(|line| line.starts_with(r#"{"run":"#)).count();
    expect(count > 0, "the journal tells of no run", journal)?;
    Ok(count)
}
