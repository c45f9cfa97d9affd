//! Checks of the programs that kubelet, kube-proxy and runtime call by name.
//!
//! crictl is not among them: the runtime is asked directly.

use super::finding::{Finding, Findings};
use super::scene::Scene;

/// A missing optional one costs a feature, not the node.
pub(super) fn programs(scene: &Scene<'_>) -> Findings {
    let needs = scene.release.programs();
    let find = |program: &str, missing: Finding| match scene.facts.programs.get(program) {
        Some(path) => Finding::fine(path.display().to_string()),
        None => missing.fix(format!("apt-get install {}", package(program))),
    };
    let required = needs.required.iter().map(|program| {
        let missing = Finding::error(format!("{program} is not installed"))
            .why("kubelet or kube-proxy call it, and it is not in the path");
        find(program, missing).named(format!("FileExisting-{program}"))
    });
    let optional = needs.optional.iter().map(|program| {
        let missing = Finding::warning(format!("{program} is not installed"))
            .why("some features need it: kubectl port-forward (socat), traffic shaping (tc, ethtool)");
        find(program, missing).named(format!("FileExisting-{program}"))
    });
    Ok(required.chain(optional).collect())
}

/// Debian's package of a program.
fn package(program: &str) -> &str {
    match program {
        "ip" | "tc" => "iproute2",
        "nsenter" => "util-linux",
        "losetup" => "mount",
        "cp" | "touch" => "coreutils",
        other => other,
    }
}
