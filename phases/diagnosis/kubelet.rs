//! Rules about a kubelet that does not run: not there, not started, or ending again and again, with its last fatal line.

use super::Sight;
use super::rules::{Rule, first_fit, without_noise};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{Clock, Command, UnitState, World};

pub(super) const UNIT: &str = "kubelet.service";

/// How many of its lines are read: the stacks of a few hundred goroutines may follow the fatal one.
const LINES: u32 = 3000;

/// A kubelet that has ended this often is not getting better: nothing else in the world changes meanwhile.
const CERTAIN_AFTER: u32 = 2;

/// `None` when the kubelet runs.
pub(super) fn look(node: &NodeConfig, world: &World<'_>) -> Result<Option<Sight>, Problem> {
    let unit = world.host().unit(UNIT)?;
    if unit.active == "active" {
        return Ok(None);
    }
    if !unit.exists {
        let problem = Problem::new("kubelet-unit-missing", "there is no kubelet.service")
            .why("the kubelet is not installed as a unit of systemd")
            .fix("install the kubelet package of the release, with its unit and kubeadm's drop-in");
        return Ok(Some(Sight::certain("no kubelet.service", problem)));
    }
    let seen = format!("kubelet {} ({}), started {} times", unit.active, unit.sub, unit.restarts + 1);
    let has_ended = unit.sub == "auto-restart" || unit.active == "inactive" || unit.active == "failed";
    if !has_ended {
        return Ok(Some(Sight { seen, ..Sight::default() }));
    }
    let line = fatal_line(&journal(LINES, None, world)?);
    Ok(Some(Sight { seen, certain: cause(&line, node, &unit), again: None }))
}

/// The kubelet's newest lines, after this second where one is named. Messages only: the init system's own time stamps are of no use
/// here.
pub(super) fn journal(lines: u32, after: Option<Clock>, world: &World<'_>) -> Result<String, Problem> {
    let lines = lines.to_string();
    let since = after.map(|moment| format!("--since=@{}", moment.0 + 1));
    let mut words = vec!["journalctl", "-u", UNIT, "-n", &lines, "-o", "cat", "--no-pager"];
    words.extend(since.as_deref());
    Ok(world.host().ask(&Command::new(&words))?.stdout)
}

fn cause(line: &str, node: &NodeConfig, unit: &UnitState) -> Option<Problem> {
    // One that has ended well was stopped; the line is an older one's.
    let was_stopped = unit.active == "inactive" && unit.exit_code == 0;
    let rule = first_fit(RULES, line).filter(|_| !was_stopped);
    let ends = unit.restarts + 1;
    let stays_down = unit.active == "inactive" || unit.active == "failed";
    let enough = rule.map_or(CERTAIN_AFTER, |rule| rule.after);
    if ends < enough && !stays_down {
        return None;
    }
    let config = node.layout.kubelet_config().display().to_string();
    let what = "the kubelet ends as soon as it starts";
    let saw = format!("exit code {}; its last fatal line:\n{line}", unit.exit_code);
    let problem = match rule {
        Some(rule) => rule.problem(what, &saw, &[("{config}", &config)]),
        None if unit.active == "inactive" => Problem::new("kubelet-stopped", "the kubelet is stopped")
            .saw(saw)
            .why("something has stopped kubelet.service; it did not end by itself")
            .fix("systemctl start kubelet, and find out what stopped it: journalctl -u kubelet -n 40"),
        None => Problem::new("kubelet-crash-looping", what)
            .saw(saw)
            .why("the line above is the kubelet's own")
            .fix("mend what it says, then run the same command again"),
    };
    Some(problem.at("journalctl -u kubelet -n 40"))
}

