//! Figures that need no cluster: the programs' sizes, `--help` on this machine, `init phase certs all` into empty folders on a
//! node. The tools take turns.

use super::results::{Figure, Results};
use super::subject::Bench;
use crate::failure::Failure;
use crate::nodes::kubestrap_program;
use crate::tool::{KUBERNETES_VERSION, Tool};
use std::path::PathBuf;

pub const TOOLS: [Tool; 2] = [Tool::Kubestrap, Tool::Kubeadm];

const HELPS: usize = 60;
/// RSA keys are found by chance, so that one run says little.
const CERTS_PER_PAIR: usize = 4;

pub(super) fn program(bench: &Bench<'_>, tool: Tool) -> Result<PathBuf, Failure> {
    match tool {
        Tool::Kubestrap => kubestrap_program().ok_or_else(|| {
            Failure::new("there is no kubestrap to measure", "cargo build --release, or set KUBESTRAP_BIN")
        }),
        Tool::Kubeadm => Ok(bench.run.record.prepared.join("layer/usr/bin/kubeadm")),
    }
}

pub fn binary(bench: &Bench<'_>, results: &mut Results) -> Result<(), Failure> {
    for tool in TOOLS {
        let program = program(bench, tool)?;
        let found = std::fs::metadata(&program)
            .map_err(|error| Failure::new(format!("cannot look at {}", program.display()), error))?;
        results.add(Figure::Binary, tool.program(), 0, [("bytes".to_owned(), found.len() as f64)].into());
    }
    Ok(())
}

pub(super) fn help(bench: &Bench<'_>, results: &mut Results) -> Result<(), Failure> {
    for number in 0..=HELPS {
        for tool in TOOLS {
            let cost = bench.meter.here(&program(bench, tool)?, &["--help"])?;
            // The first reads the program from the disk.
            if number > 0 {
                results.add(Figure::Help, tool.program(), number, cost.values());
            }
        }
    }
    Ok(())
}

pub(super) fn certs(bench: &Bench<'_>, pairs: usize, results: &mut Results) -> Result<(), Failure> {
    let node = bench.node(Tool::Kubeadm, "certs".to_owned())?;
    node.ok(&["systemctl", "stop", "kubelet"])?;
    for number in 1..=pairs * CERTS_PER_PAIR {
        for tool in TOOLS {
            let folder = format!("/root/{}-{number}", tool.program());
            let words = [tool.program(), "init", "phase", "certs", "all", "--cert-dir", &folder];
            let cost = bench.meter.on(&node, &[&words[..], &["--kubernetes-version", KUBERNETES_VERSION]].concat())?;
            results.add(Figure::Certs, tool.program(), number, cost.values());
        }
    }
    node.destroy()
}
