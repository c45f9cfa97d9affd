//! End-to-end tests: the built kubestrap, or kubeadm, on real nodes. Read `nodes` for what a node is, `cluster` for
//! what a scenario works with, `run` for how everything is taken away again, and `README.md` for how to run it.

pub mod chance;
pub mod clean;
pub mod cluster;
pub mod command;
pub mod failure;
pub mod kill;
pub mod logs;
pub mod many;
pub mod meaning;
pub mod measure;
pub mod nodes;
pub mod pod_network;
pub mod run;
pub mod snapshot;
pub mod tool;
pub mod wait;

use failure::Failure;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs `prepare/all`, which takes no time when everything is there, and gives the folder it prints. Its progress
/// goes to our standard error.
pub fn prepare() -> Result<PathBuf, Failure> {
    let program = checkout().join("e2e/prepare/all");
    let output = Command::new(&program)
        .arg("--without-packages")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cannot run {}", program.display()), error))?;
    if !output.status.success() {
        return Err(Failure::new("preparing the nodes failed", format!("see above; by hand: {}", program.display())));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// The checkout that this crate was built from.
pub fn checkout() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from)
}

/// A line for whoever watches, written even where the test runner keeps a passing test's output to itself.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "  {line}");
}