/// Sources: the kubelet's `cmd/kubelet/app/server.go` and `pkg/kubelet/cm`, 1.20 and newer wordings.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { id: "kubelet-bad-flag", says: &["unknown flag"], after: 1,
        why: "the kubelet has no such flag",
        fix: "correct nodeRegistration.kubeletExtraArgs, or KUBELET_EXTRA_ARGS in /etc/default/kubelet, then run the same command again with --restart" },
    Rule { id: "kubelet-bad-flag", says: &["invalid argument", "flag"], after: 1,
        why: "the kubelet does not take this value for the flag",
        fix: "correct nodeRegistration.kubeletExtraArgs, or KUBELET_EXTRA_ARGS in /etc/default/kubelet, then run the same command again with --restart" },
    Rule { id: "kubelet-cgroup-driver", says: &["cgroup driver", "different"], after: 1,
        why: "kubelet and container runtime use different cgroup drivers",
        fix: "set cgroupDriver in {config} to the runtime's" },
    Rule { id: "kubelet-swap", says: &["running with swap on is not supported"], after: 1,
        why: "swap is on, and the kubelet refuses to run with swap",
        fix: "swapoff -a, and remove the swap lines from /etc/fstab" },
    Rule { id: "kubelet-bad-config", says: &["failed to load kubelet config file"], after: 1,
        why: "the kubelet cannot read its configuration",
        fix: "correct the KubeletConfiguration document, then run the same command again with --restart; the file is {config}" },
    Rule { id: "kubelet-bad-config", says: &["failed to validate kubelet configuration"], after: 1,
        why: "a value in the kubelet's configuration is not allowed",
        fix: "correct the KubeletConfiguration document, then run the same command again with --restart; the file is {config}" },
    Rule { id: "kubelet-bad-config", says: &["invalid configuration:"], after: 1,
        why: "a value in the kubelet's configuration is not allowed",
        fix: "correct the KubeletConfiguration document, then run the same command again with --restart; the file is {config}" },
    Rule { id: "kubelet-bad-config", says: &["unrecognized feature gate"], after: 1,
        why: "the kubelet of this release does not know the feature gate",
        fix: "remove the gate from featureGates of the KubeletConfiguration document; the file is {config}" },
    Rule { id: "kubelet-certificate-expired", says: &["bootstrap client certificate", "expired"], after: 1,
        why: "the kubelet's own client certificate has expired, and it has nothing to ask for a new one with",
        fix: "kubestrap reset on this node, then join it again with a fresh token: kubestrap token create --print-join-command" },
    Rule { id: "kubelet-bad-kubeconfig", says: &["kubeconfig", "unable to"], after: 2,
        why: "the kubelet cannot use its kubeconfig",
        fix: "remove /etc/kubernetes/kubelet.conf and run the same command again: it is made anew" },
    Rule { id: "kubelet-ca-missing", says: &["unable to load client ca file"], after: 1,
        why: "the CA that authentication.x509.clientCAFile names is not there or not readable",
        fix: "set clientCAFile in {config} to the cluster's CA, usually /etc/kubernetes/pki/ca.crt" },
    Rule { id: "kubelet-port-taken", says: &["address already in use"], after: 2,
        why: "another program holds one of the kubelet's ports, often a second kubelet",
        fix: "ss -lntp | grep -E '10250|10248' shows it: stop it, then run the same command again" },
    Rule { id: "kubelet-cri-version", says: &["unknown service runtime.v1"], after: 1,
        why: "the container runtime does not speak the CRI version that this kubelet needs",
        fix: "update the container runtime (containerd 1.6 or newer for Kubernetes 1.26 and newer), and remove \"cri\" from disabled_plugins in /etc/containerd/config.toml" },
    Rule { id: "kubelet-runtime-down", says: &["failed to create kubelet", "connect"], after: 2,
        why: "the container runtime does not answer at the socket that the kubelet is given",
        fix: "systemctl restart containerd, then run the same command again" },
    Rule { id: "kubelet-runtime-down", says: &["failed to run kubelet", "remote runtime"], after: 2,
        why: "the container runtime does not answer at the socket that the kubelet is given",
        fix: "systemctl restart containerd, then run the same command again" },
    Rule { id: "kubelet-cgroup-v1", says: &["cgroup v1"], after: 1,
        why: "this kubelet refuses to run on a machine with cgroup v1",
        fix: "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in {config}" },
    Rule { id: "kubelet-disk-full", says: &["no space left on device"], after: 1,
        why: "the disk is full",
        fix: "df -h /var/lib/kubelet /var/log: free space there, then run the same command again" },
    Rule { id: "kubelet-inotify", says: &["inotify"], after: 2,
        why: "the machine's limit of inotify instances or watches is used up",
        fix: "sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288, then run the same command again" },
    Rule { id: "kubelet-no-cgroups", says: &["failed to start containermanager"], after: 2,
        why: "the kubelet cannot set up its cgroups",
        fix: "mount | grep cgroup: every controller must be mounted and writable" },
    Rule { id: "kubelet-not-root", says: &["must run as root"], after: 1,
        why: "the unit runs the kubelet as another user",
        fix: "systemctl cat kubelet: remove User=, then systemctl daemon-reload" },
];

