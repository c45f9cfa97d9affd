//! kubestrap: parse, dispatch, exit code; nothing else.

mod cli;
mod cluster;
mod entropy;
mod host;
mod launch;
mod report;
mod time;

#[cfg(test)]
mod ids_tests;

use std::process::ExitCode;

fn main() -> ExitCode {
    // One crypto provider for every connection. It is the first to be installed, so that this cannot fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::run()
}
