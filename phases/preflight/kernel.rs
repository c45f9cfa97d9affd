//! Checks of the kernel: what kubeadm calls SystemVerification, modules, parameters, inotify.
//!
//! The kernel's configuration is read where distributions leave it; where it is not, a warning says so, as kubeadm's does.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use super::finding::{Finding, Findings, one, or};
use super::scene::{Kubelet, Scene};
use crate::config::{Cidr, Release};
use crate::problem::Problem;
use crate::world::Command;

const CONTROLLERS_V1: [&str; 7] = ["cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"];
/// The devices and freezer controllers have no name of their own in cgroup v2.
const CONTROLLERS_V2: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

/// Kernel version, kernel configuration and cgroups.
pub(super) fn system_verification(scene: &Scene<'_>) -> Findings {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(version(&scene.facts.kernel, scene.release));
    findings.extend(configuration(scene)?);
    findings.extend(controllers(scene));
    findings.extend(hierarchy(scene));
    let hierarchy = if scene.facts.cgroup_v2 { "v2" } else { "v1" };
    or(findings, Finding::passed(format!("Linux {}, cgroup {hierarchy}", scene.facts.kernel)))
}

fn version(kernel: &str, release: &Release) -> Option<Finding> {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let newer = "boot a newer kernel of your distribution; see: uname -r";
    if release.verifies_long_term_kernels() {
        let is_long_term = major >= 6 || (major == 5 && [4, 10, 15].contains(&minor));
        return (!is_long_term).then(|| {
            Finding::warning(format!("the kernel {kernel} is none of 5.4, 5.10, 5.15 or 6 and newer"))
                .why(format!("Kubernetes {release} is tested with long-term kernels"))
                .fix(newer)
        });
    }
    ((major, minor) < (3, 10)).then(|| {
        Finding::error(format!("the kernel {kernel} is too old: 3.10 is the oldest that works"))
            .why("the kubelet and container runtimes need what came later")
            .fix(newer)
    })
}

/// What must be in the kernel, built in or as a module.
fn configuration(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let Some(text) = configuration_text(scene)? else {
        return Ok(vec![
            Finding::warning("the kernel's configuration cannot be read")
                .why("there is neither /proc/config.gz nor a config file of this kernel, so what it lacks is not known")
                .fix(format!("modprobe configs, or install /boot/config-{}", scene.facts.kernel)),
        ]);
    };
    let options = scene.release.kernel_options(scene.facts.cgroup_v2);
    let enabled = enabled(&text, &options.iter().copied().flatten().copied().collect());
    let is_missing = |names: &&[&str]| !names.iter().any(|name| enabled.contains(name));
    let missing: Vec<&str> = options.into_iter().filter(is_missing).map(|names| names[0]).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let names = missing.iter().map(|name| format!("CONFIG_{name}")).collect::<Vec<_>>().join(", ");
    Ok(vec![
        Finding::error(format!("the kernel was built without {names}"))
            .why("the kubelet, Pods or kube-proxy need it")
            .fix("boot a kernel that has it, such as your distribution's default one"),
    ])
}

fn configuration_text(scene: &Scene<'_>) -> Result<Option<String>, Problem> {
    let packed = "/proc/config.gz";
    if scene.world.host().stat(Path::new(packed))?.is_some()
        && let Ok(answer) = scene.world.host().ask(&Command::new(&["zcat", packed]))
        && answer.code == 0
        && !answer.stdout.is_empty()
    {
        return Ok(Some(answer.stdout));
    }
    let kernel = &scene.facts.kernel;
    let places = [
        format!("/boot/config-{kernel}"),
        format!("/usr/src/linux-{kernel}/.config"),
        format!("/usr/lib/modules/{kernel}/config"),
        format!("/usr/lib/ostree-boot/config-{kernel}"),
        format!("/usr/lib/kernel/config-{kernel}"),
        format!("/usr/src/linux-headers-{kernel}/.config"),
        format!("/lib/modules/{kernel}/build/.config"),
    ];
    Ok(places.iter().find_map(|place| scene.text(place)))
}

/// Which of these names, without `CONFIG_`, are built in or a module. A configuration has thousands.
fn enabled<'a>(text: &'a str, of: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let settings = text.lines().filter_map(|line| line.trim().strip_prefix("CONFIG_"));
    let names = settings.filter_map(|setting| setting.strip_suffix("=y").or_else(|| setting.strip_suffix("=m")));
    names.filter(|name| of.contains(name)).collect()
}

