//! kubestrap: parse, dispatch, exit code; nothing else.

mod cli;
mod cluster;
mod entropy;
mod host;
mod launch;
mod report;
mod time;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
