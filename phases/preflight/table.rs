//! The table of checks: every one with its name, its area, the roles it is for, and where it is done.
//!
//! A name with a part in `<>` stands for a family: `Port-<number>` is reported as `Port-6443`.

use super::finding::Findings;
use super::scene::{Role, Scene};
use super::{endpoint, etcd, host, kernel, kubelet, leftovers, network, programs, proxy, runtime, storage};

/// Part of the machine, or of its surroundings, that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Rights, CPUs, memory, name, clock.
    Host,
    /// Kernel: version, configuration, parameters, cgroups.
    Kernel,
    /// Programs that a node calls.
    Programs,
    /// The kubelet and its unit.
    Kubelet,
    /// The container runtime.
    Runtime,
    /// Ports, routes, names, proxies, firewall.
    Network,
    /// Disks and mounts.
    Storage,
    /// The cluster to join, and external etcd.
    Cluster,
    /// What another cluster left behind.
    Leftovers,
}

impl Area {
    /// Its name, as the command `preflight` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Kernel => "kernel",
            Self::Programs => "programs",
            Self::Kubelet => "kubelet",
            Self::Runtime => "runtime",
            Self::Network => "network",
            Self::Storage => "storage",
            Self::Cluster => "cluster",
            Self::Leftovers => "leftovers",
        }
    }
}

/// One check.
pub struct Check {
    /// Stable name, as `--ignore-preflight-errors` takes it.
    pub name: &'static str,
    /// What it is about.
    pub area: Area,
    /// Who is checked.
    pub roles: &'static [Role],
    pub(super) run: fn(&Scene<'_>) -> Findings,
}

const EVERY: &[Role] = &[Role::Init, Role::ControlPlane, Role::Worker];
const CONTROL: &[Role] = &[Role::Init, Role::ControlPlane];
const JOINING: &[Role] = &[Role::ControlPlane, Role::Worker];
const WORKER: &[Role] = &[Role::Worker];

/// All checks, in the order in which they are done and shown. The one for root is the first.
pub static CHECKS: &[Check] = &[
    Check { name: "IsPrivilegedUser", area: Area::Host, roles: EVERY, run: host::root },
    Check { name: "NumCPU", area: Area::Host, roles: CONTROL, run: host::cpus },
    Check { name: "Mem", area: Area::Host, roles: CONTROL, run: host::memory },
    Check { name: "Swap", area: Area::Host, roles: EVERY, run: host::swap },
    Check { name: "Hostname", area: Area::Host, roles: EVERY, run: host::host_name },
    Check { name: "KubernetesVersion", area: Area::Host, roles: CONTROL, run: host::kubernetes_version },
    Check { name: "TimeSync", area: Area::Host, roles: EVERY, run: host::time_sync },
    Check { name: "SELinux", area: Area::Host, roles: EVERY, run: host::selinux },
    Check { name: "SystemVerification", area: Area::Kernel, roles: EVERY, run: kernel::system_verification },
    Check { name: "KernelModules", area: Area::Kernel, roles: EVERY, run: kernel::modules },
    Check { name: "FileContent-<path>", area: Area::Kernel, roles: EVERY, run: kernel::parameters },
    Check { name: "Inotify", area: Area::Kernel, roles: EVERY, run: kernel::inotify },
    Check { name: "FileExisting-<program>", area: Area::Programs, roles: EVERY, run: programs::programs },
    Check { name: "Service-Kubelet", area: Area::Kubelet, roles: EVERY, run: kubelet::service },
    Check { name: "KubeletVersion", area: Area::Kubelet, roles: EVERY, run: kubelet::version },
    Check { name: "KubeletFlags", area: Area::Kubelet, roles: EVERY, run: kubelet::flags },
    Check { name: "CRI", area: Area::Runtime, roles: EVERY, run: runtime::answers },
    Check { name: "ContainerRuntimeVersion", area: Area::Runtime, roles: EVERY, run: runtime::version },
    Check { name: "PauseImage", area: Area::Runtime, roles: EVERY, run: runtime::pause_image },
    Check { name: "CgroupDriver", area: Area::Runtime, roles: EVERY, run: runtime::cgroup_driver },
    Check { name: "ImagePull", area: Area::Runtime, roles: CONTROL, run: runtime::images },
    Check { name: "Port-<number>", area: Area::Network, roles: EVERY, run: network::ports },
    Check { name: "DefaultRoute", area: Area::Network, roles: EVERY, run: network::default_route },
    Check { name: "Mtu", area: Area::Network, roles: EVERY, run: network::mtu },
    Check { name: "NetworkOverlap", area: Area::Network, roles: EVERY, run: network::overlaps },
    Check { name: "EndpointName", area: Area::Network, roles: EVERY, run: network::endpoint_name },
    Check { name: "Firewalld", area: Area::Network, roles: EVERY, run: network::firewall },
    Check { name: "HTTPProxy", area: Area::Network, roles: EVERY, run: proxy::endpoint },
    Check { name: "HTTPProxyCIDR", area: Area::Network, roles: CONTROL, run: proxy::networks },
    Check { name: "DiskSpace", area: Area::Storage, roles: EVERY, run: storage::space },
    Check { name: "MountOptions", area: Area::Storage, roles: EVERY, run: storage::mount_options },
    Check { name: "EtcdDisk", area: Area::Storage, roles: CONTROL, run: storage::etcd_disk },
    Check { name: "Endpoint", area: Area::Cluster, roles: JOINING, run: endpoint::reachable },
    Check { name: "Discovery", area: Area::Cluster, roles: JOINING, run: endpoint::discovery },
    Check { name: "ClockSkew", area: Area::Cluster, roles: JOINING, run: endpoint::clock_skew },
    Check { name: "DuplicateHostname", area: Area::Cluster, roles: JOINING, run: endpoint::duplicate_name },
    Check { name: "DuplicateMachineID", area: Area::Cluster, roles: JOINING, run: endpoint::duplicate_machine_id },
    Check { name: "DuplicateProductUUID", area: Area::Cluster, roles: JOINING, run: endpoint::duplicate_uuid },
    Check {
        name: "ExternalEtcdClientCertificates",
        area: Area::Cluster,
        roles: CONTROL,
        run: etcd::client_certificates,
    },
    Check { name: "ExternalEtcdVersion", area: Area::Cluster, roles: &[Role::Init], run: etcd::version },
    Check { name: "FileAvailable-<path>", area: Area::Leftovers, roles: CONTROL, run: leftovers::control_plane_files },
    Check { name: "FileAvailable-<path>", area: Area::Leftovers, roles: JOINING, run: leftovers::joining_files },
    Check { name: "FileAvailable-<path>", area: Area::Leftovers, roles: WORKER, run: leftovers::ca_certificate },
    Check { name: "FileIntact", area: Area::Leftovers, roles: EVERY, run: leftovers::damaged_files },
    Check { name: "Patches", area: Area::Leftovers, roles: EVERY, run: leftovers::ignored_patches },
    Check { name: "DirAvailable-<path>", area: Area::Leftovers, roles: EVERY, run: leftovers::folders },
];
