//! One line per finished phase, no control characters: for pipes, logs and `--plain`.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use kubestrap_phases::world::Event;

use super::groups::{Groups, Line, Mark, seconds};
use super::say;

/// A wait is mentioned once it lasts, and then not too often.
const WAIT_LINES_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Plain {
    groups: RefCell<Groups>,
    wait_told: Cell<Option<Instant>>,
}

impl Plain {
    pub(super) fn new() -> Self {
        Self { groups: RefCell::default(), wait_told: Cell::new(None) }
    }

    /// Ends the line that is open.
    pub(super) fn pause(&self) {
        if let Some(line) = self.groups.borrow_mut().finish() {
            tell(&line);
        }
    }

    pub(super) fn event(&self, event: Event<'_>) {
        match event {
            Event::WorkflowStarted { name, subject } => say(&format!("kubestrap {name} · {subject}")),
            Event::PhaseStarted { .. } => self.wait_told.set(Some(Instant::now())),
            Event::Waiting { what, since, within, last } => {
                let told = self.wait_told.get().unwrap_or_else(Instant::now);
                if told.elapsed() >= WAIT_LINES_EVERY {
                    self.wait_told.set(Some(Instant::now()));
                    say(&format!("wait  for {what}: {} of {} · {last}", seconds(since), seconds(within)));
                }
            }
            _ => {}
        }
        if let Some(line) = self.groups.borrow_mut().take(event) {
            tell(&line);
        }
    }
}

fn tell(line: &Line) {
    let word = match line.mark {
        Mark::Done => "ok",
        Mark::Failed => "fail",
        Mark::Skipped => "skip",
    };
    let took = line.took.map_or_else(String::new, |took| format!("  {}", seconds(took)));
    say(&format!("{word:<5} {:<20} {}{took}", line.name, line.text));
    for (name, text, fix) in &line.warnings {
        say(&format!("warn  {name}: {text}"));
        if !fix.is_empty() {
            say(&format!("      fix: {fix}"));
        }
    }
}
