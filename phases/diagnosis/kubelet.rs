//! Rules about the kubelet: not there, not started, or ending again and again; with its last fatal line.

use super::{CERTAIN_AFTER, Sight};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{Command, World};

const UNIT: &str = "kubelet.service";

/// `None` when the kubelet runs.
pub(super) fn look(node: &NodeConfig, world: &World<'_>) -> Result<Option<Sight>, Problem> {
    let unit = world.host().unit(UNIT)?;
    if unit.active == "active" {
        return Ok(None);
    }
    if !unit.exists {
        let problem = Problem::new("kubelet-unit-missing", "there is no kubelet.service")
            .fix("install the kubelet package of the release, with its unit and kubeadm's drop-in");
        return Ok(Some(Sight { seen: "no kubelet.service".to_owned(), certain: Some(problem) }));
    }
    let seen = format!("kubelet {} ({}), started {} times", unit.active, unit.sub, unit.restarts + 1);
    // Two ends are enough here: the unit waits 10 s between them, and nothing else in the world changes meanwhile.
    let is_certain = unit.restarts + 1 >= CERTAIN_AFTER - 1 && unit.sub == "auto-restart";
    let stopped = unit.active == "inactive" || unit.active == "failed";
    if !is_certain && !stopped {
        return Ok(Some(Sight { seen, certain: None }));
    }
    let log = world.host().ask(&Command::new(&["journalctl", "-u", UNIT, "-n", "40", "-o", "cat", "--no-pager"]))?;
    Ok(Some(Sight { seen, certain: Some(cause(&log.stdout, node, unit.exit_code)) }))
}

fn cause(log: &str, node: &NodeConfig, exit_code: i32) -> Problem {
    let line = fatal_line(log);
    let problem = Problem::new("kubelet-crash-looping", "the kubelet ends as soon as it starts")
        .saw(format!("exit code {exit_code}; its last fatal line:\n{line}"))
        .at("journalctl -u kubelet -n 40");
    let config = node.layout.kubelet_config();
    for (id, symptom, why, fix) in RULES {
        if line.contains(symptom) {
            let mut problem = problem.why(*why).fix(fix.replace("{config}", &config.display().to_string()));
            (*id).clone_into(&mut problem.id);
            return problem;
        }
    }
    problem.why("the line above is the kubelet's own").fix("mend what it says, then run the same command again")
}

/// Id, symptom in the fatal line, cause, fix.
const RULES: &[(&str, &str, &str, &str)] = &[
    (
        "kubelet-cgroup-driver",
        "is different from docker cgroup driver",
        "kubelet and container runtime use different cgroup drivers",
        "set cgroupDriver in {config} to the runtime's",
    ),
    (
        "kubelet-swap",
        "running with swap on is not supported",
        "swap is on, and the kubelet refuses to run with swap",
        "swapoff -a, and remove the swap lines from /etc/fstab",
    ),
    (
        "kubelet-bad-flag",
        "unknown flag",
        "the kubelet has no such flag",
        "correct kubeletExtraArgs, then run the same command again",
    ),
    (
        "kubelet-bad-config",
        "failed to load Kubelet config file",
        "the kubelet cannot read its configuration",
        "correct the KubeletConfiguration document; the file is {config}",
    ),
    (
        "kubelet-no-cgroups",
        "Failed to start ContainerManager",
        "the kubelet cannot set up its cgroups",
        "mount | grep cgroup: every controller must be mounted and writable",
    ),
];

/// The newest line that klog or cobra writes when they give up; else the newest line.
fn fatal_line(log: &str) -> String {
    let is_fatal = |line: &&str| {
        let klog = line.starts_with('F') && line[1..].starts_with(|c: char| c.is_ascii_digit());
        klog || line.starts_with("Error:")
            || line.contains("\"command failed\"")
            || line.contains("failed to run Kubelet")
    };
    let lines = || log.lines().rev().filter(|line| !line.trim().is_empty());
    lines().find(is_fatal).or_else(|| lines().next()).unwrap_or("(no line)").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fatal_line_is_found_among_stack_traces() {
        let log = "I1122 start\nF1122 12:00:00.0 server.go:269] failed to run Kubelet: running with swap on is not supported\ngoroutine 1 [running]:\nmain.main()\n";
        assert!(fatal_line(log).contains("running with swap on"));
        assert_eq!(fatal_line(""), "(no line)");
    }
}
