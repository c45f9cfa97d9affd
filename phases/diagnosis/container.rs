//! Rules about the containers of static Pods: not made, running, or ending again and again; with their last line.

use super::Past;
use super::component_rules::{APISERVER, ELSEWHERE, ETCD, OUT_OF_MEMORY, RULES, RUNNING_APISERVER, RUNNING_DEPENDENT};
use super::rules::{Rule, first_fit, without_noise};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{ContainerInfo, RuntimeStatus, Sandbox, World};

/// How often a component must have ended before a cause that no rule knows is taken for certain.
const CERTAIN_AFTER: u32 = 3;

/// How far a component has come.
pub(super) enum State {
    /// No container of it is there.
    NotMade(String),
    /// It runs, or has ended too seldom to tell.
    Going(String),
    /// It ends again and again, and this is why.
    Ending(String, Problem),
}

/// What is known besides the component.
pub(super) struct View<'a> {
    pub(super) node: &'a NodeConfig,
    pub(super) status: &'a RuntimeStatus,
    pub(super) past: &'a Past,
    /// What keeps the API server from being ready; empty when it is.
    pub(super) answer: &'a str,
    pub(super) world: &'a World<'a>,
}

/// The state of one component.
pub(super) fn look(component: &str, view: &View<'_>) -> Result<State, Problem> {
    let Some(container) = newest(component, view.node, view.status) else {
        let has_sandbox = sandbox(component, view.node, view.status).is_some();
        let words = if has_sandbox { "sandbox made" } else { "no sandbox yet" };
        return Ok(State::NotMade(format!("{component}: {words}")));
    };
    let all = ends(container);
    // A Pod of another manifest begins to count anew.
    let ends = all.checked_sub(view.past.ends.get(component).copied().unwrap_or(0)).unwrap_or(all);
    let words = match all {
        0 => format!("{component} {}", container.state),
        _ => format!("{component} {}, ended {all} times", container.state),
    };
    // Only an end tells its reason; while a later attempt runs there is hope, but for what it says again and again.
    if !has_ended(container) {
        return Ok(match complaint(component, container, view)? {
            Some(problem) => State::Ending(words, problem),
            None => State::Going(words),
        });
    }
    let line = last_line(container, view.world)?;
    let rule = rule_of(component, container, &line);
    // What it has said before may tell why etcd is away for it.
    if ends > 0
        && rule.is_none_or(|rule| rule.id == ELSEWHERE.id)
        && let Some(problem) = complaint(component, container, view)?
    {
        return Ok(State::Ending(words, problem));
    }
    let enough = match rule {
        Some(rule) => rule.after,
        // These end again and again until there is an API server.
        None if needs_api_server(component) && !view.answer.is_empty() => return Ok(State::Going(words)),
        None => CERTAIN_AFTER,
    };
    if ends < enough {
        return Ok(State::Going(words));
    }
    let what = format!("{component} ends as soon as it starts");
    let saw = format!("exit code {}; its last line:\n{line}", container.exit_code);
    Ok(State::Ending(words, cause(component, container, (&what, &saw), rule, view)?))
}

fn needs_api_server(component: &str) -> bool {
    matches!(component, "kube-controller-manager" | "kube-scheduler")
}

/// The newest sandbox of a component: a manifest that was changed makes another.
fn sandbox<'s>(component: &str, node: &NodeConfig, status: &'s RuntimeStatus) -> Option<&'s Sandbox> {
    let pod = format!("{component}-{}", node.name);
    status.sandboxes.iter().find(|sandbox| sandbox.namespace == "kube-system" && sandbox.name == pod)
}

/// The newest container of a component.
pub(super) fn newest<'s>(component: &str, node: &NodeConfig, status: &'s RuntimeStatus) -> Option<&'s ContainerInfo> {
    sandbox(component, node, status)?.containers.iter().max_by_key(|container| container.attempt)
}

/// How often a component has ended.
pub(super) fn ends(container: &ContainerInfo) -> u32 {
    container.attempt + u32::from(has_ended(container))
}

/// Whether it has ended, and no later attempt was made.
pub(super) fn has_ended(container: &ContainerInfo) -> bool {
    container.state == "exited"
}

/// What a component has said of etcd or API server so often that waiting is pointless; once is enough when it has given up.
fn complaint(component: &str, container: &ContainerInfo, view: &View<'_>) -> Result<Option<Problem>, Problem> {
    let rules = match component {
        "kube-apiserver" if view.answer.is_empty() => return Ok(None),
        "kube-apiserver" => RUNNING_APISERVER,
        _ if needs_api_server(component) => RUNNING_DEPENDENT,
        _ => return Ok(None),
    };
    let lines = lines(container, view.world)?;
    let has_own_etcd = component == "kube-apiserver" && sandbox("etcd", view.node, view.status).is_some();
    let leads_elsewhere = |line: &str| has_own_etcd && port_refused(line).is_some_and(|port| port != ETCD_PORT);
    let fits = |rule: &Rule, line: &String| {
        if rule.id == ELSEWHERE.id {
            leads_elsewhere(line)
        } else {
            first_fit(std::slice::from_ref(rule), line).is_some()
        }
    };
    for rule in rules.iter().chain([&ELSEWHERE]) {
        let said: Vec<&String> = lines.iter().filter(|line| fits(rule, line)).collect();
        let enough = if has_ended(container) { 1 } else { rule.after as usize };
        let Some(last) = said.last().filter(|_| said.len() >= enough) else { continue };
        let line = without_noise(last);
        return cause(component, container, (&format!("{component} cannot do its work"), &line), Some(rule), view)
            .map(Some);
    }
    Ok(None)
}

