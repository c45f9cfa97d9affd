//! Many joins at once against one control plane: each the real program in a world of its own (`world`), and what that
//! cost.

use super::world::PREPARE;
use crate::failure::Failure;
use crate::measure::Meter;
use crate::measure::process::{Cost, PROGRAM};
use crate::nodes::Node;
use crate::tool::{JoinCommand, PATIENCE};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// One join.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Join {
    pub name: String,
    /// After the first join's start.
    pub began: f64,
    pub seconds: f64,
    pub cpu: f64,
    pub cpu_with_children: f64,
    pub rss_kib: u64,
    /// Seconds by phase; what comes before the first phase is `resolve`.
    pub phases: BTreeMap<String, f64>,
    /// Why it failed.
    pub problem: Option<String>,
}

/// Makes a node ready to hold worlds.
pub fn prepare(node: &Node, meter: &Meter) -> Result<(), Failure> {
    meter.install(node)?;
    node.script(PREPARE)?;
    Ok(())
}

/// Joins `count` machines called PREFIX-N, at most `at_once` at a time, in the order in which they began.
pub fn join_all(node: &Node, join: &JoinCommand, (prefix, count, at_once): (&str, usize, usize)) -> Vec<Join> {
    let (next, joined, started) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let name = format!("{prefix}-{number:03}");
                    let began = started.elapsed().as_secs_f64();
                    let one = join_one(node, join, &name);
                    let one =
                        one.unwrap_or_else(|failure| Join { problem: Some(failure.to_string()), ..Join::default() });
                    let mut joined = joined.lock().unwrap_or_else(PoisonError::into_inner);
                    joined.push(Join { name, began, ..one });
                }
            });
        }
    });
    let mut joined = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    joined.sort_by(|a, b| a.began.total_cmp(&b.began));
    joined
}

fn join_one(node: &Node, join: &JoinCommand, name: &str) -> Result<Join, Failure> {
    let mut words = vec![PROGRAM, "world", name, "--", "kubestrap", "join"];
    words.extend(join.arguments.iter().map(String::as_str));
    words.extend(["--output", "json"]);
    let told = node.run_with(&words, b"", PATIENCE)?.success()?;
    let cost = Cost::parse(&told)?;
    let events: Vec<Value> = cost.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let problem = events.iter().find(|event| event["event"] == "problem").map(|event| event["problem"].to_string());
    Ok(Join {
        seconds: cost.seconds,
        cpu: cost.own_cpu,
        cpu_with_children: cost.cpu(),
        rss_kib: cost.peak_kib,
        phases: phases(&events),
        problem: (cost.code != Some(0)).then(|| format!("{}\n{}", problem.unwrap_or(cost.stdout), cost.stderr)),
        ..Join::default()
    })
}

fn phases(events: &[Value]) -> BTreeMap<String, f64> {
    let mut phases = BTreeMap::new();
    for event in events {
        match (event["event"].as_str(), event["phase"].as_str()) {
            (Some("started"), _) => phases.insert("resolve".to_owned(), event["at"].as_f64().unwrap_or_default()),
            (Some("phase-finished"), Some(path)) => {
                phases.insert(path.to_owned(), event["seconds"].as_f64().unwrap_or_default())
            }
            _ => None,
        };
    }
    phases
}
