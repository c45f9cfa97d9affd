//! What kubestrap says with `-o json`: one object per line, read back for scenarios.

use kubestrap_e2e::command::Output;
use kubestrap_e2e::failure::Failure;
use serde_json::Value;

pub(crate) fn of(output: &Output) -> Result<Vec<Value>, Failure> {
    let parse =
        |line: &str| serde_json::from_str(line).map_err(|error| Failure::new(format!("no JSON: {line}"), error));
    output.stdout.lines().map(parse).collect()
}

/// Each `init` that is given no token makes a new one, as kubeadm's does; nothing else is new in a second run.
const ALWAYS_NEW: &str = "bootstrap-token";

/// Phases that changed something when they should find everything done, with how much and what.
pub(crate) fn changes(output: &Output) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut summaries = Vec::new();
    for event in of(output)? {
        match event["event"].as_str() {
            Some("change") => summaries.push(event["summary"].as_str().unwrap_or_default().to_owned()),
            Some("phase-finished") => {
                if event["changes"] != 0 && event["phase"] != ALWAYS_NEW {
                    let phase = event["phase"].as_str().unwrap_or_default();
                    lines.push(format!("{phase}: {} changes: {}", event["changes"], summaries.join(", ")));
                }
                summaries.clear();
            }
            _ => {}
        }
    }
    Ok(lines)
}
