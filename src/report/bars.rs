//! A terminal: one living line for what goes on, finished phases as still lines above it.

use std::cell::RefCell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kubestrap_phases::world::Event;

use super::groups::{Groups, Line, Mark, seconds};
use super::problem::Paint;

/// Column at which the time stands, right-aligned.
const WIDTH: usize = 78;

pub(super) struct Bars {
    bar: ProgressBar,
    groups: RefCell<Groups>,
    paint: Paint,
}

impl Bars {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        Self { bar, groups: RefCell::default(), paint: Paint::of_terminal() }
    }

    /// Ends the living line, so that something else can be written.
    pub(super) fn pause(&self) {
        let finished = self.groups.borrow_mut().finish();
        if let Some(line) = finished {
            self.still(&line);
        }
        self.bar.finish_and_clear();
    }

    pub(super) fn event(&self, event: Event<'_>) {
        let finished = self.groups.borrow_mut().take(event);
        if let Some(line) = finished {
            self.still(&line);
        }
        match event {
            Event::WorkflowStarted { name, subject } => {
                self.bar.println(format!("kubestrap {name} · {subject}\n"));
                self.bar.enable_steady_tick(Duration::from_millis(100));
            }
            Event::PhaseStarted { path, about } => self.bar.set_message(format!("{path:<20} {about}")),
            Event::Changing(change) => {
                let name = self.groups.borrow().current().map(|(name, _)| name.to_owned()).unwrap_or_default();
                self.bar.set_message(format!("{name:<20} {}", change.summary()));
            }
            Event::Waiting { what: _, since, within, last } => {
                let name = self.groups.borrow().current().map(|(name, _)| name.to_owned()).unwrap_or_default();
                self.bar.set_message(format!("{name:<20} {}s of {} · {last}", since.as_secs(), seconds(within)));
            }
            _ => {}
        }
    }

    fn still(&self, line: &Line) {
        let (mark, colour) = match line.mark {
            Mark::Done => ("✓", "32"),
            Mark::Failed => ("✗", "31"),
            Mark::Skipped => ("·", "2"),
        };
        let took = line.took.map(seconds).unwrap_or_default();
        let body = shortened(&format!("{:<20} {}", line.name, line.text), WIDTH - took.len() - 2);
        let gap = WIDTH.saturating_sub(body.chars().count() + took.len()).max(2);
        let padding = if took.is_empty() { String::new() } else { " ".repeat(gap) };
        self.bar.println(format!("{} {body}{padding}{took}", self.paint.colour(mark, colour)));
        for (name, text, fix) in &line.warnings {
            self.bar.println(format!("  {} {name}: {text}", self.paint.colour("!", "33")));
            if !fix.is_empty() {
                self.bar.println(format!("    fix: {fix}"));
            }
        }
    }
}

/// A line that is longer than its place ends in an ellipsis; `-o json` has it whole.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
