//! Checks of the machine itself: rights, CPUs, memory, swap, name, clock, SELinux.

use std::path::Path;

use super::finding::{Finding, Findings, one};
use super::scene::Scene;
use crate::config::is_dns_subdomain;
use crate::releases::NEWEST_MINOR;

const MINIMUM_CPUS: usize = 2;
const MINIMUM_MEMORY_MIB: u64 = 1700;

/// Where the package with the policy for containers leaves its modules.
const CONTAINER_POLICY: &str = "/usr/share/selinux/packages/container.pp.bz2";

pub(super) fn root(scene: &Scene<'_>) -> Findings {
    let uid = scene.facts.uid;
    one(match uid {
        0 => Finding::passed("root"),
        _ if scene.subject.is_look => Finding::skipped(format!("runs as uid {uid}; init and join need root")),
        _ => not_root(uid),
    })
}

fn not_root(uid: u32) -> Finding {
    Finding::error("kubestrap does not run as root")
        .why(format!("it runs as uid {uid}, and making a node writes below /etc and /var/lib"))
        .fix("sudo kubestrap …")
}

pub(super) fn cpus(scene: &Scene<'_>) -> Findings {
    let cpus = scene.facts.cpus;
    one(if cpus < MINIMUM_CPUS {
        Finding::error(format!("{cpus} CPU, and a control-plane node needs {MINIMUM_CPUS}"))
            .why("etcd and kube-apiserver starve each other on one CPU")
            .fix("give the machine another CPU")
    } else {
        Finding::passed(format!("{cpus} CPUs"))
    })
}

pub(super) fn memory(scene: &Scene<'_>) -> Findings {
    let memory = scene.facts.memory_mib;
    one(if memory < MINIMUM_MEMORY_MIB {
        Finding::error(format!("{memory} MiB of memory, and a control-plane node needs {MINIMUM_MEMORY_MIB}"))
            .why("the kernel would end etcd or kube-apiserver under load")
            .fix("give the machine more memory")
    } else {
        Finding::passed(format!("{}.{} GiB memory", memory / 1024, memory % 1024 * 10 / 1024))
    })
}

/// Swap that is on, and swap that the next boot turns on again.
pub(super) fn swap(scene: &Scene<'_>) -> Findings {
    let swaps = scene.facts.swaps.join(", ");
    let is_allowed = scene.kubelet_setting("failSwapOn").is_some_and(|setting| setting == false);
    let at_boot = scene.text("/etc/fstab").and_then(|text| swap_in_fstab(&text));
    let off = "swapoff -a, and remove the swap lines from /etc/fstab";
    one(match (swaps.is_empty(), at_boot) {
        (false, _) if is_allowed => {
            Finding::passed(format!("swap is on ({swaps}), and the kubelet's configuration allows it"))
        }
        (false, _) if scene.release.swap_is_an_error() => Finding::error(format!("swap is on: {swaps}"))
            .why("the kubelet refuses to start with swap")
            .fix(off)
            .fix("or set failSwapOn: false in a KubeletConfiguration document of --config"),
        (false, _) => Finding::warning(format!("swap is on: {swaps}"))
            .why("the kubelet starts only if its configuration allows swap")
            .fix(off)
            .fix("or set failSwapOn: false in a KubeletConfiguration document of --config"),
        (true, Some(device)) if !is_allowed => {
            Finding::warning(format!("swap is off, but /etc/fstab turns {device} on at the next boot"))
                .why("after a reboot the kubelet would refuse to start")
                .fix("remove the swap lines from /etc/fstab")
        }
        (true, _) => Finding::passed("swap off"),
    })
}

/// `UUID=… none swap sw 0 0`, unless `noauto`.
fn swap_in_fstab(text: &str) -> Option<String> {
    let rows = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut rows = rows.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| {
        row.get(2) == Some(&"swap") && !row.get(3).is_some_and(|options| options.split(',').any(|it| it == "noauto"))
    })?;
    Some((*row.first()?).to_owned())
}

/// The node's name: of a form that Kubernetes takes, and with an address.
pub(super) fn host_name(scene: &Scene<'_>) -> Findings {
    let name = scene.node.name.as_str();
    one(match scene.probed.names.get(name) {
        Some(Err(reason)) => Finding::warning(format!("the node's name {name} resolves to no address"))
            .why(format!("programs that look themselves up wait for a DNS time-out ({reason})"))
            .fix(format!("add a line for {name} to /etc/hosts")),
        _ if !is_dns_subdomain(name) => Finding::warning(format!("{name} is no DNS name"))
            .why("Kubernetes takes lower-case letters, digits, '-' and '.' only")
            .fix("choose another name: --node-name"),
        _ => Finding::passed(format!("name {name}")),
    })
}

/// kubeadm warns of a release newer than itself.
pub(super) fn kubernetes_version(scene: &Scene<'_>) -> Findings {
    let release = scene.release;
    one(if release.minor() > NEWEST_MINOR {
        Finding::warning(format!("{release} is newer than v1.{NEWEST_MINOR}, the newest that this kubestrap knows"))
            .why("what has changed since is not in its tables")
            .fix("use a newer kubestrap, or an older --kubernetes-version")
    } else {
        Finding::passed(format!("for Kubernetes {release}"))
    })
}

pub(super) fn time_sync(scene: &Scene<'_>) -> Findings {
    one(match scene.probed.clock_synchronized {
        Some(true) => Finding::passed("clock kept right"),
        Some(false) => Finding::warning("nothing keeps this machine's clock right")
            .why("tokens and certificates depend on the time, and etcd's members on each other's")
            .fix("apt-get install chrony, or timedatectl set-ntp true; then look: timedatectl"),
        None => Finding::skipped("systemd cannot be asked what keeps the clock right"),
    })
}

/// Enforcing is fine where the policy for containers is installed.
pub(super) fn selinux(scene: &Scene<'_>) -> Findings {
    let is_enforcing = scene.text("/sys/fs/selinux/enforce").is_some_and(|text| text.trim() == "1");
    if !is_enforcing {
        return one(Finding::fine("SELinux is not enforcing"));
    }
    let has_policy = scene.world.host().stat(Path::new(CONTAINER_POLICY))?.is_some();
    one(if has_policy {
        Finding::passed("SELinux enforces, with the policy for containers")
    } else {
        Finding::warning("SELinux enforces, and the policy for containers is not installed")
            .why("Pods, those of the control plane too, would be kept from the files they mount")
            .fix("dnf install container-selinux")
            .fix("or: setenforce 0, and SELINUX=permissive in /etc/selinux/config")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_of_the_next_boot_is_found_in_fstab() {
        for (text, expected) in [
            ("UUID=0a1b none swap sw 0 0\n", Some("UUID=0a1b")),
            ("# UUID=0a1b none swap sw 0 0\nUUID=2 / ext4 defaults 0 1\n", None),
            ("/swap.img none swap sw,noauto 0 0\n/dev/sda2 none swap defaults 0 0\n", Some("/dev/sda2")),
            ("", None),
        ] {
            assert_eq!(swap_in_fstab(text).as_deref(), expected, "{text}");
        }
    }
}
