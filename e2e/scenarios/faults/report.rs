//! What a full run leaves behind: kubeadm's answers as they were measured, one by one, and the table of both tools for people.

use super::attempt::Attempt;
use kubestrap_e2e::checkout;
use kubestrap_e2e::failure::Failure;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

fn kubeadm_answers() -> PathBuf {
    checkout().join("e2e/scenarios/faults/kubeadm.json")
}

/// Keeps one of kubeadm's answers, beside those of other faults.
pub(super) fn keep(attempt: &Attempt<'_>) -> Result<(), Failure> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = answers();
    let seconds = format!("{:.1}", attempt.seconds);
    all.insert(attempt.fault.name.to_owned(), json!({"seconds": seconds, "said": attempt.said}));
    put(&kubeadm_answers(), &format!("{:#}\n", Value::Object(all)))
}

/// Writes the table of both tools.
pub(super) fn write(attempts: &[Attempt<'_>]) -> Result<(), Failure> {
    put(&checkout().join("e2e/faults.md"), &table(attempts))
}

fn answers() -> Map<String, Value> {
    let text = fs::read_to_string(kubeadm_answers()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))
}

fn table(attempts: &[Attempt<'_>]) -> String {
    let kubeadm = answers();
    let of_kubeadm = |attempt: &Attempt<'_>| kubeadm.get(attempt.fault.name).cloned().unwrap_or_default();
    let right = attempts.iter().filter(|attempt| attempt.is_right()).count();
    let ours = figures(attempts.iter().map(|attempt| attempt.seconds).collect());
    let seconds = |row: Value| row["seconds"].as_str().and_then(|text| text.parse().ok());
    let theirs = figures(attempts.iter().filter_map(|attempt| seconds(of_kubeadm(attempt))).collect());
    let mut text = format!(
        "# Faults, and who names their cause\n\nWritten by `E2E_FULL=1 cargo test -p kubestrap-e2e -- --ignored faults`. Each fault is injected into a \
         node of its own;\nthe commands are `init` and, where it says so, `join` of a worker, of Kubernetes 1.20.2. kubeadm 1.20.2 meets the same faults, with a\nstand-in for \
         crictl, which Debian lacks.\n\n{} faults. kubestrap names the right cause of {right}: {ours}. kubeadm ends {theirs}.\n\n\
         | Fault | Command | kubestrap names | after | kubeadm 1.20.2 says | after |\n|---|---|---|---|---|---|\n",
        attempts.len()
    );
    for attempt in attempts {
        let row = of_kubeadm(attempt);
        let mark = if attempt.is_right() { "" } else { " (wrong)" };
        let said = row["said"].as_str().unwrap_or("not measured").replace('|', "\\|");
        let _ = writeln!(
            text,
            "| {} | {} | `{}`{mark} | {:.1} s | {} | {} s |",
            attempt.fault.name,
            format!("{:?}", attempt.fault.command).to_lowercase(),
            attempt.ids.first().map(String::as_str).unwrap_or_default(),
            attempt.seconds,
            said.chars().take(220).collect::<String>(),
            row["seconds"].as_str().unwrap_or("-"),
        );
    }
    text
}

fn figures(mut seconds: Vec<f32>) -> String {
    seconds.sort_by(f32::total_cmp);
    let (Some(median), Some(most)) = (seconds.get(seconds.len() / 2), seconds.last()) else {
        return "not measured".to_owned();
    };
    format!("median {median:.1} s, at most {most:.1} s")
}
