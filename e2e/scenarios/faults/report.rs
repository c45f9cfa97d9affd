//! What full runs leave behind: the answers of both tools as they were measured, one by one, and the table of both for people.

use super::attempt::Attempt;
use super::table;
use kubestrap_e2e::checkout;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::tool::Tool;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Keeps an answer of a tool, beside those to other faults.
pub(super) fn keep(tool: Tool, attempt: &Attempt<'_>) -> Result<(), Failure> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = answers(tool);
    let ids = attempt.ids.join(" ");
    let answer = json!({"seconds": format!("{:.1}", attempt.seconds), "ids": ids, "said": attempt.said});
    all.insert(attempt.fault.name.to_owned(), answer);
    put(&file(tool), &format!("{:#}\n", Value::Object(all)))
}

/// Writes the table of both tools.
pub(super) fn write() -> Result<(), Failure> {
    put(&checkout().join("e2e/faults.md"), &table())
}

fn file(tool: Tool) -> PathBuf {
    checkout().join(format!("e2e/scenarios/faults/{tool}.json"))
}

fn answers(tool: Tool) -> Map<String, Value> {
    let text = fs::read_to_string(file(tool)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))
}

fn table() -> String {
    let (ours, theirs) = (answers(Tool::Kubestrap), answers(Tool::Kubeadm));
    let text = |row: Option<&Value>, name: &str| row.and_then(|row| row[name].as_str()).unwrap_or("-").to_owned();
    let (mut rows, mut right, mut seconds) = (String::new(), 0, [Vec::new(), Vec::new()]);
    let faults = table::faults();
    for fault in &faults {
        let [own, other] = [&ours, &theirs].map(|answers| answers.get(fault.name));
        let ids = text(own, "ids");
        let id = ids.split(' ').next().unwrap_or_default();
        let is_right = fault.ids.contains(&id);
        right += usize::from(is_right);
        for (list, row) in seconds.iter_mut().zip([own, other]) {
            list.extend(text(row, "seconds").parse::<f32>());
        }
        let _ = writeln!(
            rows,
            "| {} | {} | `{id}`{} | {} | {:.200} | {} |",
            fault.name,
            format!("{:?}", fault.command).to_lowercase(),
            if is_right { "" } else { " (wrong)" },
            text(own, "seconds"),
            text(other, "said").replace('|', "\\|"),
            text(other, "seconds"),
        );
    }
    let [ours, theirs] = seconds.map(figures);
    format!(
        "# Faults, and who names their cause\n\nWritten by `E2E_FULL=1 cargo test -p kubestrap-e2e -- --ignored faults`. Each fault is injected into a \
         node of its own;\nthe commands are `init`, or `join` of a worker, of Kubernetes 1.20.2. kubeadm 1.20.2 meets the same faults, with a stand-in\nfor \
         crictl, which Debian lacks. Times are in seconds.\n\n{} faults. kubestrap names the right cause of {right}: {ours}. kubeadm ends: {theirs}.\n\n\
         | Fault | Command | kubestrap names | after | kubeadm 1.20.2 says | after |\n|---|---|---|---|---|---|\n{rows}",
        faults.len()
    )
}

fn figures(mut seconds: Vec<f32>) -> String {
    seconds.sort_by(f32::total_cmp);
    let (Some(median), Some(most)) = (seconds.get(seconds.len() / 2), seconds.last()) else {
        return "not measured".to_owned();
    };
    format!("median {median:.1} s, at most {most:.1} s")
}
