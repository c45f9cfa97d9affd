//! What the checks of preflight found: a table by area for people, one list for programs.
//!
//! Good results share a line; each other result has its own, with how to mend it.

use kubestrap_phases::preflight::{Area, Outcome, Verdict};
use serde_json::{Value, json};

use super::problem::Paint;

/// Longest line; a fix that does not fit any more has its own.
const WIDTH: usize = 110;

/// Names of checks are at least as wide as this; in each area as wide as the longest there.
const NAME: usize = 14;

/// The whole table, and the counts in the last line.
pub(super) fn text(outcomes: &[Outcome], has_marks: bool, paint: Paint) -> String {
    let mut lines = Vec::new();
    let mut areas: Vec<Area> = outcomes.iter().map(|outcome| outcome.area).collect();
    areas.dedup();
    for area in areas {
        lines.push(area.name().to_owned());
        let of_area: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.area == area).collect();
        lines.extend(passed(&of_area, has_marks, paint));
        let others = of_area.iter().filter(|outcome| outcome.verdict != Verdict::Passed);
        let width = others.clone().map(|outcome| outcome.problem.id.len()).fold(NAME, usize::max);
        lines.extend(others.flat_map(|outcome| other(outcome, width, has_marks, paint)));
    }
    lines.push(counts(outcomes));
    lines.join("\n")
}

/// `22 passed, 1 warning, 1 error`
fn counts(outcomes: &[Outcome]) -> String {
    let count = |verdict: Verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let mut words = vec![format!("{} passed", count(Verdict::Passed))];
    for (verdict, word) in [(Verdict::Warning, "warning"), (Verdict::Error, "error")] {
        match count(verdict) {
            0 => {}
            1 => words.push(format!("1 {word}")),
            more => words.push(format!("{more} {word}s")),
        }
    }
    let skipped = count(Verdict::Skipped);
    if skipped > 0 {
        words.push(format!("{skipped} skipped"));
    }
    words.join(", ")
}

