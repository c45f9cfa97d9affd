//! The job of a whole run, kept beside the journal until the run is done: what was asked of it, and the random bytes that
//! were drawn for it. Whoever goes on with the run has the same token and certificate key, and does the same.
//!
//! The file holds secrets (mode 0600); it is written before the run's first change and removed after its last.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Journal, UnfinishedRun};
use crate::config::{Asked, DIGEST};
use crate::problem::Problem;
use crate::world::{Clock, Entropy, KeyAlgorithm, Secret};

/// Version of the file.
const VERSION: u32 = 1;

/// What is kept of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptJob {
    version: u32,
    command: String,
    asked: Asked,
    /// Two hex digits per byte.
    drawn: String,
}

/// What a whole run finds of one before it that did not come to its end.
#[derive(Debug, Default)]
pub struct Resumed {
    /// The run that is gone on with.
    pub unfinished: Option<UnfinishedRun>,
    kept: Option<KeptJob>,
    draws: Draws,
}

impl Resumed {
    /// Looks for an unfinished run of the same command; of another one, it must be finished or taken back first.
    ///
    /// # Errors
    /// `run-unfinished`, or when the journal cannot be read.
    pub fn look(command: &str, journal: &Journal<'_>) -> Result<Self, Problem> {
        let Some(unfinished) = journal.unfinished()? else { return Ok(Self::default()) };
        if unfinished.command != command {
            return Err(must_be_finished(command, &unfinished));
        }
        let kept: Option<KeptJob> = journal.job()?.and_then(|text| serde_json::from_str(&text).ok());
        let kept = kept.filter(|kept| kept.command == command && kept.version == VERSION);
        let draws = Draws::again(kept.as_ref().map(KeptJob::bytes).unwrap_or_default());
        Ok(Self { unfinished: Some(unfinished), kept, draws })
    }

    /// Random bytes for resolving: those of the run before, and then new ones.
    pub fn draws<'a>(&'a self, entropy: &'a dyn Entropy) -> impl Entropy + 'a {
        Drawing { draws: &self.draws, entropy }
    }

    /// The job to keep, once it is known what is asked; the same as was asked of the run before.
    ///
    /// # Errors
    /// `run-changed`, with the names of what differs.
    pub fn keep(&self, command: &str, asked: Asked) -> Result<KeptJob, Problem> {
        if let (Some(kept), Some(unfinished)) = (&self.kept, &self.unfinished) {
            kept.compare(&asked, unfinished)?;
        }
        let drawn = self.draws.drawn.borrow().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(KeptJob { version: VERSION, command: command.to_owned(), asked, drawn })
    }
}

impl KeptJob {
    /// As it stands in the file.
    pub fn text(&self) -> Secret<String> {
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    fn bytes(&self) -> Vec<u8> {
        let pairs = self.drawn.as_bytes().chunks(2);
        pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    }

    fn compare(&self, asked: &Asked, unfinished: &UnfinishedRun) -> Result<(), Problem> {
        let mut names: Vec<&String> = self.asked.keys().chain(asked.keys()).collect();
        names.sort();
        names.dedup();
        let told = |value: Option<&String>| match value {
            None => "not given".to_owned(),
            Some(digest) if digest.starts_with(DIGEST) => "another".to_owned(),
            Some(value) => value.clone(),
        };
        let differences: Vec<String> = names
            .into_iter()
            .map(|name| (name, self.asked.get(name), asked.get(name)))
            .filter(|(_, before, now)| before != now)
            .map(|(name, before, now)| format!("{name}: was {}, is {}", told(before), told(now)))
            .collect();
        if differences.is_empty() {
            return Ok(());
        }
        let command = &self.command;
        Err(Problem::new("run-changed", format!("an unfinished {command} was asked for something else"))
            .saw(differences.join("\n"))
            .why(format!(
                "the run of {} made {} as it was asked for then",
                Clock(unfinished.started).rfc3339(),
                crate::counted(unfinished.done, "change"),
            ))
            .fix(format!("kubestrap {command} … --restart  (takes back what was made, then begins anew as asked now)"))
            .fix(format!("or finish it as it was begun: kubestrap {command} with the flags and the file of then")))
    }
}

fn must_be_finished(command: &str, unfinished: &UnfinishedRun) -> Problem {
    let other = &unfinished.command;
    let problem = Problem::new("run-unfinished", format!("{command} cannot begin: there is an unfinished {other}"))
        .why(format!(
            "the run of {} stopped in {} after {}",
            Clock(unfinished.started).rfc3339(),
            if unfinished.phase.is_empty() { "its first phase" } else { &unfinished.phase },
            crate::counted(unfinished.done, "change"),
        ));
    match other.as_str() {
        "reset" | "undo" => problem.fix(format!("finish it: kubestrap {other}")),
        _ => problem
            .fix("take it back: kubestrap undo")
            .fix(format!("or finish it: kubestrap {other} with the flags of then")),
    }
}

/// Bytes drawn so far, and those that are to be drawn again.
#[derive(Debug, Default)]
struct Draws {
    again: RefCell<VecDeque<u8>>,
    drawn: RefCell<Vec<u8>>,
}

impl Draws {
    fn again(bytes: Vec<u8>) -> Self {
        Self { again: RefCell::new(bytes.into()), drawn: RefCell::default() }
    }
}

struct Drawing<'a> {
    draws: &'a Draws,
    entropy: &'a dyn Entropy,
}

impl Entropy for Drawing<'_> {
    fn bytes(&self, buffer: &mut [u8]) {
        self.entropy.bytes(buffer);
        for byte in buffer.iter_mut() {
            *byte = self.draws.again.borrow_mut().pop_front().unwrap_or(*byte);
        }
        self.draws.drawn.borrow_mut().extend_from_slice(buffer);
    }

    fn key_pem(&self, algorithm: KeyAlgorithm) -> Secret<String> {
        self.entropy.key_pem(algorithm)
    }
}

#[cfg(test)]
#[path = "job_file_tests.rs"]
mod tests;
