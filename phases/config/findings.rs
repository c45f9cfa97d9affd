//! Findings: all mistakes of one configuration, told at once.
//!
//! Whatever looks like a bootstrap token is taken out of every text here, wherever it was typed by mistake.

use super::draft::Origin;
use crate::problem::{Exit, Problem};

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Problem>);

impl Findings {
    /// Adds one.
    pub(crate) fn add(&mut self, finding: Problem) {
        let mut finding = finding.exit(Exit::Invalid);
        hide_tokens(&mut finding.what);
        hide_tokens(&mut finding.why);
        finding.place.iter_mut().chain(&mut finding.saw).chain(&mut finding.fixes).for_each(hide_tokens);
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Adds one about a value: where it was said, why it cannot be used, and what would be a usable one.
    pub(crate) fn wrong(&mut self, id: &str, what: &str, origin: &Origin, why: impl ToString, example: &str) {
        let mut finding = Problem::new(id, what).why(why.to_string()).fix(origin.order(example));
        finding.place = origin.place();
        self.add(finding);
    }

    /// Keeps a parsed value, or takes its error for a finding.
    pub(crate) fn keep<T, E: ToString>(
        &mut self,
        parsed: Result<T, E>,
        (id, what): (&str, &str),
        origin: &Origin,
        example: &str,
    ) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(id, what, origin, error, example);
                None
            }
        }
    }

    /// Adds all findings of a problem that another look has come to; one that has none is a finding itself.
    pub(crate) fn add_all(&mut self, problem: Problem) {
        if problem.findings.is_empty() {
            self.add(problem);
        } else {
            problem.findings.into_iter().for_each(|finding| self.add(finding));
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The value when nothing was found, else one problem that holds all findings.
    pub(crate) fn finish<T>(self, value: Option<T>, id: &str, what: &str) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self.into_problem(id, what)),
        }
    }

    fn into_problem(self, id: &str, what: &str) -> Problem {
        let count = match self.0.len() {
            1 => "1 mistake was found".to_owned(),
            count => format!("{count} mistakes were found"),
        };
        let fix = self.0.iter().find_map(|finding| finding.fixes.first().cloned());
        let problem = Problem::new(id, what).why(format!("{count}; nothing was changed"));
        fix.into_iter().fold(problem, Problem::fix).exit(Exit::Invalid).with_findings(self.0)
    }
}

/// Puts `<hidden>` in place of the secret of everything that has the form of a bootstrap token.
fn hide_tokens(text: &mut String) {
    const ID: usize = 6;
    const SECRET: usize = 16;
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let secrets: Vec<usize> = (ID..bytes.len())
        .filter(|&dot| bytes[dot] == b'.' && bytes[dot - ID..dot].iter().all(plain))
        .filter(|&dot| bytes.get(dot + 1..dot + 1 + SECRET).is_some_and(|secret| secret.iter().all(plain)))
        .collect();
    for dot in secrets.into_iter().rev() {
        text.replace_range(dot + 1..dot + 1 + SECRET, "<hidden>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hidden_wherever_they_were_typed() {
        for (text, expected) in [
            ("abcdef.0123456789abcdef", "abcdef.<hidden>"),
            ("\"abcdef.0123456789abcdef\" is no host", "\"abcdef.<hidden>\" is no host"),
            ("xabcdef.0123456789abcdefx, ghijkl.0123456789abcdef", "xabcdef.<hidden>x, ghijkl.<hidden>"),
            ("registry.example.com/k8s", "registry.example.com/k8s"),
            ("ääääää.0123456789abcdef", "ääääää.0123456789abcdef"),
        ] {
            let mut hidden = text.to_owned();
            hide_tokens(&mut hidden);
            assert_eq!(hidden, expected, "{text}");
        }
    }

    #[test]
    fn a_finding_is_told_once_and_the_summary_counts() {
        let mut findings = Findings::default();
        for _ in 0..2 {
            findings.wrong("config-bad-cidr", "no network", &Origin::Flag("--service-cidr"), "why", "10.96.0.0/12");
        }
        let problem = findings.finish(Some(()), "config-invalid", "the configuration cannot be used").unwrap_err();
        assert_eq!(problem.findings.len(), 1);
        assert_eq!(problem.why, "1 mistake was found; nothing was changed");
        assert_eq!(problem.findings[0].fixes, ["--service-cidr 10.96.0.0/12"]);
        assert_eq!(problem.exit, Exit::Invalid);
    }
}
