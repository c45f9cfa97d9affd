//! What must be known of the machine, and of what was measured on it, to judge the figures.

use super::small::{TOOLS, program};
use super::subject::Bench;
use crate::command::here;
use serde_json::{Value, json};
use std::fs;

pub(super) fn facts(bench: &Bench<'_>) -> Value {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.map(|value| value.trim_start_matches([':', '=', '\t', ' ']).trim_matches('"').to_owned())
    };
    let said = |program: &str, words: &[&str]| here(program, words).map(|output| output.line().to_owned()).ok();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let mut facts = json!({
        "at": said("date", &["--utc", "+%FT%TZ"]),
        "processor": line("/proc/cpuinfo", "model name"),
        "processors": processors,
        "memory": line("/proc/meminfo", "MemTotal"),
        "kernel": said("uname", &["-r"]),
        "system": line("/etc/os-release", "PRETTY_NAME"),
        "load-before": load(),
    });
    for (tool, words) in TOOLS.into_iter().zip([&["--version"][..], &["version", "-o", "short"]]) {
        let version = program(bench, tool).ok().and_then(|program| said(&program.to_string_lossy(), words));
        facts[tool.program()] = json!(version);
    }
    facts
}

/// Whether somebody else has work for more than half a processor.
pub(super) fn is_busy() -> bool {
    let load = load().unwrap_or_default();
    load.split(' ').next().and_then(|load| load.parse::<f64>().ok()).is_some_and(|load| load > 0.5)
}

/// How busy the machine is, over one, five and fifteen minutes.
pub(super) fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
