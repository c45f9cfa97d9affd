//! One JSON object per event and line, or one YAML document per event, on standard output; names are stable.

use std::cell::RefCell;
use std::io;
use std::time::Instant;

use kubestrap_phases::problem::Problem;
use kubestrap_phases::world::{Change, DryRun, Event};
use kubestrap_phases::yaml;
use serde_json::{Value, json};

use super::outlet::give;

pub(super) struct Json {
    form: Form,
    started: Instant,
    phase_started: RefCell<Instant>,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, an event per line.
    Lines,
    /// YAML, an event per document.
    Documents,
}

impl Json {
    pub(super) fn new(form: Form) -> Self {
        Self { form, started: Instant::now(), phase_started: RefCell::new(Instant::now()) }
    }

    /// A whole answer, which stands alone: indented, without a time.
    pub(super) fn answer(&self, value: &Value) -> io::Result<()> {
        super::result(&match self.form {
            Form::Lines => format!("{value:#}"),
            Form::Documents => yaml::write(value),
        })
    }

    /// Several answers: JSON objects one after the other, YAML documents.
    pub(super) fn answers(&self, values: impl Iterator<Item = Value>) -> io::Result<()> {
        for (index, value) in values.enumerate() {
            if index > 0 && self.form == Form::Documents {
                super::result("---")?;
            }
            self.answer(&value)?;
        }
        Ok(())
    }

    pub(super) fn event(&self, event: Event<'_>) -> io::Result<()> {
        let value = match event {
            Event::WorkflowStarted { name, subject } => {
                json!({"event": "started", "command": name, "subject": subject})
            }
            Event::PhaseStarted { path, .. } => {
                *self.phase_started.borrow_mut() = Instant::now();
                json!({"event": "phase-started", "phase": path})
            }
            Event::Changing(change) => json!({"event": "change", "summary": change.summary()}),
            // A wait is told when it ends: its phase does.
            Event::Waiting { .. } => return Ok(()),
            Event::Note(text) => json!({"event": "note", "text": text}),
            Event::Warning(problem) => json!({"event": "warning", "problem": value(problem)}),
            Event::PhaseFinished { path, changes } => {
                let seconds = self.phase_started.borrow().elapsed().as_secs_f64();
                json!({"event": "phase-finished", "phase": path, "changes": changes, "seconds": rounded(seconds)})
            }
            Event::PhaseSkipped { path, why } => json!({"event": "phase-skipped", "phase": path, "why": why}),
            Event::PhaseFailed { path } => json!({"event": "phase-failed", "phase": path}),
            Event::Result(text) => json!({"event": "result", "text": text}),
        };
        self.line(value)
    }

    /// What a dry run has found out.
    pub(super) fn rehearsed(&self, command: &str, dry: &DryRun, is_complete: bool) -> io::Result<()> {
        let changes: Vec<Value> = dry.changes().iter().map(Change::shown_form).collect();
        self.line(json!({
            "event": "dry-run", "command": command, "assumed": dry.assumed(), "changes": changes, "complete": is_complete,
        }))
    }

    pub(super) fn problem(&self, problem: &Problem) -> io::Result<()> {
        self.line(json!({"event": "problem", "problem": value(problem), "exit-code": problem.exit.code()}))
    }

    fn line(&self, mut value: Value) -> io::Result<()> {
        value["at"] = json!(rounded(self.started.elapsed().as_secs_f64()));
        let text = match self.form {
            Form::Lines => format!("{value}\n"),
            Form::Documents => format!("---\n{}", yaml::write(&value)),
        };
        give(io::stdout(), text.as_bytes())
    }
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn value(problem: &Problem) -> Value {
    json!({
        "id": problem.id, "what": problem.what, "saw": problem.saw, "where": problem.place, "why": problem.why,
        "fix": problem.fixes, "findings": problem.findings.iter().map(value).collect::<Vec<_>>(),
    })
}
