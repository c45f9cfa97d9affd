//! Faults, injected one at a time into a real node: for each, the cause that the tool names and the seconds until it does.
//! Six of them, chosen by E2E_SEED, in every run; all of them with E2E_FULL=1, which also keeps the
//! answers and writes `e2e/faults.md`. With E2E_TOOL=kubeadm the same faults meet kubeadm. E2E_FAULT=words|words chooses by name.

mod attempt;
mod report;
mod table;

use crate::scenario;
use attempt::{Attempt, Bench};
use kubestrap_e2e::chance::{Chance, is_full};
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::say;
use kubestrap_e2e::tool::Tool;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;
use table::Fault;

/// How many faults a run takes that is not a full one.
const SAMPLE: usize = 6;

/// How many causes of thirty may be wrong in a full run.
const WRONG_OF_THIRTY: usize = 1;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_fault_has_its_cause_named() {
    scenario("every_fault_has_its_cause_named", |run| {
        let tool = Tool::from_environment()?;
        let is_full = is_full();
        let all = table::faults();
        let chosen = chosen(&all, is_full);
        let bench = Bench::new(run, tool, &chosen, is_full)?;
        let (alone, beside): (Vec<&Fault>, Vec<&Fault>) =
            chosen.iter().copied().partition(|fault| !fault.on_cluster.is_empty());
        let mut attempts = at_once(beside, tool, &bench)?;
        for fault in alone {
            attempts.push(bench.attempt(fault)?);
        }
        attempts.sort_by_key(|attempt| all.iter().position(|fault| fault.name == attempt.fault.name));
        bench.clear()?;
        if is_full {
            report::write()?;
        }
        judge(tool, &attempts, is_full)
    });
}

/// The faults of this run.
fn chosen(all: &[Fault], is_full: bool) -> Vec<&Fault> {
    if let Ok(words) = std::env::var("E2E_FAULT") {
        return all.iter().filter(|fault| words.split('|').any(|word| fault.name.contains(word))).collect();
    }
    let mut left: Vec<&Fault> = all.iter().collect();
    if is_full {
        return left;
    }
    // Waits that take minutes by contract are for full runs.
    left.retain(|fault| !fault.takes_minutes);
    let mut chance = Chance::from_environment();
    (0..SAMPLE).map(|_| left.swap_remove(chance.index(left.len()))).collect()
}

/// Several faults at the same time, each on a node of its own. kubeadm mostly waits.
fn at_once<'a>(faults: Vec<&'a Fault>, tool: Tool, bench: &Bench<'_>) -> Result<Vec<Attempt<'a>>, Failure> {
    let threads = if tool == Tool::Kubeadm { 4 } else { 2 };
    let queue = Mutex::new(VecDeque::from(faults));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut done = Vec::new();
        while let Some(fault) = next() {
            done.push(bench.attempt(fault)?);
        }
        Ok(done)
    };
    let outcomes: Vec<Result<Vec<Attempt<'a>>, Failure>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let panicked = |_| Err(Failure::new("a fault's thread panicked", "the message is above"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect()
    });
    let mut all = Vec::new();
    for outcome in outcomes {
        all.extend(outcome?);
    }
    Ok(all)
}

fn judge(tool: Tool, attempts: &[Attempt<'_>], is_full: bool) -> Result<(), Failure> {
    if tool == Tool::Kubeadm {
        return Ok(());
    }
    let wrong: Vec<String> = attempts.iter().filter(|attempt| !attempt.is_right()).map(Attempt::evidence).collect();
    let allowed = if is_full { attempts.len() * WRONG_OF_THIRTY / 30 } else { 0 };
    say(&format!("{} faults, {} causes right", attempts.len(), attempts.len() - wrong.len()));
    expect(wrong.len() <= allowed, "causes were not named rightly", wrong.join("\n\n"))?;
    let stuck: Vec<&str> = attempts.iter().filter_map(|attempt| attempt.stuck.as_deref()).collect();
    expect(stuck.is_empty(), "the same command did not go on after the fault was mended", stuck.join("\n\n"))
}
