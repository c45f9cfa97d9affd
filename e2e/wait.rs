//! Waiting for a condition: it is asked again and again until it holds or the time is over, and the failure says
//! what the last answer was. Nothing in this crate sleeps for any other purpose.

use crate::failure::Failure;
use std::time::{Duration, Instant};

/// How a condition stands.
#[derive(Debug)]
pub enum Answer<T> {
    Yes(T),
    NotYet(String),
}

impl Answer<()> {
    /// `Yes` when the condition holds, otherwise the reason why not.
    pub fn from_bool(holds: bool, reason: impl FnOnce() -> String) -> Self {
        if holds { Self::Yes(()) } else { Self::NotYet(reason()) }
    }
}

impl<T> From<Result<T, Failure>> for Answer<T> {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self::Yes(value),
            Err(failure) => Self::NotYet(failure.to_string()),
        }
    }
}

const EVERY: Duration = Duration::from_millis(100);

/// Asks `probe` until it says yes; `what` completes the sentence "waited in vain for …".
pub fn wait_for<T, A: Into<Answer<T>>>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> A,
) -> Result<T, Failure> {
    let started = Instant::now();
    loop {
        match probe().into() {
            Answer::Yes(value) => return Ok(value),
            Answer::NotYet(reason) if started.elapsed() >= within => {
                let seconds = within.as_secs();
                return Err(Failure::new(format!("waited {seconds} s in vain for {what}"), reason));
            }
            Answer::NotYet(_) => std::thread::sleep(EVERY),
        }
    }
}
