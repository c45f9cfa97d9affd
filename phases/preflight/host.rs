//! Checks of the machine itself: rights, CPUs, memory, kernel, cgroups, swap, programs, host name, kubelet.

use super::{Finding, Scene};
use crate::problem::Problem;
use crate::world::{Command, Facts, HostError, Output};

const REQUIRED_CONTROLLERS_V1: [&str; 7] = ["cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"];
const REQUIRED_CONTROLLERS_V2: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];
const MINIMUM_CPUS: usize = 2;
const MINIMUM_MEMORY_MIB: u64 = 1700;

pub(super) fn not_root(facts: &Facts) -> Finding {
    Finding::error("IsPrivilegedUser", "kubestrap does not run as root")
        .why(format!("it runs as uid {}, and making a node writes below /etc and /var/lib", facts.uid))
        .fix("sudo kubestrap …")
}

pub(super) fn resources(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    let facts = &scene.facts;
    if facts.cpus < MINIMUM_CPUS {
        findings.push(
            Finding::error("NumCPU", format!("{} CPU, and a control-plane node needs {MINIMUM_CPUS}", facts.cpus))
                .why("etcd and kube-apiserver starve each other on one CPU")
                .fix("give the machine another CPU"),
        );
    }
    if facts.memory_mib < MINIMUM_MEMORY_MIB {
        findings.push(
            Finding::error(
                "Mem",
                format!("{} MiB of memory, and a control-plane node needs {MINIMUM_MEMORY_MIB}", facts.memory_mib),
            )
            .why("the kernel would end etcd or kube-apiserver under load")
            .fix("give the machine more memory"),
        );
    }
    Ok(findings)
}

pub(super) fn kernel_and_cgroups(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let facts = &scene.facts;
    let required: &[&str] = if facts.cgroup_v2 { &REQUIRED_CONTROLLERS_V2 } else { &REQUIRED_CONTROLLERS_V1 };
    let missing: Vec<&str> =
        required.iter().copied().filter(|&name| !facts.cgroup_controllers.iter().any(|have| have == name)).collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        findings.push(
            Finding::error(
                "SystemVerification",
                format!("the kernel lacks the cgroup controllers {}", missing.join(", ")),
            )
            .why("the kubelet cannot limit Pods without them and refuses to start")
            .fix(format!(
                "enable them on the kernel's command line: cgroup_enable={}",
                missing.join(" cgroup_enable=")
            )),
        );
    }
    if facts.cgroup_v2 && scene.cluster.release.minor() < 22 {
        findings.push(
            Finding::error(
                "SystemVerification",
                format!(
                    "this machine has cgroup v2 only, and the kubelet of {} needs cgroup v1",
                    scene.cluster.release
                ),
            )
            .why("support for cgroup v2 came with Kubernetes 1.22")
            .fix("boot with systemd.unified_cgroup_hierarchy=0, or choose a newer --kubernetes-version"),
        );
    }
    Ok(findings)
}

pub(super) fn swap(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let swaps = &scene.facts.swaps;
    if swaps.is_empty() {
        return Ok(Vec::new());
    }
    let what = format!("swap is on: {}", swaps.join(", "));
    let finding = if scene.cluster.release.swap_is_an_error() {
        Finding::error("Swap", what).why("the kubelet refuses to start with swap")
    } else {
        Finding::warning("Swap", what).why("the kubelet starts only if its configuration allows swap")
    };
    Ok(vec![finding.fix("swapoff -a, and remove the swap lines from /etc/fstab")])
}

/// What kubelet, kube-proxy and runtime call by name. A missing optional one costs a feature, not the node.
pub(super) fn programs(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    const REQUIRED: [(&str, &str); 5] = [
        ("conntrack", "conntrack"),
        ("ip", "iproute2"),
        ("iptables", "iptables"),
        ("mount", "mount"),
        ("nsenter", "util-linux"),
    ];
    const OPTIONAL: [(&str, &str); 3] = [("ethtool", "ethtool"), ("socat", "socat"), ("tc", "iproute2")];
    let is_missing = |(program, _): &&(&str, &str)| !scene.facts.programs.contains_key(*program);
    let required = REQUIRED.iter().filter(is_missing).map(|(program, package)| {
        Finding::error(format!("FileExisting-{program}"), format!("{program} is not installed"))
            .why("kubelet or kube-proxy call it, and it is not in the path")
            .fix(format!("apt-get install {package}"))
    });
    let optional = OPTIONAL.iter().filter(is_missing).map(|(program, package)| {
        Finding::warning(format!("FileExisting-{program}"), format!("{program} is not installed"))
            .why("some features need it: kubectl port-forward (socat), traffic shaping (tc, ethtool)")
            .fix(format!("apt-get install {package}"))
    });
    Ok(required.chain(optional).collect())
}

