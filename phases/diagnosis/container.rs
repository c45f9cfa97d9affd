//! Rules about the containers of static Pods: not made, running, or ending again and again; with their last line.

use super::rules::{Rule, first_fit, without_noise};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{ContainerInfo, RuntimeStatus, World};

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

/// The state of one component.
pub(super) fn look(
    component: &str,
    node: &NodeConfig,
    status: &RuntimeStatus,
    world: &World<'_>,
) -> Result<State, Problem> {
    let pod = format!("{component}-{}", node.name);
    let sandboxes =
        || status.sandboxes.iter().filter(|sandbox| sandbox.namespace == "kube-system" && sandbox.name == pod);
    let newest = sandboxes().flat_map(|sandbox| &sandbox.containers).max_by_key(|container| container.attempt);
    let Some(container) = newest else {
        let words = if sandboxes().next().is_some() { "sandbox made" } else { "no sandbox yet" };
        return Ok(State::NotMade(format!("{component}: {words}")));
    };
    let has_ended = container.state == "exited";
    let ends = container.attempt + u32::from(has_ended);
    if ends == 0 {
        return Ok(State::Going(format!("{component} {}", container.state)));
    }
    let words = format!("{component} {}, ended {ends} times", container.state);
    // Only an end tells its reason; while a later attempt runs there is hope.
    if !has_ended {
        return Ok(State::Going(words));
    }
    let line = last_line(container, world)?;
    let rule = rule_of(component, container, &line);
    let enough = rule.map_or(CERTAIN_AFTER, |rule| rule.after);
    if ends < enough {
        return Ok(State::Going(words));
    }
    Ok(State::Ending(words, cause(component, node, container, &line, rule, world)?))
}

fn rule_of(component: &str, container: &ContainerInfo, line: &str) -> Option<&'static Rule> {
    if container.reason == "OOMKilled" {
        return Some(&OUT_OF_MEMORY);
    }
    let own = if component == "etcd" { first_fit(ETCD, line) } else { None };
    own.or_else(|| first_fit(RULES, line))
}

const OUT_OF_MEMORY: Rule = Rule {
    id: "out-of-memory",
    says: &[],
    after: 1,
    why: "the kernel has killed it for lack of memory",
    fix: "free -h: give the machine more memory (a control plane needs 1700 MB), or stop what else uses it",
};

/// Sources: Go's net, os, tls and pflag packages, whose words all components share; kube-apiserver's own.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { id: "bad-flag", says: &["unknown flag"], after: 1,
        why: "it has no such flag",
        fix: "correct the name in {arguments}, then run the same command again" },
    Rule { id: "bad-flag", says: &["flag provided but not defined"], after: 1,
        why: "it has no such flag",
        fix: "correct the name in {arguments}, then run the same command again" },
    Rule { id: "bad-value", says: &["invalid argument"], after: 1,
        why: "it does not take this value for the flag",
        fix: "correct the value in {arguments}, then run the same command again" },
    Rule { id: "bad-value", says: &["unrecognized feature gate"], after: 1,
        why: "this release has no such feature gate",
        fix: "remove the gate from feature-gates in {arguments}, then run the same command again" },
    Rule { id: "bad-value", says: &["admission-control plugin", "unknown"], after: 1,
        why: "this release has no such admission plugin",
        fix: "correct enable-admission-plugins in {arguments}, then run the same command again" },
    Rule { id: "bad-value", says: &["enable-admission-plugins plugin"], after: 1,
        why: "this release has no such admission plugin",
        fix: "correct enable-admission-plugins in {arguments}, then run the same command again" },
    Rule { id: "port-taken", says: &["address already in use"], after: 1,
        why: "another program holds its port",
        fix: "stop that program, or give the component another port, then run the same command again" },
    Rule { id: "no-address", says: &["cannot assign requested address"], after: 1,
        why: "the address it should listen on is not this machine's",
        fix: "ip -brief address: give --apiserver-advertise-address one of these, then run the same command again" },
    Rule { id: "disk-full", says: &["no space left on device"], after: 1,
        why: "the disk is full",
        fix: "df -h: free space, then run the same command again" },
    Rule { id: "key-mismatch", says: &["private key does not match public key"], after: 1,
        why: "a certificate and its key do not belong together",
        fix: "remove the pair that the log names from the certificate folder and run the same command again: it is made anew" },
    Rule { id: "file-missing", says: &["no such file or directory"], after: 2,
        why: "a file that its flags name is not there, or not mounted into its Pod",
        fix: "put the file in place and mount it ({arguments} and extraVolumes), then run the same command again" },
    Rule { id: "file-unreadable", says: &["permission denied"], after: 2,
        why: "it may not read a file or folder that its flags name",
        fix: "correct owner and mode of what the line names, then run the same command again" },
    Rule { id: "etcd-certificate-refused", says: &["authentication handshake failed"], after: 1,
        why: "etcd and API server do not accept each other's certificates: they are signed by different CAs, expired, or lack a name",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all" },
    Rule { id: "etcd-certificate-refused", says: &["bad certificate"], after: 1,
        why: "etcd and API server do not accept each other's certificates: they are signed by different CAs, expired, or lack a name",
        fix: "kubestrap certs check-expiration; certificates of one CA are made anew with: kubestrap init phase certs all" },
    Rule { id: "certificate-expired", says: &["x509", "expired or is not yet valid"], after: 1,
        why: "a certificate is not valid at this machine's time: it has expired, or the clock is wrong",
        fix: "date -u; kubestrap certs check-expiration; kubestrap certs renew all" },
    Rule { id: "bad-certificate", says: &["x509"], after: 1,
        why: "a certificate is not accepted",
        fix: "kubestrap certs check-expiration, and correct the certificate that the line names" },
    Rule { id: "bad-certificate", says: &["certificate"], after: 2,
        why: "a certificate is not accepted",
        fix: "kubestrap certs check-expiration, and correct the certificate that the line names" },
    Rule { id: "etcd-away", says: &["context deadline exceeded"], after: 2,
        why: "etcd does not answer it",
        fix: "see why etcd does not: ls /var/log/pods | grep etcd" },
    Rule { id: "etcd-away", says: &["connection refused", "2379"], after: 2,
        why: "etcd does not answer it",
        fix: "see why etcd does not: ls /var/log/pods | grep etcd" },
];

