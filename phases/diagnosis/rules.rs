//! Rules: what somebody says, and what it means. A table is searched from its top; the first row that fits is the cause.

use crate::problem::Problem;

/// One row.
pub(super) struct Rule {
    /// Id of the problem; for a component's rules without its name before it.
    pub(super) id: &'static str,
    /// Parts of one line, all of them, in lower case.
    pub(super) says: &'static [&'static str],
    /// How often it must have been seen before waiting longer is pointless.
    pub(super) after: u32,
    /// The cause.
    pub(super) why: &'static str,
    /// An order that mends it, with `{config}`, `{arguments}` or `{log}` where a path or a field belongs.
    pub(super) fix: &'static str,
}

/// The first row that fits a line.
pub(super) fn first_fit<'r>(rules: &'r [Rule], line: &str) -> Option<&'r Rule> {
    let line = line.to_lowercase();
    rules.iter().find(|rule| rule.says.iter().all(|part| line.contains(part)))
}

impl Rule {
    /// The problem, with what was seen and with names filled in.
    pub(super) fn problem(&self, what: &str, line: &str, names: &[(&str, &str)]) -> Problem {
        let filled = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        Problem::new(self.id, what).saw(line).why(filled(self.why)).fix(filled(self.fix))
    }
}

/// A line of klog, cobra or zap without what changes from one to the next: time, thread, quotes escaped twice.
pub(super) fn without_noise(line: &str) -> String {
    let text = line.trim().replace("\\\"", "\"");
    let klog = text.starts_with(['E', 'F', 'W', 'I']) && text[1..].starts_with(|c: char| c.is_ascii_digit());
    let text = match text.split_once("] ") {
        Some((_, rest)) if klog => rest.to_owned(),
        _ => text,
    };
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Lines longer than this are cut, in bytes; kubelet repeats whole Pods in some.
const LONGEST: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_taken_away_and_the_words_stay() {
        let line = r#"E1122 12:00:00.000000   42 pod_workers.go:191] Error syncing pod: say \"hi\""#;
        assert_eq!(without_noise(line), r#"Error syncing pod: say "hi""#);
        assert_eq!(without_noise("Error: unknown flag: --x"), "Error: unknown flag: --x");
        assert!(without_noise(&"ä".repeat(1000)).len() <= LONGEST);
    }
}