pub(super) fn sysctls(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let value = |name: &str| scene.facts.sysctls.get(name).map(String::as_str);
    let mut findings = Vec::new();
    if value("net/ipv4/ip_forward") != Some("1") {
        findings.push(
            Finding::error("FileContent--proc-sys-net-ipv4-ip_forward", "this machine does not forward packets")
                .why("net.ipv4.ip_forward is not 1, so Pods would reach nothing outside their node")
                .fix("sysctl -w net.ipv4.ip_forward=1; echo net.ipv4.ip_forward=1 > /etc/sysctl.d/99-kubernetes.conf"),
        );
    }
    let bridge = "net/bridge/bridge-nf-call-iptables";
    if scene.cluster.release.minor() < 30 && value(bridge) != Some("1") {
        let why = match value(bridge) {
            Some(_) => "bridged packets would pass by iptables, and Services would not answer Pods of the same node",
            None => "the kernel module br_netfilter is not loaded",
        };
        findings.push(
            Finding::error(
                "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
                "net.bridge.bridge-nf-call-iptables is not 1",
            )
            .why(why)
            .fix("modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1"),
        );
    }
    Ok(findings)
}

pub(super) fn host_name(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let node = scene.node;
    if !scene.facts.host_name_addresses.is_empty() || node.name.as_str() != node.host_name {
        return Ok(Vec::new());
    }
    Ok(vec![
        Finding::warning("Hostname", format!("the host name {} resolves to no address", node.name))
            .why("programs that look themselves up wait for a DNS time-out")
            .fix(format!("add a line for {} to /etc/hosts", node.name)),
    ])
}

pub(super) fn kubelet(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    let unit = scene.world.host().unit("kubelet.service")?;
    if !unit.exists {
        findings.push(
            Finding::error("Service-Kubelet", "there is no kubelet.service")
                .why("the kubelet is not installed as a service on this machine")
                .fix("install the kubelet package of the release, with its unit and kubeadm's drop-in"),
        );
        return Ok(findings);
    }
    if !unit.enabled {
        findings.push(
            Finding::warning("Service-Kubelet", "kubelet.service does not start at boot")
                .why("after a reboot the node would stay away")
                .fix("systemctl enable kubelet.service"),
        );
    }
    let answer = match scene.world.host().ask(&Command::new(&["kubelet", "--version"])) {
        Ok(answer) => answer,
        Err(HostError::Command { source, .. }) => Output { code: 127, stderr: source.to_string(), ..Output::default() },
        Err(error) => return Err(error.into()),
    };
    let release = &scene.cluster.release;
    match answer.stdout.trim().strip_prefix("Kubernetes ").and_then(|text| text.parse::<crate::config::Release>().ok())
    {
        None => findings.push(
            Finding::error("KubeletVersion", "the kubelet does not tell its version")
                .why(format!("`kubelet --version` ended with {}: {}", answer.code, answer.stderr.trim()))
                .fix("install the kubelet of the release, in the path"),
        ),
        Some(kubelet) if kubelet.minor() > release.minor() => findings.push(
            Finding::error(
                "KubeletVersion",
                format!("the kubelet is {kubelet}, newer than the control plane {release}"),
            )
            .why("a kubelet must not be newer than the API server it talks to")
            .fix(format!("install the kubelet of {release}, or --kubernetes-version {kubelet} for a new cluster")),
        ),
        Some(kubelet) if kubelet.minor() + release.oldest_kubelet_distance() < release.minor() => findings.push(
            Finding::error(
                "KubeletVersion",
                format!("the kubelet is {kubelet}, too old for the control plane {release}"),
            )
            .why(format!("at most {} minor releases may lie between them", release.oldest_kubelet_distance()))
            .fix(format!("install the kubelet of {release}")),
        ),
        Some(_) => {}
    }
    Ok(findings)
}
