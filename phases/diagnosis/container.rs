//! Rules about the containers of static Pods: not made, running, or ending again and again; with their last line.

use super::CERTAIN_AFTER;
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{ContainerInfo, RuntimeStatus, World};

/// The state of one component in words, and its cause once it is certain.
pub(super) fn look(
    component: &str,
    node: &NodeConfig,
    status: &RuntimeStatus,
    world: &World<'_>,
) -> Result<(String, Option<Problem>), Problem> {
    let pod = format!("{component}-{}", node.name);
    let sandboxes =
        || status.sandboxes.iter().filter(|sandbox| sandbox.namespace == "kube-system" && sandbox.name == pod);
    let newest = sandboxes().flat_map(|sandbox| &sandbox.containers).max_by_key(|container| container.attempt);
    let Some(container) = newest else {
        let words = if sandboxes().next().is_some() { "sandbox made" } else { "no sandbox yet" };
        return Ok((format!("{component}: {words}"), None));
    };
    let ends = container.attempt + u32::from(container.state == "exited");
    let words = match (container.state.as_str(), ends) {
        ("running", 0) => format!("{component} running"),
        (state, ends) => format!("{component} {state}, ended {ends} times"),
    };
    if ends < CERTAIN_AFTER {
        return Ok((words, None));
    }
    let line = last_line(container, world)?;
    Ok((words, Some(cause(component, node, container, &line))))
}

/// Id, symptom in the last line, cause. The id is preceded by the component's name.
const RULES: &[(&str, &str, &str)] = &[
    ("bad-flag", "unknown flag", "it has no such flag"),
    ("bad-value", "invalid argument", "it does not take this value for the flag"),
    ("port-taken", "address already in use", "another program holds its port"),
    ("no-address", "cannot assign requested address", "the address it should listen on is not this machine's"),
    ("data-of-another-cluster", "member count is unequal", "its data belongs to another cluster"),
    ("data-of-another-cluster", "has already been bootstrapped", "its data belongs to another cluster"),
    ("disk-full", "no space left on device", "the disk is full"),
    ("bad-certificate", "certificate", "a certificate is not accepted"),
    ("etcd-away", "context deadline exceeded", "etcd does not answer it"),
];

fn cause(component: &str, node: &NodeConfig, container: &ContainerInfo, line: &str) -> Problem {
    let short = component.trim_start_matches("kube-");
    let lower = line.to_lowercase();
    let rule = RULES.iter().find(|(_, symptom, _)| lower.contains(symptom));
    let (end, why) = rule.map_or(("crash-looping", "the line above is its own"), |(end, _, why)| (*end, *why));
    Problem::new(format!("{short}-{end}"), format!("{component} ends as soon as it starts"))
        .saw(format!("exit code {}; its last line:\n{line}", container.exit_code))
        .at(node.layout.manifest(component).display().to_string())
        .why(why)
        .fix("correct the configuration file or flags, then run the same command again")
        .fix(format!("see all of its log: {}", container.log.display()))
}

/// Last line of a container's log, without the runtime's time stamp and stream.
fn last_line(container: &ContainerInfo, world: &World<'_>) -> Result<String, Problem> {
    let log = world.host().read(&container.log)?.unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let text = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or(line).trim().to_owned();
    let lines: Vec<String> = log.lines().map(text).filter(|line| !line.is_empty()).collect();
    let told = lines.iter().rev().find(|line| line.to_lowercase().contains("error") || line.starts_with('F'));
    Ok(told.or_else(|| lines.last()).cloned().unwrap_or_else(|| "(no line)".to_owned()))
}
