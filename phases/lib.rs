//! What kubestrap decides. Touches no file, socket, clock or terminal: all of that lies behind the ports of `world`.
//!
//! Read in this order: `world` (what can be looked at and changed), `plan` (phases, workflows, journal), `config` (from
//! flags and files to a job), `workflows` (the tables), then the phases.

#![deny(missing_docs)]

pub mod addon;
pub mod bootstrap_token;
pub mod catalogue;
pub mod certs;
pub mod cluster_admins;
mod cluster_status;
pub mod config;
pub mod control_plane;
pub mod diagnosis;
pub mod discovery;
pub mod drain;
pub mod dry_run;
pub mod etcd;
pub mod images;
pub mod join;
pub mod kubeconfig;
pub mod kubelet;
pub mod mark_control_plane;
pub mod objects;
pub mod patches;
pub mod plan;
pub mod preflight;
pub mod problem;
pub mod releases;
pub mod reset;
pub mod rootless;
pub mod shared_certs;
pub mod show_join_command;
pub mod status;
pub mod undo;
pub mod upload_config;
pub mod wait_control_plane;
pub mod workflows;
pub mod world;
pub mod yaml;

#[cfg(test)]
#[path = "tests/golden/mod.rs"]
mod golden;
#[cfg(test)]
#[path = "tests/support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "tests/objects/golden.rs"]
mod cluster_objects;
#[cfg(test)]
#[path = "tests/damaged.rs"]
mod damaged;
#[cfg(test)]
#[path = "tests/dry.rs"]
mod dry_runs;
#[cfg(test)]
#[path = "tests/foreign.rs"]
mod foreign;
#[cfg(test)]
#[path = "tests/objects/kube_dns.rs"]
mod kube_dns_objects;
#[cfg(test)]
#[path = "tests/order.rs"]
mod order;
#[cfg(test)]
#[path = "tests/preflight_cases.rs"]
mod preflight_cases;
#[cfg(test)]
#[path = "tests/preflight.rs"]
mod preflight_checks;
#[cfg(test)]
#[path = "tests/resume.rs"]
mod resume;
#[cfg(test)]
#[path = "tests/stage/mod.rs"]
mod stage;
#[cfg(test)]
#[path = "tests/whole.rs"]
mod whole;

/// A number with its noun: `1 Pod`, `2 Pods`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The candidate that differs from a word by the fewest letters, when that is few enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, letters compared without case.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_nearest_name_is_found_for_a_slip_and_not_for_another_word() {
        let names = ["certs/apiserver", "podSubnet", "serviceSubnet"];
        assert_eq!(super::nearest("podsubnet", names), Some("podSubnet"));
        assert_eq!(super::nearest("serviceSubnets", names), Some("serviceSubnet"));
        assert_eq!(super::nearest("banana", names), None);
    }
}