fn controllers(scene: &Scene<'_>) -> Option<Finding> {
    let facts = &scene.facts;
    let required: &[&str] = if facts.cgroup_v2 { &CONTROLLERS_V2 } else { &CONTROLLERS_V1 };
    let missing: Vec<&str> =
        required.iter().copied().filter(|&name| !facts.cgroup_controllers.iter().any(|have| have == name)).collect();
    (!missing.is_empty()).then(|| {
        Finding::error(format!("the kernel lacks the cgroup controllers {}", missing.join(", ")))
            .why("the kubelet cannot limit Pods without them and refuses to start")
            .fix(format!("enable them on the kernel's command line: cgroup_enable={}", missing.join(" cgroup_enable=")))
    })
}

/// Old kubelets know v1 only, new ones refuse it.
fn hierarchy(scene: &Scene<'_>) -> Option<Finding> {
    let kubelet = match &scene.kubelet {
        Kubelet::Installed(release) => release,
        Kubelet::Unknown(_) => scene.release,
    };
    let to_v2 = "boot with systemd.unified_cgroup_hierarchy=1";
    if scene.facts.cgroup_v2 {
        return scene.release.kubelet_needs_cgroup_v1().then(|| {
            Finding::error(format!(
                "this machine has cgroup v2 only, and the kubelet of {} needs cgroup v1",
                scene.release
            ))
            .why("support for cgroup v2 came with Kubernetes 1.22")
            .fix("boot with systemd.unified_cgroup_hierarchy=0, or choose a newer --kubernetes-version")
        });
    }
    if kubelet.kubelet_refuses_cgroup_v1() {
        let is_allowed = scene.kubelet_setting("failCgroupV1").is_some_and(|setting| setting == false);
        return Some(if is_allowed {
            Finding::warning("this machine has cgroup v1, which Kubernetes will drop")
                .why("failCgroupV1: false lets this kubelet start all the same")
                .fix(to_v2)
        } else {
            Finding::error(format!("this machine has cgroup v1, and the kubelet {kubelet} refuses to start on it"))
                .why("failCgroupV1 is true from Kubernetes 1.35 on")
                .fix(to_v2)
                .fix("or set failCgroupV1: false in a KubeletConfiguration document of --config")
        });
    }
    kubelet.kubelet_advises_against_cgroup_v1().then(|| {
        Finding::warning("this machine has cgroup v1, and kubelets from 1.35 on refuse it")
            .why("Kubernetes will drop cgroup v1")
            .fix(to_v2)
    })
}

/// overlay for the runtime's layers, br_netfilter for Services on bridges.
pub(super) fn modules(scene: &Scene<'_>) -> Findings {
    let mut findings = Vec::new();
    if !scene.facts.file_systems.iter().any(|name| name == "overlay") {
        findings.push(
            Finding::warning("the kernel module overlay is not loaded")
                .why("container runtimes put the layers of images together with it")
                .fix("modprobe overlay; echo overlay > /etc/modules-load.d/overlay.conf"),
        );
    }
    // Before 1.30 that is an error of kubeadm's check for the parameter.
    if !scene.release.checks_bridge_parameters() && scene.sysctl(BRIDGE_V4).is_none() {
        findings.push(
            Finding::warning("the kernel module br_netfilter is not loaded")
                .why("with a Pod network of bridges, Services would not answer Pods of the same node")
                .fix("modprobe br_netfilter; echo br_netfilter > /etc/modules-load.d/br_netfilter.conf"),
        );
    }
    or(findings, Finding::fine("overlay and br_netfilter are loaded"))
}

const BRIDGE_V4: &str = "net/bridge/bridge-nf-call-iptables";
const BRIDGE_V6: &str = "net/bridge/bridge-nf-call-ip6tables";
const FORWARD_V4: &str = "net/ipv4/ip_forward";
const FORWARD_V6: &str = "net/ipv6/conf/default/forwarding";

