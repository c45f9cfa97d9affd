//! All single values of a series, and what is made of them: medians and ratios. Kept as plain names and numbers, so that
//! the table, the file and the scenario read the same.

use super::process::Cost;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// What can be measured; the words of `--only`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    Binary,
    Help,
    Certs,
    Init,
    InitWithoutPreflight,
    JoinAtOnce,
    JoinLater,
    Reset,
    Floor,
    JoinFloor,
    ControlPlaneJoin,
    Requests,
    Timeline,
}

pub const ALL: [(Figure, &str); 13] = [
    (Figure::Binary, "binary"),
    (Figure::Help, "help"),
    (Figure::Certs, "certs"),
    (Figure::Init, "init"),
    (Figure::InitWithoutPreflight, "init-without-preflight"),
    (Figure::JoinAtOnce, "join-at-once"),
    (Figure::JoinLater, "join-later"),
    (Figure::Reset, "reset"),
    (Figure::Floor, "floor"),
    (Figure::JoinFloor, "join-floor"),
    (Figure::ControlPlaneJoin, "control-plane-join"),
    (Figure::Requests, "requests"),
    (Figure::Timeline, "timeline"),
];

impl Figure {
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(figure, _)| *figure == self).map_or("", |(_, name)| name)
    }

    pub fn parse(name: &str) -> Result<Self, Failure> {
        let found = ALL.iter().find(|(_, known)| *known == name).map(|(figure, _)| *figure);
        found.ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|(_, name)| *name).collect();
            Failure::new(format!("there is no figure {name}"), format!("there are {}", names.join(", ")))
        })
    }
}

/// One measurement: of one command, or of one floor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    pub figure: Figure,
    /// kubestrap, kubeadm, or floor.
    pub by: String,
    pub pair: usize,
    pub values: BTreeMap<String, f64>,
}

/// A series.
#[derive(Debug, Default)]
pub struct Results {
    pub machine: Value,
    pub measurements: Vec<Measurement>,
    /// Requests per command, tool and user agent.
    pub requests: Value,
}

impl Results {
    /// Takes a measurement in, tells it, and gives its number.
    pub fn add(&mut self, figure: Figure, by: &str, pair: usize, values: BTreeMap<String, f64>) -> usize {
        let told: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", shown(name, *value))).collect();
        // Of the many short ones, every twentieth.
        if figure != Figure::Help || pair.is_multiple_of(20) {
            let _ = writeln!(std::io::stdout(), "{pair:>2} {by:<9} {:<18} {}", figure.name(), told.join(", "));
        }
        self.measurements.push(Measurement { figure, by: by.to_owned(), pair, values });
        self.measurements.len() - 1
    }

    /// Adds a value that came later.
    pub fn amend(&mut self, number: usize, name: &str, value: f64) {
        let Some(found) = self.measurements.get_mut(number) else { return };
        found.values.insert(name.to_owned(), value);
        let what = (found.pair, &found.by, found.figure.name());
        let _ = writeln!(std::io::stdout(), "{:>2} {:<9} {:<18} {name} {}", what.0, what.1, what.2, shown(name, value));
    }

    /// All values, smallest first.
    pub fn values(&self, figure: Figure, by: &str, name: &str) -> Vec<f64> {
        let ours = self.measurements.iter().filter(|found| found.figure == figure && found.by == by);
        let mut values: Vec<f64> = ours.filter_map(|found| found.values.get(name).copied()).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    pub fn median(&self, figure: Figure, by: &str, name: &str) -> Option<f64> {
        median(&self.values(figure, by, name))
    }

    /// kubestrap's median by kubeadm's.
    pub fn ratio(&self, figure: Figure, name: &str) -> Option<f64> {
        let theirs = self.median(figure, "kubeadm", name).filter(|value| *value > 0.0)?;
        Some(self.median(figure, "kubestrap", name)? / theirs)
    }

    /// Medians and ratios of everything that was measured.
    pub fn medians(&self) -> Value {
        let mut medians = json!({});
        for (figure, title) in ALL {
            let ours = self.measurements.iter().filter(|found| found.figure == figure);
            let names: BTreeSet<&String> = ours.flat_map(|found| found.values.keys()).collect();
            for name in names {
                let row = &mut medians[title][name];
                for by in ["kubestrap", "kubeadm", "floor"] {
                    let values = self.values(figure, by, name);
                    if let (Some(middle), Some(first), Some(last)) = (median(&values), values.first(), values.last()) {
                        row[by] = json!({"median": middle, "least": first, "most": last, "count": values.len()});
                    }
                }
                if let Some(ratio) = self.ratio(figure, name) {
                    row["ratio"] = json!(ratio);
                }
            }
        }
        medians
    }
}

/// The one in the middle, or the mean of the two there; of sorted values.
pub fn median(values: &[f64]) -> Option<f64> {
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

/// A value with its unit, which its name tells.
pub fn shown(name: &str, value: f64) -> String {
    match name {
        "peak-kib" | "largest-kib" => format!("{:.1} MiB", value / 1024.0),
        "written" | "handed" if value < 1048576.0 => format!("{:.0} KiB", value / 1024.0),
        "written" | "handed" | "bytes" => format!("{:.1} MiB", value / 1048576.0),
        "requests" | "containers-left" => format!("{value:.0}"),
        _ if value < 0.1 => format!("{:.1} ms", value * 1000.0),
        _ if value < 1.0 => format!("{value:.3} s"),
        _ => format!("{value:.2} s"),
    }
}

impl Cost {
    /// As values of a measurement.
    pub fn values(&self) -> BTreeMap<String, f64> {
        [
            ("returned", self.seconds),
            ("cpu", self.cpu()),
            ("cpu-user", self.user),
            ("cpu-system", self.system),
            ("cpu-own", self.own_cpu),
            ("peak-kib", self.peak_kib as f64),
            ("largest-kib", self.largest_kib as f64),
            ("written", self.written as f64),
            ("handed", self.handed as f64),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_or_the_mean_of_two() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[1.0, 3.0], Some(2.0)),
            (&[1.0, 2.0, 9.0], Some(2.0)),
            (&[1.0, 2.0, 4.0, 9.0], Some(3.0)),
        ] {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_medians() {
        let mut results = Results::default();
        for (by, seconds) in
            [("kubestrap", 1.0), ("kubeadm", 4.0), ("kubestrap", 3.0), ("kubestrap", 1.5), ("kubeadm", 2.0)]
        {
            results.add(Figure::Init, by, 1, [("returned".to_owned(), seconds)].into());
        }
        assert_eq!(results.ratio(Figure::Init, "returned"), Some(0.5));
        assert_eq!(results.medians()["init"]["returned"]["kubeadm"]["median"], 3.0);
    }

    #[test]
    fn every_figure_has_a_name() {
        for (figure, name) in ALL {
            assert_eq!(figure.name(), name);
            assert_eq!(Figure::parse(name).ok(), Some(figure), "{name}");
        }
        assert!(Figure::parse("nonsense").is_err());
    }
}
