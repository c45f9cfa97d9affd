//! The end of a dry run for people: what was assumed on standard error, the list of changes on standard output.

use kubestrap_phases::world::DryRun;

use super::{result, say};

pub(super) fn tell(command: &str, dry: &DryRun) {
    let changes = dry.changes();
    let assumed: String = dry.assumed().iter().map(|line| format!("\nassumed: {line}")).collect();
    let outcome = match changes.len() {
        0 if command == "reset" => "nothing was changed: there is nothing to remove".to_owned(),
        0 => "nothing was changed, and nothing would be".to_owned(),
        1 => "nothing was changed; 1 change would be made:".to_owned(),
        more => format!("nothing was changed; {more} changes would be made:"),
    };
    say(&format!("{assumed}\n\n{outcome}"));
    if !changes.is_empty() {
        result(&changes.iter().map(|change| change.shown()).collect::<Vec<_>>().join("\n"));
    }
}
