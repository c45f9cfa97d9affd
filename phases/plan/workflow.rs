//! Workflow: an ordered table of phases and groups; selecting and skipping by path.

use std::path::Path;

use super::names;
use super::{Phase, Verdict};
use crate::problem::Problem;

/// One row of a workflow's table.
pub enum Step<J: 'static> {
    /// A phase.
    Phase(&'static dyn Phase<J>),
    /// A named group of phases.
    Group {
        /// Its part of the path.
        name: &'static str,
        /// One line.
        about: &'static str,
        /// What is in it.
        steps: &'static [Self],
    },
}

impl<J> Step<J> {
    /// Its part of the path.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.name(),
            Self::Group { name, .. } => name,
        }
    }

    /// One line, for help.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.about(),
            Self::Group { about, .. } => about,
        }
    }
}

/// A command's phases, in order.
pub struct Workflow<J: 'static> {
    /// Name of the command.
    pub name: &'static str,
    /// Paths of phases that come before all others where the whole workflow runs, in this order: what somebody else
    /// takes seconds for, begun as soon as can be.
    pub early: &'static [&'static str],
    /// The table.
    pub steps: &'static [Step<J>],
}

/// Which phases of a workflow are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only this phase or group.
    pub only: Option<String>,
    /// Not these phases or groups.
    pub skip: Vec<String>,
}

impl Selection {
    /// The same, with phases left out that the file names: only where whole workflows run and no flag leaves out any.
    #[must_use]
    pub fn or_skip(mut self, phases: &[String]) -> Self {
        if self.only.is_none() && self.skip.is_empty() {
            self.skip = phases.to_vec();
        }
        self
    }
}

/// Phases in order, each with a verdict.
pub struct Plan<J: 'static> {
    /// Where it comes from.
    pub workflow: &'static Workflow<J>,
    /// Phases with their paths and verdicts.
    pub phases: Vec<PlannedPhase<J>>,
}

/// A phase with its path and verdict.
pub struct PlannedPhase<J: 'static> {
    /// Such as `certs/apiserver`.
    pub path: String,
    /// The phase.
    pub phase: &'static dyn Phase<J>,
    /// Whether it runs.
    pub verdict: Verdict,
}

impl<J> Workflow<J> {
    /// All paths in order, groups before what is in them.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        walk(self.steps, "", &mut |path, _| paths.push(path.to_owned()));
        paths
    }

    /// Decides which phases run, in which order, and why others do not.
    ///
    /// # Errors
    /// When a selected or skipped path does not exist; names the nearest one.
    pub fn plan(&'static self, job: &J, selection: &Selection) -> Result<Plan<J>, Problem> {
        let selection = &self.in_our_names(selection)?;
        let mut phases = Vec::new();
        walk(self.steps, "", &mut |path, step| {
            let Step::Phase(phase) = step else { return };
            if selection.only.as_deref().is_some_and(|only| !is_within(path, only)) {
                return;
            }
            let verdict = if selection.skip.iter().any(|skip| is_within(path, skip)) {
                Verdict::Skip("it is in --skip-phases or skipPhases".to_owned())
            } else {
                match phase.verdict(job) {
                    Verdict::Foreign(_) if selection.only.is_none() => return,
                    Verdict::Foreign(why) => Verdict::Skip(why),
                    verdict => verdict,
                }
            };
            phases.push(PlannedPhase { path: path.to_owned(), phase: *phase, verdict });
        });
        if selection.only.is_none() {
            let place = |path: &str| self.early.iter().position(|early| *early == path).unwrap_or(usize::MAX);
            phases.sort_by_key(|planned| place(&planned.path));
        }
        Ok(Plan { workflow: self, phases })
    }

    /// The selection with the paths of the table.
    fn in_our_names(&self, selection: &Selection) -> Result<Selection, Problem> {
        let paths = self.paths();
        let ours = |wanted: &String| {
            if paths.contains(wanted) {
                return Ok(wanted.clone());
            }
            let today = names::today(self.name, wanted).filter(|today| paths.contains(today));
            today.ok_or_else(|| self.unknown(wanted, &paths))
        };
        Ok(Selection {
            only: selection.only.as_ref().map(ours).transpose()?,
            skip: selection.skip.iter().map(ours).collect::<Result<_, _>>()?,
        })
    }

    /// The phase that makes a file, with its path.
    pub fn maker(&self, file: &Path, job: &J) -> Option<(String, &'static dyn Phase<J>)> {
        let mut found = None;
        walk(self.steps, "", &mut |path, step| {
            if let Step::Phase(phase) = step
                && found.is_none()
                && phase.makes(job).iter().any(|made| made.path == file)
            {
                found = Some((path.to_owned(), *phase));
            }
        });
        found
    }

    fn unknown(&self, wanted: &str, paths: &[String]) -> Problem {
        Problem::new("unknown-phase", format!("{} has no phase {wanted}", self.name))
            .why(format!("its phases are {}", paths.join(", ")))
            .fix(match crate::nearest(wanted, paths.iter().map(String::as_str)) {
                Some(near) => format!("write {near}"),
                None => format!("kubestrap {} --help", self.name),
            })
    }
}

/// Calls back for every row of a table, groups first, with its path.
pub fn walk<'t, J>(steps: &'t [Step<J>], prefix: &str, visit: &mut dyn FnMut(&str, &'t Step<J>)) {
    for step in steps {
        let path = if prefix.is_empty() { step.name().to_owned() } else { format!("{prefix}/{}", step.name()) };
        visit(&path, step);
        if let Step::Group { steps, .. } = step {
            walk(steps, &path, visit);
        }
    }
}

fn is_within(path: &str, wanted: &str) -> bool {
    path == wanted || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_the_file_are_left_out_where_no_flag_says_which() {
        let of_file = ["addon".to_owned()];
        let skipped = |only: Option<&str>, skip: &[&str]| {
            let skip = skip.iter().map(|&path| path.to_owned()).collect();
            Selection { only: only.map(str::to_owned), skip }.or_skip(&of_file).skip
        };
        assert_eq!(skipped(None, &[]), ["addon"]);
        assert_eq!(skipped(None, &["certs"]), ["certs"]);
        assert!(skipped(Some("addon"), &[]).is_empty());
    }

    #[test]
    fn a_group_contains_its_phases_and_not_its_namesakes() {
        assert!(is_within("certs/ca", "certs"));
        assert!(is_within("certs", "certs"));
        assert!(!is_within("certs-more/ca", "certs"));
    }
}
