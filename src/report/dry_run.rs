//! The end of a dry run for people: what was assumed on standard error, the list of changes on standard output.

use std::io;

use kubestrap_phases::world::{Change, DryRun};

use super::{result, say};

pub(super) fn tell(command: &str, dry: &DryRun, is_complete: bool) -> io::Result<()> {
    let changes = dry.changes();
    let assumed: String = dry.assumed().iter().map(|line| format!("\nassumed: {line}")).collect();
    let until = if is_complete { "" } else { " before it would stop" };
    let outcome = match changes.len() {
        0 if command == "reset" && is_complete => "there is nothing to remove".to_owned(),
        0 => format!("nothing would be{until}"),
        1 => format!("1 change would be made{until}:"),
        more => format!("{more} changes would be made{until}:"),
    };
    say(&format!("{assumed}\n\nnothing was changed; {outcome}"));
    if changes.is_empty() {
        return Ok(());
    }
    result(&changes.iter().map(Change::shown).collect::<Vec<_>>().join("\n"))
}