/// Kernel parameters that must be 1, by the families of the node's and the cluster's addresses.
pub(super) fn parameters(scene: &Scene<'_>) -> Findings {
    let release = scene.release;
    let is_v6_node = scene.address().is_some_and(|address| address.is_ipv6());
    let networks = &scene.cluster.networking;
    let uses = |is_family: fn(&Cidr) -> bool, is_node: bool| {
        is_node || networks.service_subnets.iter().chain(&networks.pod_subnets).any(is_family)
    };
    let (forward_v4, forward_v6) = if release.checks_forwarding_by_family() {
        let is_v4_node = scene.address().is_some_and(|address: IpAddr| address.is_ipv4());
        (uses(Cidr::is_v4, is_v4_node), uses(|cidr| !cidr.is_v4(), is_v6_node))
    } else {
        (true, is_v6_node)
    };
    let bridges = release.checks_bridge_parameters();
    let asked =
        [(BRIDGE_V4, bridges), (BRIDGE_V6, bridges && is_v6_node), (FORWARD_V4, forward_v4), (FORWARD_V6, forward_v6)];
    Ok(asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| parameter(scene, name)).collect())
}

fn parameter(scene: &Scene<'_>, name: &'static str) -> Finding {
    let dotted = name.replace('/', ".");
    let value = scene.sysctl(name);
    // kubeadm looks at the first character.
    let finding = if value.is_some_and(|value| value.starts_with('1')) {
        Finding::fine(format!("{dotted} is 1"))
    } else if name.starts_with("net/bridge") {
        let why = match value {
            Some(_) => "bridged packets would pass by iptables, and Services would not answer Pods of the same node",
            None => "the kernel module br_netfilter is not loaded",
        };
        Finding::error(format!("{dotted} is not 1"))
            .why(why)
            .fix(format!("modprobe br_netfilter; sysctl -w {dotted}=1"))
    } else {
        Finding::error("this machine does not forward packets")
            .why(format!("{dotted} is not 1, so Pods would reach nothing outside their node"))
            .fix(format!("sysctl -w {dotted}=1; echo {dotted}=1 >> /etc/sysctl.d/99-kubernetes.conf"))
    };
    finding.named(format!("FileContent--proc-sys-{}", name.replace('/', "-")))
}

/// Kernel's own defaults; less than these, and kubelet or log collectors fail with "too many open files".
const INOTIFY: [(&str, u64); 2] = [("fs/inotify/max_user_instances", 128), ("fs/inotify/max_user_watches", 8192)];

pub(super) fn inotify(scene: &Scene<'_>) -> Findings {
    let low = INOTIFY.iter().filter_map(|&(name, least)| {
        let value: u64 = scene.sysctl(name)?.parse().ok()?;
        let dotted = name.replace('/', ".");
        (value < least).then(|| {
            Finding::warning(format!("{dotted} is {value}, less than {least}"))
                .why("kubelet and log collectors would fail with: too many open files")
                .fix(format!(
                    "sysctl -w {dotted}={0}; echo {dotted}={0} >> /etc/sysctl.d/99-kubernetes.conf",
                    least * 8
                ))
        })
    });
    let low: Vec<Finding> = low.collect();
    if low.is_empty() && scene.sysctl(INOTIFY[0].0).is_none() {
        return one(Finding::skipped("the kernel does not tell its inotify limits"));
    }
    or(low, Finding::fine("inotify limits are high enough"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_judged_by_the_rules_of_the_release() {
        let verdict = |kernel: &str, release: &Release| version(kernel, release).map(|finding| finding.verdict);
        let (old, new) = (Release::new(20, 2), Release::new(36, 2));
        use super::super::Verdict::{Error, Warning};
        for (kernel, in_1_20, in_1_36) in [
            ("3.9.0", Some(Error), Some(Warning)),
            ("3.10.0-1160.el7.x86_64", None, Some(Warning)),
            ("4.19.0-26-amd64", None, Some(Warning)),
            ("5.10.0-28-amd64", None, None),
            ("5.13.1", None, Some(Warning)),
            ("6.1.0-18-amd64", None, None),
            ("10.0.1", None, None),
        ] {
            assert_eq!((verdict(kernel, &old), verdict(kernel, &new)), (in_1_20, in_1_36), "{kernel}");
        }
    }

    #[test]
    fn what_is_built_in_or_a_module_is_enabled() {
        let text = "#\n# Automatically generated\n#\nCONFIG_NAMESPACES=y\nCONFIG_EXT4_FS=m\n# CONFIG_AUFS_FS is not set\n\
                    CONFIG_HZ=250\nCONFIG_LOCALVERSION=\"y\"\nCONFIG_ZPOOL=y\n";
        let asked = BTreeSet::from(["NAMESPACES", "EXT4_FS", "AUFS_FS", "HZ", "LOCALVERSION"]);
        assert_eq!(enabled(text, &asked), BTreeSet::from(["NAMESPACES", "EXT4_FS"]));
    }
}
