//! One snapshot of what the machine is, from `/proc`, `/sys` and a few calls; it takes a millisecond. What comes and goes by
//! itself (runtimes, mounts) is asked anew each time, the rest when something may have changed it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use kubestrap_phases::world::{Facts, HostError, Mount};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::{Pid, geteuid};

use super::fresh::Fresh;
use super::network;
use super::root::Root;

/// Programs that a node of some release needs, and those with which reset removes what kube-proxy made.
const PROGRAMS: [&str; 20] = [
    "conntrack",
    "cp",
    "crictl",
    "ebtables",
    "ethtool",
    "ip",
    "ipset",
    "iptables",
    "iptables-legacy-save",
    "iptables-nft-save",
    "ipvsadm",
    "kubelet",
    "losetup",
    "mount",
    "nft",
    "nsenter",
    "socat",
    "systemctl",
    "tc",
    "touch",
];

/// Where container runtimes listen unless told otherwise.
const CRI_SOCKETS: [&str; 3] = ["/run/containerd/containerd.sock", "/run/crio/crio.sock", "/var/run/cri-dockerd.sock"];

/// Kernel parameters that preflight looks at, below `/proc/sys`.
const SYSCTLS: [&str; 6] = [
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/default/forwarding",
];

/// What was just seen of the machine.
pub(super) type Kept = Fresh<(), Facts>;

/// Looks at everything. Of a system that does not run, files are those below its root, and the rest is this machine's.
pub(super) fn look(
    root: &Root,
    environment: (&OsStr, &[(String, String)]),
    mounted: &[Mount],
    kept: &Kept,
) -> Result<Facts, HostError> {
    let steady = match kept.last(&()) {
        Some(seen) => seen,
        None => {
            let seen = steady(root, environment, mounted)?;
            kept.keep((), seen.clone());
            seen
        }
    };
    Ok(Facts {
        cri_sockets: CRI_SOCKETS.iter().map(PathBuf::from).filter(|path| is_socket(root, path)).collect(),
        mounts: mounted.iter().filter_map(|mount| inside(root, mount)).collect(),
        ..steady
    })
}

/// What stays as it is unless somebody changes it.
fn steady(
    root: &Root,
    (search_path, proxies): (&OsStr, &[(String, String)]),
    mounted: &[Mount],
) -> Result<Facts, HostError> {
    let host_name = needed("the host name", "/proc/sys/kernel/hostname")?.trim().to_owned();
    let interfaces = network::interfaces()?;
    let routes = optional("the IPv4 routes", "/proc/net/route")?;
    let ipv6_routes = optional("the IPv6 routes", "/proc/net/ipv6_route")?;
    let cgroup_v2 = mounted.iter().any(is_unified_cgroup);
    Ok(Facts {
        uid: geteuid().as_raw(),
        host_name,
        machine_id: text(root, "/etc/machine-id").trim().to_owned(),
        // Only root may read it.
        system_uuid: fs::read_to_string("/sys/class/dmi/id/product_uuid").unwrap_or_default().trim().to_owned(),
        cpus: cpus(),
        memory_mib: memory_mib(&needed("how much memory there is", "/proc/meminfo")?),
        swaps: swaps(&optional("which swap is in use", "/proc/swaps")?),
        default_addresses: network::default_addresses(&interfaces, &routes, &ipv6_routes),
        interfaces: network::facts(interfaces),
        routes: network::routes(&routes, &ipv6_routes),
        kernel: needed("the kernel's release", "/proc/sys/kernel/osrelease")?.trim().to_owned(),
        file_systems: file_systems(&optional("the file systems of the kernel", "/proc/filesystems")?),
        cgroup_controllers: if cgroup_v2 {
            words(&optional("the cgroup controllers", "/sys/fs/cgroup/cgroup.controllers")?)
        } else {
            enabled_controllers(&optional("the cgroup controllers", "/proc/cgroups")?)
        },
        cgroup_v2,
        programs: programs(root, search_path),
        sysctls: sysctls(),
        proxies: proxies.to_vec(),
        ..Facts::default()
    })
}

/// The text of a file that every Linux has.
fn needed(what: &'static str, path: &str) -> Result<String, HostError> {
    fs::read_to_string(path).map_err(|source| HostError::Fact { what, source })
}

/// The text of a file that a kernel may lack; empty then.
pub(super) fn optional(what: &'static str, path: &str) -> Result<String, HostError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|source| HostError::Fact { what, source }),
    }
}