const ETCD_PORT: u16 = 2379;

/// The port in `dial tcp 127.0.0.1:2379: connect: connection refused`.
fn port_refused(line: &str) -> Option<u16> {
    let (before, _) = line.split_once(": connect: connection refused")?;
    let (_, address) = before.rsplit_once("dial tcp ")?;
    address.rsplit(':').next()?.parse().ok()
}

fn rule_of(component: &str, container: &ContainerInfo, line: &str) -> Option<&'static Rule> {
    if container.reason == "OOMKilled" {
        return Some(&OUT_OF_MEMORY);
    }
    let own = match component {
        "etcd" => first_fit(ETCD, line),
        "kube-apiserver" => first_fit(APISERVER, line),
        _ => None,
    };
    own.or_else(|| first_fit(RULES, line))
}

fn cause(
    component: &str,
    container: &ContainerInfo,
    (what, saw): (&str, &str),
    rule: Option<&Rule>,
    view: &View<'_>,
) -> Result<Problem, Problem> {
    let short = component.trim_start_matches("kube-");
    let problem = match rule {
        Some(rule) => {
            let mut problem = rule.problem(what, saw, &[("{arguments}", field(component))]);
            problem.id = format!("{short}-{}", rule.id);
            problem
        }
        None => Problem::new(format!("{short}-crash-looping"), what)
            .saw(saw)
            .why("the line above is its own")
            .fix("correct the configuration file or flags, then run the same command again with --restart"),
    };
    let problem = match rule.filter(|rule| rule.id == "port-taken").and_then(|_| port_of(saw)) {
        Some(port) => with_owner(problem, port, view.world)?,
        None => problem,
    };
    Ok(problem
        .at(view.node.layout.manifest(component).display().to_string())
        .fix(format!("see all of its log: {}", container.log.display())))
}

/// Where its flags come from.
fn field(component: &str) -> &'static str {
    match component {
        "etcd" => "etcd.local.extraArgs",
        "kube-controller-manager" => "controllerManager.extraArgs",
        "kube-scheduler" => "scheduler.extraArgs",
        _ => "apiServer.extraArgs",
    }
}

/// The port in `listen tcp 0.0.0.0:6443: bind: …`.
fn port_of(line: &str) -> Option<u16> {
    let before = line.split(": bind").next()?;
    before.rsplit(':').next()?.trim().parse().ok()
}

fn with_owner(mut problem: Problem, port: u16, world: &World<'_>) -> Result<Problem, Problem> {
    let listeners = world.host().listeners()?;
    if let Some(owner) = listeners.iter().find(|owner| owner.port == port) {
        let program = owner.program.as_deref().unwrap_or("a program that could not be named");
        let pid = owner.pid.map_or_else(String::new, |pid| format!(" (PID {pid})"));
        problem = problem.why(format!("port {port} is held by {program}{pid}"));
    }
    Ok(problem)
}

/// A container's log, without the runtime's time stamp and stream.
fn lines(container: &ContainerInfo, world: &World<'_>) -> Result<Vec<String>, Problem> {
    let log = world.host().read(&container.log)?.unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let text = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or(line).trim().to_owned();
    Ok(log.lines().map(text).filter(|line| !line.is_empty()).collect())
}

/// Last telling line of a container's log.
fn last_line(container: &ContainerInfo, world: &World<'_>) -> Result<String, Problem> {
    let lines = lines(container, world)?;
    let gives_up = |line: &&String| {
        let klog = line.starts_with('F') && line[1..].starts_with(|c: char| c.is_ascii_digit());
        // Go's flag package, whose complaint the whole usage follows; zap, since etcd 3.4; a program that panics.
        klog || GIVES_UP.iter().any(|start| line.starts_with(start))
            || line.contains(r#""level":"fatal""#)
            || line.contains(r#""level":"panic""#)
            || line.contains(" C | ")
    };
    let error = |line: &&String| line.to_lowercase().contains("error");
    let told = lines.iter().rev().find(gives_up).or_else(|| lines.iter().rev().find(error));
    Ok(told.or_else(|| lines.last()).map_or_else(|| "(no line)".to_owned(), |line| without_noise(line)))
}

const GIVES_UP: [&str; 8] = [
    "Error:",
    "error:",
    "panic:",
    "fatal error:",
    "runtime: failed to create new OS thread",
    "runtime/cgo: pthread_create failed",
    "flag provided but not defined",
    "invalid value",
];

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
