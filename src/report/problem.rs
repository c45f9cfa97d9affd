//! A problem as a person reads it.

use std::io::IsTerminal as _;

use kubestrap_phases::problem::Problem;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Colours,
    None,
}

impl Paint {
    /// By what standard error is, and by NO_COLOR.
    pub(super) fn of_terminal() -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stderr().is_terminal() && !is_unwanted { Self::Colours } else { Self::None }
    }

    pub(super) fn colour(self, text: &str, code: &str) -> String {
        match self {
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }
}

/// The whole text of a problem with its findings.
pub(super) fn text(problem: &Problem, paint: Paint) -> String {
    let mut lines = vec![String::new(), format!("{} {}", paint.colour("error:", "1;31"), problem.what)];
    for finding in &problem.findings {
        lines.push(format!("  {} {}: {}", paint.colour("✗", "31"), finding.id, finding.what));
        lines.extend(details(finding, "      ", false));
    }
    lines.extend(details(problem, "  ", true));
    lines.join("\n")
}

fn details(problem: &Problem, indent: &str, with_id: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut field = |name: &str, text: &str| {
        for (index, line) in text.lines().enumerate() {
            let label = if index == 0 { format!("{name}:") } else { String::new() };
            lines.push(format!("{indent}{label:<6} {line}"));
        }
    };
    field("saw", problem.saw.as_deref().unwrap_or_default());
    field("where", problem.place.as_deref().unwrap_or_default());
    field("why", &problem.why);
    field("fix", &problem.fixes.join("\n"));
    if with_id {
        field("id", &problem.id);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_from_what_to_id() {
        let problem =
            Problem::new("artifact-missing", "certs/apiserver needs the key of the Kubernetes CA, and it is not there")
                .at("/etc/kubernetes/pki/ca.key")
                .why("the phase certs/ca has not run on this node")
                .fix("kubestrap init phase certs ca")
                .fix("or copy ca.key from another node")
                .with_findings(vec![Problem::new("Swap", "swap is on").why("the kubelet refuses").fix("swapoff -a")]);
        let expected = "
error: certs/apiserver needs the key of the Kubernetes CA, and it is not there
  ✗ Swap: swap is on
      why:   the kubelet refuses
      fix:   swapoff -a
  where: /etc/kubernetes/pki/ca.key
  why:   the phase certs/ca has not run on this node
  fix:   kubestrap init phase certs ca
         or copy ca.key from another node
  id:    artifact-missing";
        assert_eq!(text(&problem, Paint::None), expected);
    }
}