/// CPUs this process may use, which is what kubeadm counts.
fn cpus() -> usize {
    match sched_getaffinity(Pid::from_raw(0)) {
        Ok(set) => (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).count(),
        Err(_) => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn memory_mib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn swaps(text: &str) -> Vec<String> {
    let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    names.map(|name| name.replace("\\040", " ")).collect()
}

/// `nodev\toverlay` or `\text4`
fn file_systems(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `#subsys_name hierarchy num_cgroups enabled`
fn enabled_controllers(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace());
    let enabled = rows.filter_map(|mut row| Some((row.next()?, row.nth(2)?))).filter(|(_, enabled)| *enabled == "1");
    enabled.map(|(name, _)| name.to_owned()).collect()
}

fn is_unified_cgroup(mount: &Mount) -> bool {
    mount.point == Path::new("/sys/fs/cgroup") && mount.fs_type == "cgroup2"
}

/// A file's text; empty where it cannot be read.
fn text(root: &Root, path: &str) -> String {
    root.target(Path::new(path)).and_then(fs::read_to_string).unwrap_or_default()
}

fn inside(root: &Root, mount: &Mount) -> Option<Mount> {
    Some(Mount { point: root.inside(&mount.point)?, ..mount.clone() })
}

fn is_socket(root: &Root, path: &Path) -> bool {
    root.target(path).and_then(fs::metadata).is_ok_and(|found| found.file_type().is_socket())
}

fn programs(root: &Root, search_path: &OsStr) -> BTreeMap<String, PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(search_path).collect();
    let is_program = |path: &PathBuf| {
        let found = root.target(path).and_then(fs::metadata);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let found = PROGRAMS.iter().filter_map(|name| {
        let path = folders.iter().map(|folder| folder.join(name)).find(is_program)?;
        Some(((*name).to_owned(), path))
    });
    found.collect()
}

/// One that cannot be read is one that is not there: the kernel lacks the module.
fn sysctls() -> BTreeMap<String, String> {
    let found = SYSCTLS.iter().filter_map(|name| {
        let value = fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        Some(((*name).to_owned(), value.trim().to_owned()))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::super::mounts::Mounted;
    use super::*;

    #[test]
    fn memory_swap_and_controllers_are_read() {
        assert_eq!(memory_mib("MemTotal:       24689192 kB\nMemFree: 1 kB\n"), 24110);
        let table = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda\\0402  partition\t1\t0\t-2\n/swap file\t1\t0\t-3\n";
        assert_eq!(swaps(table), ["/dev/sda 2", "/swap"]);
        assert_eq!(swaps("Filename\tType\tSize\tUsed\tPriority\n"), [""; 0]);
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t2\t4\t1\nmemory\t0\t4\t0\npids\t3\t4\t1\n";
        assert_eq!(enabled_controllers(table), ["cpuset", "pids"]);
        assert_eq!(file_systems("nodev\tsysfs\nnodev\toverlay\n\text4\n"), ["sysfs", "overlay", "ext4"]);
    }

    #[test]
    fn only_a_unified_hierarchy_at_its_usual_place_is_cgroup_v2() {
        let mount = |point: &str, fs_type: &str| Mount {
            point: PathBuf::from(point),
            source: "cgroup".to_owned(),
            fs_type: fs_type.to_owned(),
            options: Vec::new(),
        };
        for (point, fs_type, expected) in [
            ("/sys/fs/cgroup", "cgroup2", true),
            ("/sys/fs/cgroup", "tmpfs", false),
            ("/sys/fs/cgroup/unified", "cgroup2", false),
        ] {
            assert_eq!(is_unified_cgroup(&mount(point, fs_type)), expected, "{point} {fs_type}");
        }
    }

    #[test]
    fn programs_are_found_in_the_order_of_the_search_path() {
        let scratch = super::super::scratch::Scratch::new();
        for (folder, name, mode) in [("a", "ip", 0o644), ("b", "ip", 0o755), ("c", "ip", 0o755), ("c", "tc", 0o755)] {
            fs::create_dir_all(scratch.join(folder)).unwrap();
            fs::write(scratch.join(folder).join(name), "").unwrap();
            fs::set_permissions(scratch.join(folder).join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths(["a", "b", "c"].map(|folder| scratch.join(folder))).unwrap();
        let expected = [("ip", scratch.join("b/ip")), ("tc", scratch.join("c/tc"))];
        assert_eq!(programs(&Root::default(), &path), expected.map(|(name, path)| (name.to_owned(), path)).into());
    }

    #[test]
    fn the_facts_of_this_machine_are_found() {
        let (kept, mounted) = (Kept::default(), Mounted::default().all().unwrap());
        let facts = look(&Root::default(), (OsStr::new("/usr/bin:/bin"), &[]), &mounted, &kept).unwrap();
        assert!(facts.cpus >= 1 && facts.memory_mib > 100, "{facts:?}");
        assert!(!facts.host_name.is_empty() && !facts.kernel.is_empty(), "{facts:?}");
        assert!(facts.interfaces.iter().any(|interface| interface.name == "lo"), "{facts:?}");
        assert!(facts.programs.contains_key("cp"), "{facts:?}");
        assert!(facts.file_systems.iter().any(|name| name == "proc"), "{facts:?}");
        let loopback = facts.interfaces.iter().find(|interface| interface.name == "lo").unwrap();
        assert!(loopback.mtu > 0, "{facts:?}");
    }

    #[test]
    fn what_stays_as_it_is_is_looked_at_again_when_something_was_changed() {
        let kept = Kept::default();
        let programs = |path: &str| look(&Root::default(), (OsStr::new(path), &[]), &[], &kept).unwrap().programs;
        let found = programs("/usr/bin:/bin");
        assert!(found.contains_key("cp"), "{found:?}");
        assert_eq!(programs("/nowhere"), found);
        kept.forget();
        assert!(programs("/nowhere").is_empty());
    }
}