/// Sources: etcd 3.4 to 3.6, `server/etcdserver`, `server/storage`.
#[rustfmt::skip]
const ETCD: &[Rule] = &[
    Rule { id: "data-of-another-cluster", says: &["member count is unequal"], after: 1,
        why: "its data belongs to another cluster",
        fix: "kubestrap reset removes the data; keep a copy first if you are not sure: cp -a /var/lib/etcd /root/" },
    Rule { id: "data-of-another-cluster", says: &["has already been bootstrapped"], after: 1,
        why: "its member ID is known to a cluster that it has no data of",
        fix: "remove the member there (etcdctl member remove), then kubestrap reset and join again" },
    Rule { id: "data-of-another-cluster", says: &["cluster id mismatch"], after: 1,
        why: "its data belongs to another cluster",
        fix: "kubestrap reset removes the data; keep a copy first if you are not sure: cp -a /var/lib/etcd /root/" },
    Rule { id: "member-removed", says: &["permanently removed"], after: 1,
        why: "the other members have removed it from the cluster",
        fix: "kubestrap reset on this node, then join it again" },
    Rule { id: "member-mismatch", says: &["couldn't find local name"], after: 1,
        why: "--initial-cluster does not name this member: its name or peer address has changed",
        fix: "kubestrap reset on this node, then run the same command again" },
    Rule { id: "data-corrupt", says: &["crc mismatch"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["wal", "unexpected eof"], after: 1,
        why: "its write-ahead log is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["invalid database"], after: 1,
        why: "its database file is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["failed to recover", "snapshot"], after: 1,
        why: "its database is older than its snapshot: part of the data folder is lost",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-corrupt", says: &["panic", "freepages"], after: 1,
        why: "its database file is damaged",
        fix: "restore a snapshot (etcdctl snapshot restore); with other members alive: kubestrap reset, then join again" },
    Rule { id: "data-locked", says: &["resource temporarily unavailable"], after: 2,
        why: "another etcd uses the same data folder",
        fix: "pgrep -a etcd: stop the other one, then run the same command again" },
];

fn cause(
    component: &str,
    node: &NodeConfig,
    container: &ContainerInfo,
    line: &str,
    rule: Option<&Rule>,
    world: &World<'_>,
) -> Result<Problem, Problem> {
    let short = component.trim_start_matches("kube-");
    let what = format!("{component} ends as soon as it starts");
    let saw = format!("exit code {}; its last line:\n{line}", container.exit_code);
    let problem = match rule {
        Some(rule) => {
            let mut problem = rule.problem(&what, &saw, &[("{arguments}", field(component))]);
            problem.id = format!("{short}-{}", rule.id);
            problem
        }
        None => Problem::new(format!("{short}-crash-looping"), what)
            .saw(saw)
            .why("the line above is its own")
            .fix("correct the configuration file or flags, then run the same command again"),
    };
    let problem = match rule.filter(|rule| rule.id == "port-taken").and_then(|_| port_of(line)) {
        Some(port) => with_owner(problem, port, world)?,
        None => problem,
    };
    Ok(problem
        .at(node.layout.manifest(component).display().to_string())
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
    let facts = world.host().facts()?;
    if let Some(owner) = facts.listener(port) {
        let program = owner.program.as_deref().unwrap_or("a program that could not be named");
        let pid = owner.pid.map_or_else(String::new, |pid| format!(" (PID {pid})"));
        problem = problem.why(format!("port {port} is held by {program}{pid}"));
    }
    Ok(problem)
}

/// Last telling line of a container's log, without the runtime's time stamp and stream.
fn last_line(container: &ContainerInfo, world: &World<'_>) -> Result<String, Problem> {
    let log = world.host().read(&container.log)?.unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let text = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or(line).trim().to_owned();
    let lines: Vec<String> = log.lines().map(text).filter(|line| !line.is_empty()).collect();
    let gives_up = |line: &&String| {
        let klog = line.starts_with('F') && line[1..].starts_with(|c: char| c.is_ascii_digit());
        // zap, since etcd 3.4, and what Go says when a program panics.
        klog || line.starts_with("Error:")
            || line.starts_with("error:")
            || line.starts_with("panic:")
            || line.contains(r#""level":"fatal""#)
            || line.contains(r#""level":"panic""#)
            || line.contains(" C | ")
    };
    let error = |line: &&String| line.to_lowercase().contains("error");
    let told = lines.iter().rev().find(gives_up).or_else(|| lines.iter().rev().find(error));
    Ok(told.or_else(|| lines.last()).map_or_else(|| "(no line)".to_owned(), |line| without_noise(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(reason: &str) -> ContainerInfo {
        ContainerInfo {
            id: "1".to_owned(),
            name: "etcd".to_owned(),
            state: "exited".to_owned(),
            attempt: 0,
            exit_code: 1,
            reason: reason.to_owned(),
            log: "/log".into(),
        }
    }

    #[test]
    fn what_components_have_said_has_one_cause() {
        for (component, line, id) in [
            ("kube-apiserver", "Error: unknown flag: --audit-log-pth", "bad-flag"),
            ("etcd", "flag provided but not defined: -made-up", "bad-flag"),
            ("kube-apiserver", "Error: invalid argument \"x\" for \"--v\" flag: strconv", "bad-value"),
            (
                "kube-apiserver",
                "error: failed to create listener: failed to listen on 0.0.0.0:6443: listen tcp 0.0.0.0:6443: bind: address already in use",
                "port-taken",
            ),
            ("etcd", "listen tcp 10.0.0.9:2380: bind: cannot assign requested address", "no-address"),
            ("etcd", "walpb: crc mismatch", "data-corrupt"),
            ("etcd", "error validating peerURLs: member count is unequal", "data-of-another-cluster"),
            (
                "kube-apiserver",
                "Error: open /etc/kubernetes/pki/apiserver.crt: no such file or directory",
                "file-missing",
            ),
            ("kube-apiserver", "Error: tls: private key does not match public key", "key-mismatch"),
            ("kube-apiserver", "Error: context deadline exceeded", "etcd-away"),
            (
                "kube-apiserver",
                "transport: authentication handshake failed: x509: certificate signed by unknown authority",
                "etcd-certificate-refused",
            ),
        ] {
            assert_eq!(rule_of(component, &ended("Error"), line).map(|rule| rule.id), Some(id), "{line}");
        }
        assert_eq!(rule_of("etcd", &ended("OOMKilled"), "").map(|rule| rule.id), Some("out-of-memory"));
    }

    #[test]
    fn the_port_is_read_from_what_go_says() {
        assert_eq!(port_of("listen tcp 0.0.0.0:6443: bind: address already in use"), Some(6443));
        assert_eq!(port_of("listen tcp [::1]:2379: bind: address already in use"), Some(2379));
        assert_eq!(port_of("no port here"), None);
    }
}