/// The newest line that klog or cobra writes when they give up; else the newest line.
fn fatal_line(log: &str) -> String {
    let is_fatal = |line: &&str| {
        let klog = line.starts_with('F') && line[1..].starts_with(|c: char| c.is_ascii_digit());
        let ends = ["\"command failed\"", "failed to run Kubelet", "Failed to run kubelet", "must run as root"];
        klog || line.starts_with("Error:") || ends.iter().any(|end| line.contains(end))
    };
    let lines = || log.lines().rev().filter(|line| !line.trim().is_empty());
    without_noise(lines().find(is_fatal).or_else(|| lines().next()).unwrap_or("(no line)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fatal_line_is_found_among_stack_traces() {
        let log = "I1122 start\nF1122 12:00:00.0 server.go:269] failed to run Kubelet: running with swap on is not supported\ngoroutine 1 [running]:\nmain.main()\n";
        assert_eq!(fatal_line(log), "failed to run Kubelet: running with swap on is not supported");
        assert_eq!(fatal_line(""), "(no line)");
    }

    #[test]
    fn what_kubelets_have_said_has_one_cause() {
        for (line, id) in [
            (
                "failed to run Kubelet: misconfiguration: kubelet cgroup driver: \"systemd\" is different from docker cgroup driver: \"cgroupfs\"",
                "kubelet-cgroup-driver",
            ),
            ("Error: unknown flag: --made-up", "kubelet-bad-flag"),
            (
                "invalid configuration: eventRecordQPS (--event-qps) -1 must not be a negative number",
                "kubelet-bad-config",
            ),
            ("Error: failed to parse kubelet flag: unknown flag: --network-plugin", "kubelet-bad-flag"),
            (
                "failed to load Kubelet config file /var/lib/kubelet/config.yaml, error failed to decode",
                "kubelet-bad-config",
            ),
            (
                "\"command failed\" err=\"failed to validate kubelet configuration, error: invalid configuration: x\"",
                "kubelet-bad-config",
            ),
            (
                "failed to run Kubelet: part of the existing bootstrap client certificate in /etc/kubernetes/kubelet.conf is expired: 2024-01-01",
                "kubelet-certificate-expired",
            ),
            (
                "unable to load client CA file /x/ca.crt: open /x/ca.crt: no such file or directory",
                "kubelet-ca-missing",
            ),
            (
                "\"command failed\" err=\"failed to run Kubelet: validate service connection: CRI v1 runtime API is not implemented for endpoint: unknown service runtime.v1.RuntimeService\"",
                "kubelet-cri-version",
            ),
            ("listen tcp 127.0.0.1:10248: bind: address already in use", "kubelet-port-taken"),
            ("failed to run Kubelet: cgroup v1 support is unsupported and will be removed", "kubelet-cgroup-v1"),
        ] {
            assert_eq!(first_fit(RULES, line).map(|rule| rule.id), Some(id), "{line}");
        }
    }
}