/// The facts that are worth a word, as many in a line as fit.
fn passed(of_area: &[&Outcome], has_marks: bool, paint: Paint) -> Vec<String> {
    let passed = of_area.iter().filter(|outcome| outcome.verdict == Verdict::Passed);
    let count = passed.clone().count();
    let mut words: Vec<String> =
        passed.filter(|outcome| !outcome.is_brief).map(|outcome| outcome.problem.what.clone()).collect();
    match (words.is_empty(), count) {
        (true, 0) => return Vec::new(),
        (true, 1) => words.push("1 check passed".to_owned()),
        (true, _) => words.push(format!("{count} checks passed")),
        (false, _) => {}
    }
    let mark = mark(Verdict::Passed, has_marks, paint);
    let indent = if has_marks { 4 } else { 7 };
    let mut lines = vec![format!("  {mark} ")];
    let mut length = indent;
    for (index, word) in words.iter().enumerate() {
        if index > 0 && length + word.chars().count() + 2 > WIDTH {
            lines.push(" ".repeat(indent));
            length = indent;
        }
        let comma = if index + 1 < words.len() { ", " } else { "" };
        length += word.chars().count() + comma.len();
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
            line.push_str(comma);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

fn other(outcome: &Outcome, width: usize, has_marks: bool, paint: Paint) -> Vec<String> {
    let problem = &outcome.problem;
    let mark = mark(outcome.verdict, has_marks, paint);
    let row = format!("{:<width$}  {}", problem.id, problem.what);
    let length = row.chars().count() + if has_marks { 4 } else { 7 };
    match problem.fixes.as_slice() {
        [] => vec![format!("  {mark} {row}")],
        [fix] if length + fix.chars().count() + 7 <= WIDTH => vec![format!("  {mark} {row}  fix: {fix}")],
        fixes => {
            let mut lines = vec![format!("  {mark} {row}")];
            let labels = std::iter::once("fix:").chain(std::iter::repeat("    "));
            let indent = if has_marks { 4 } else { 7 };
            lines.extend(labels.zip(fixes).map(|(label, fix)| format!("{:indent$}  {label} {fix}", "")));
            lines
        }
    }
}

fn mark(verdict: Verdict, has_marks: bool, paint: Paint) -> String {
    let (mark, word, colour) = match verdict {
        Verdict::Passed => ("✓", "ok", "32"),
        Verdict::Warning => ("!", "warn", "33"),
        Verdict::Error => ("✗", "fail", "31"),
        Verdict::Skipped => ("·", "skip", "2"),
    };
    if has_marks { paint.colour(mark, colour) } else { format!("{word:<4}") }
}

/// Every check with all that is known of it, and the counts.
pub(super) fn value(outcomes: &[Outcome]) -> Value {
    let count = |verdict: Verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let checks: Vec<Value> = outcomes
        .iter()
        .map(|Outcome { area, verdict, problem, .. }| {
            json!({
                "name": problem.id, "area": area.name(), "verdict": word(*verdict), "detail": problem.what,
                "why": problem.why, "fix": problem.fixes,
            })
        })
        .collect();
    json!({
        "checks": checks, "passed": count(Verdict::Passed), "warnings": count(Verdict::Warning),
        "errors": count(Verdict::Error), "skipped": count(Verdict::Skipped),
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Warning => "warning",
        Verdict::Error => "error",
        Verdict::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use kubestrap_phases::problem::Problem;

    use super::*;

    fn an(area: Area, verdict: Verdict, problem: Problem) -> Outcome {
        Outcome { area, verdict, problem, is_brief: false }
    }

    fn outcomes() -> Vec<Outcome> {
        let port = Problem::new("Port-6443", "port 6443 is taken by nginx (PID 714)")
            .why("kube-apiserver listens there")
            .fix("see what it is and stop it: systemctl status 714")
            .fix("or choose another port: --apiserver-bind-port");
        let clock = Problem::new("TimeSync", "nothing keeps the clock right").fix("timedatectl set-ntp true");
        let brief = Outcome { is_brief: true, ..an(Area::Leftovers, Verdict::Passed, Problem::new("F", "absent")) };
        vec![
            an(Area::Host, Verdict::Passed, Problem::new("IsPrivilegedUser", "root")),
            an(Area::Host, Verdict::Passed, Problem::new("NumCPU", "2 CPUs")),
            an(Area::Host, Verdict::Warning, clock),
            an(Area::Network, Verdict::Error, port),
            an(Area::Storage, Verdict::Skipped, Problem::new("EtcdDisk", "needs root")),
            brief,
        ]
    }

    #[test]
    fn a_person_reads_good_results_together_and_the_others_with_their_fixes() {
        let expected = "\
host
  ✓ root, 2 CPUs
  ! TimeSync        nothing keeps the clock right  fix: timedatectl set-ntp true
network
  ✗ Port-6443       port 6443 is taken by nginx (PID 714)
      fix: see what it is and stop it: systemctl status 714
           or choose another port: --apiserver-bind-port
storage
  · EtcdDisk        needs root
leftovers
  ✓ 1 check passed
3 passed, 1 warning, 1 error, 1 skipped";
        assert_eq!(text(&outcomes(), true, Paint::None), expected);
    }

    #[test]
    fn without_marks_there_are_words() {
        let text = text(&outcomes(), false, Paint::None);
        for line in ["  ok   root, 2 CPUs", "  skip EtcdDisk        needs root"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.is_ascii(), "{text}");
    }

    #[test]
    fn long_lists_of_facts_are_broken_between_facts() {
        let fact = |number: usize| {
            an(Area::Host, Verdict::Passed, Problem::new("Mem", format!("fact number {number} of this machine")))
        };
        let text = text(&(0..9).map(fact).collect::<Vec<_>>(), true, Paint::None);
        assert!(text.lines().count() > 3 && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_program_reads_every_check() {
        let value = value(&outcomes());
        assert_eq!(value["checks"].as_array().unwrap().len(), 6);
        assert_eq!(value["checks"][3]["verdict"], "error");
        assert_eq!(value["checks"][3]["fix"][1], "or choose another port: --apiserver-bind-port");
        assert_eq!((&value["passed"], &value["errors"]), (&json!(3), &json!(1)));
    }
}
