//! What the commands that only look cost, beside how much is in the cluster.

use super::audit::{Mark, Requests};
use super::watched::Watched;
use crate::failure::Failure;
use crate::measure::process::PROGRAM;
use crate::nodes::Node;
use crate::tool::PATIENCE;
use serde::Serialize;

const COMMANDS: [&[&str]; 4] = [
    &["kubestrap", "status"],
    &["kubestrap", "token", "list"],
    &["kubestrap", "token", "list", "--output", "json"],
    &["kubestrap", "certs", "check-expiration"],
];

/// Medians of several runs of one command; the largest peak of its memory.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    pub command: String,
    pub seconds: f64,
    pub cpu: f64,
    pub rss_kib: u64,
    /// To the API server, in one run.
    pub requests: Requests,
    pub connections: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub bytes_printed: u64,
}

/// Runs each command `times` times on the control-plane node.
pub fn look(control_plane: &Node, times: usize) -> Result<Vec<Look>, Failure> {
    COMMANDS.iter().map(|command| look_with(control_plane, command, times)).collect()
}

fn look_with(control_plane: &Node, command: &[&str], times: usize) -> Result<Look, Failure> {
    let mut runs = Vec::new();
    let mut requests = Requests::new();
    for _ in 0..times {
        let mark = Mark::now(control_plane)?;
        let words = [&[PROGRAM, "watched", "--"], command].concat();
        let told = control_plane.run_with(&words, b"", PATIENCE)?.success()?;
        let run: Watched =
            serde_json::from_str(told.line()).map_err(|error| Failure::new("a command told nothing", error))?;
        if run.cost.code != Some(0) {
            return Err(Failure::new(format!("{} failed", command.join(" ")), run.cost.stderr));
        }
        runs.push(run);
        requests = mark.requests_since(control_plane, control_plane)?;
    }
    Ok(Look {
        command: command.join(" "),
        seconds: median(runs.iter().map(|run| run.cost.seconds)),
        cpu: median(runs.iter().map(|run| run.cost.own_cpu)),
        rss_kib: runs.iter().map(|run| run.cost.peak_kib).max().unwrap_or_default(),
        requests,
        connections: runs[0].connections,
        bytes_sent: runs[0].bytes_sent,
        bytes_received: runs[0].bytes_received,
        bytes_printed: runs[0].cost.stdout.len() as u64,
    })
}

/// The middle one; of an even number, the upper of the two. 0 of none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
