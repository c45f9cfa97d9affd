//! From single phases to the lines that people read: one per top-level phase or group, with notes, changes and time. A
//! phase that runs without the others of its group has a line of its own.

use std::time::{Duration, Instant};

use kubestrap_phases::problem::Problem;
use kubestrap_phases::world::Event;

/// A line that is finished.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) mark: Mark,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) took: Option<Duration>,
    /// Warnings that belong under it: name, text, fix.
    pub(super) warnings: Vec<(String, String, String)>,
}

/// How a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Done,
    Failed,
    Skipped,
}

/// Collects events until a top-level phase is over.
#[derive(Default)]
pub(super) struct Groups {
    open: Option<Open>,
    ended: Option<Duration>,
}

struct Open {
    name: String,
    /// The only phase of the group so far.
    alone: Option<String>,
    since: Instant,
    phase_since: Instant,
    changes: usize,
    ran: bool,
    failed: bool,
    notes: Vec<String>,
    skips: Vec<String>,
    warnings: Vec<(String, String, String)>,
}

impl Groups {
    /// Name of what is going on, and since when.
    pub(super) fn current(&self) -> Option<(&str, Duration)> {
        self.open.as_ref().map(|open| (open.name.as_str(), open.phase_since.elapsed()))
    }

    /// Takes an event; gives back the line that it finishes.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Line> {
        match event {
            Event::PhaseStarted { path, .. } => {
                let finished = self.enter(path);
                if let Some(open) = &mut self.open {
                    open.ran = true;
                    open.phase_since = Instant::now();
                }
                finished
            }
            Event::PhaseSkipped { path, why } => {
                let finished = self.enter(path);
                if let Some(open) = &mut self.open {
                    open.skips.push(why.to_owned());
                }
                finished
            }
            Event::PhaseFinished { changes, .. } => {
                if let Some(open) = &mut self.open {
                    open.changes += changes;
                    self.ended = Some(open.since.elapsed());
                }
                None
            }
            Event::PhaseFailed { .. } => {
                if let Some(open) = &mut self.open {
                    open.failed = true;
                }
                self.finish()
            }
            Event::Note(text) => {
                if let Some(open) = &mut self.open {
                    open.notes.push(text.to_owned());
                }
                None
            }
            Event::Warning(problem) => {
                let warning =
                    (problem.id.clone(), problem.to_string(), problem.fixes.first().cloned().unwrap_or_default());
                // A list, such as of what a reset leaves: one line for each thing, under the one that sums them up.
                let fix = |finding: &Problem| finding.fixes.first().cloned().unwrap_or_default();
                let findings = problem.findings.iter();
                let list = findings.map(|finding| (finding.id.clone(), finding.to_string(), fix(finding)));
                match &mut self.open {
                    Some(open) => open.warnings.extend(std::iter::once(warning).chain(list)),
                    None => {
                        return Some(Line {
                            mark: Mark::Failed,
                            name: warning.0,
                            text: warning.1,
                            took: None,
                            warnings: Vec::new(),
                        });
                    }
                }
                None
            }
            Event::WorkflowStarted { .. } | Event::Changing(_) | Event::Waiting { .. } | Event::Result(_) => None,
        }
    }

    /// Ends what is open, if anything is.
    pub(super) fn finish(&mut self) -> Option<Line> {
        let open = self.open.take()?;
        let took = self.ended.take().unwrap_or_else(|| open.since.elapsed());
        let mark = match (open.failed, open.ran) {
            (true, _) => Mark::Failed,
            (false, true) => Mark::Done,
            (false, false) => Mark::Skipped,
        };
        let text = match mark {
            Mark::Failed => format!("failed after {}", seconds(open.since.elapsed())),
            Mark::Skipped => open.skips.first().cloned().unwrap_or_default(),
            Mark::Done if !open.notes.is_empty() => open.notes.join(", "),
            Mark::Done if open.changes == 0 => "unchanged".to_owned(),
            Mark::Done if open.changes == 1 => "1 change".to_owned(),
            Mark::Done => format!("{} changes", open.changes),
        };
        let name = open.alone.unwrap_or(open.name);
        Some(Line { mark, name, text, took: (mark == Mark::Done).then_some(took), warnings: open.warnings })
    }

    fn enter(&mut self, path: &str) -> Option<Line> {
        let name = path.split('/').next().unwrap_or(path);
        if let Some(open) = self.open.as_mut().filter(|open| open.name == name) {
            open.alone = None;
            return None;
        }
        let finished = self.finish();
        self.open = Some(Open {
            name: name.to_owned(),
            alone: Some(path.to_owned()),
            since: Instant::now(),
            phase_since: Instant::now(),
            changes: 0,
            ran: false,
            failed: false,
            notes: Vec::new(),
            skips: Vec::new(),
            warnings: Vec::new(),
        });
        finished
    }
}

/// A duration as people read it: tenths up to a minute, then minutes and seconds.
pub(super) fn seconds(duration: Duration) -> String {
    if duration.as_secs() < 60 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    let rest = duration.as_secs() % 60;
    if rest == 0 { format!("{}m", duration.as_secs() / 60) } else { format!("{}m{rest}s", duration.as_secs() / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_of_a_group_become_one_line() {
        let mut groups = Groups::default();
        for path in ["certs/ca", "certs/sa"] {
            assert_eq!(groups.take(Event::PhaseStarted { path, about: "" }), None);
            assert_eq!(groups.take(Event::PhaseFinished { path, changes: 2 }), None);
        }
        let line = groups.take(Event::PhaseStarted { path: "etcd/local", about: "" }).expect("certs is over");
        assert_eq!((line.name.as_str(), line.text.as_str(), line.mark), ("certs", "4 changes", Mark::Done));
        let alone = groups.finish().map(|line| (line.name, line.text));
        assert_eq!(alone, Some(("etcd/local".to_owned(), "unchanged".to_owned())));
    }
}
