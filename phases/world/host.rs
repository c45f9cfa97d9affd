//! The machine we run on, as phases see it: files, facts, units, mounts, container runtime.
//!
//! Everything here only looks. What changes the machine is a `Change`, prepared and applied by the same port. Long, because
//! the port stands together with all the values that its answers are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Change, Undo};
use crate::config::Cidr;
use crate::problem::Explain;

/// The port to the machine.
pub trait Host {
    /// The content of a file; `None` when there is none.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, HostError>;
    /// What is at a path, not following a symbolic link; `None` when there is nothing.
    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError>;
    /// The entries of a folder by name; empty when there is no such folder.
    fn list(&self, folder: &Path) -> Result<Vec<FileInfo>, HostError>;
    /// The path as the kernel lists it among the mounts: links on the way and at its end followed, as far as it is there.
    fn resolve(&self, path: &Path) -> Result<PathBuf, HostError> {
        Ok(path.to_owned())
    }
    /// The folder that the files lie below when it is not `/`: nothing runs in it.
    fn rootfs(&self) -> Option<&Path>;
    /// One snapshot of what the machine is. Cheap enough to ask for twice.
    fn facts(&self) -> Result<Facts, HostError>;
    /// TCP ports that somebody listens on, and who: found out by looking through all processes.
    fn listeners(&self) -> Result<Vec<PortOwner>, HostError>;
    /// State of a unit of the init system.
    fn unit(&self, name: &str) -> Result<UnitState, HostError>;
    /// Runs a command that changes nothing.
    fn ask(&self, command: &Command) -> Result<Output, HostError>;
    /// Runs commands that change nothing, all at once where that is quicker; their answers are in the same order.
    fn ask_all(&self, commands: &[Command]) -> Result<Vec<Output>, HostError> {
        commands.iter().map(|command| self.ask(command)).collect()
    }
    /// Asks the container runtime at this CRI socket.
    fn runtime(&self, socket: &str) -> Result<RuntimeStatus, HostError>;
    /// Answers questions that take time, all at once and each with a limit of a few seconds. What cannot be found out is
    /// left out of the answer.
    fn probe(&self, _probes: &Probes) -> Probed {
        Probed::default()
    }
    /// Works out, and keeps on disk where needed, what would take a change back.
    fn prepare(&self, change: &Change) -> Result<Undo, HostError>;
    /// Makes a change.
    fn apply(&self, change: &Change) -> Result<(), HostError>;
    /// Makes what was kept and changed so far last through a power cut.
    fn settle(&self) -> Result<(), HostError> {
        Ok(())
    }
}

/// What kind of thing is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A socket, device or pipe.
    Other,
}

/// One entry of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Whole path.
    pub path: PathBuf,
    /// File, folder, link or other.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// User that it belongs to.
    pub uid: u32,
    /// Group that it belongs to.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Whether something is mounted on exactly this path.
    pub is_mount_point: bool,
}

/// What the machine is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Effective user id.
    pub uid: u32,
    /// Host name as the kernel knows it.
    pub host_name: String,
    /// `/etc/machine-id`; empty where there is none.
    pub machine_id: String,
    /// UUID that the firmware gives the machine; empty where there is none, or where only root may read it.
    pub system_uuid: String,
    /// Logical CPUs.
    pub cpus: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Swap devices and files in use.
    pub swaps: Vec<String>,
    /// Source address of the IPv4 default route, then of the IPv6 one.
    pub default_addresses: Vec<IpAddr>,
    /// Interfaces with their addresses.
    pub interfaces: Vec<Interface>,
    /// Routes of the main table that lead somewhere, default routes among them.
    pub routes: Vec<Route>,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// File systems that the kernel has ready.
    pub file_systems: Vec<String>,
    /// cgroup controllers the kernel has enabled.
    pub cgroup_controllers: Vec<String>,
    /// Whether only the unified cgroup v2 hierarchy is mounted.
    pub cgroup_v2: bool,
    /// CRI sockets that exist, of the well-known ones.
    pub cri_sockets: Vec<PathBuf>,
    /// Which of the programs that a node needs were found, and where.
    pub programs: BTreeMap<String, PathBuf>,
    /// Kernel parameters that preflight looks at, by path below `/proc/sys`.
    pub sysctls: BTreeMap<String, String>,
    /// Mount points.
    pub mounts: Vec<Mount>,
    /// Proxy variables of our own environment, in order.
    pub proxies: Vec<(String, String)>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Size of the largest packet it sends, in bytes; 0 where it is not known.
    pub mtu: u32,
}

/// A route of the kernel's main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Interface it leads through.
    pub interface: String,
    /// Network it leads to; of prefix 0 for a default route.
    pub destination: Cidr,
    /// Of several routes to one network the one with the lowest metric is taken.
    pub metric: u32,
}

/// A TCP port in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// The port.
    pub port: u16,
    /// Process id, where it could be found out.
    pub pid: Option<u32>,
    /// Name of the program, where it could be found out.
    pub program: Option<String>,
}

/// A mount point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub point: PathBuf,
    /// What: device or source.
    pub source: String,
    /// File system type.
    pub fs_type: String,
    /// Options such as `rw`, `noexec`.
    pub options: Vec<String>,
}

/// Questions about the machine that take time to answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probes {
    /// Names to look up.
    pub names: BTreeSet<String>,
    /// Where to connect over TCP.
    pub peers: BTreeSet<(String, u16)>,
    /// Folders on whose file systems space is looked for; those above count where one is not there.
    pub folders: BTreeSet<PathBuf>,
    /// Folder on whose file system the latency of synced writes is measured, with a temporary file.
    pub disk: Option<PathBuf>,
    /// Whether to ask if something keeps the clock right.
    pub clock: bool,
}

/// Answers to `Probes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probed {
    /// Addresses by name, or why there are none.
    pub names: BTreeMap<String, Result<Vec<IpAddr>, String>>,
    /// What a connection showed, or why there was none.
    pub peers: BTreeMap<(String, u16), Result<Peer, String>>,
    /// Space by the folder that was asked for.
    pub folders: BTreeMap<PathBuf, Space>,
    /// Latency of synced writes, or why it could not be measured.
    pub disk: Option<Result<DiskLatency, String>>,
    /// Whether a service keeps the clock right; `None` where nobody tells.
    pub clock_synchronized: Option<bool>,
}

/// A TCP connection that was made and closed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How long it took to connect.
    pub took: Duration,
    /// Our own address on it.
    pub local: IpAddr,
    /// Bytes that fit into one segment, as both sides agreed; 0 where it is not known.
    pub segment: u32,
}

/// Space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What may still be written.
    pub available: u64,
    /// All there is.
    pub total: u64,
}

/// How long it takes until a write has reached the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLatency {
    /// The folder that was measured in: the one asked for, or the nearest above.
    pub folder: PathBuf,
    /// How many writes were measured.
    pub writes: usize,
    /// 99 of 100 writes took no longer.
    pub p99: Duration,
}

/// State of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// Whether the init system knows it.
    pub exists: bool,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// Whether the administrator has forbidden every start of it (`systemctl mask`).
    pub masked: bool,
    /// `active`, `activating`, `inactive`, `failed`.
    pub active: String,
    /// `running`, `auto-restart`, `dead` and so on.
    pub sub: String,
    /// How often the init system restarted it.
    pub restarts: u32,
    /// Exit code of its last run.
    pub exit_code: i32,
    /// Main process, 0 when there is none.
    pub pid: u32,
    /// How long it has been active, where the init system tells.
    pub active_for: Option<Duration>,
}

/// A command with its arguments; never carries a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Name looked up in the path, and arguments.
    pub words: Vec<String>,
    /// What it reads on standard input.
    pub input: Option<String>,
}

impl Command {
    /// A command without input.
    pub fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|&word| word.to_owned()).collect(), input: None }
    }
}

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// What the container runtime answers over CRI.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuntimeStatus {
    /// Name, such as `containerd`.
    pub name: String,
    /// Version of the runtime.
    pub version: String,
    /// CRI version it answered in: `v1` or `v1alpha2`.
    pub api: String,
    /// Why it is not ready; `None` when it is.
    pub not_ready: Option<String>,
    /// The sandbox image it is configured with, where it tells.
    pub sandbox_image: Option<String>,
    /// Whether it uses the systemd cgroup driver, where it tells.
    pub systemd_cgroup: Option<bool>,
    /// Whether it can be asked for its cgroup driver over CRI (`RuntimeConfig`).
    pub tells_cgroup_driver: bool,
    /// Folder with its images and containers, where it tells.
    pub root: Option<PathBuf>,
    /// References of the images it has.
    pub images: Vec<String>,
    /// Pod sandboxes.
    pub sandboxes: Vec<Sandbox>,
}

/// A Pod sandbox and the newest state of its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Runtime's id.
    pub id: String,
    /// Pod name.
    pub name: String,
    /// Pod namespace.
    pub namespace: String,
    /// Whether a kubelet made it; others may make sandboxes over CRI too.
    pub is_of_kubelet: bool,
    /// Containers by name: state in words, attempt, exit code and path of the log.
    pub containers: Vec<ContainerInfo>,
}

/// A container in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// Runtime's id.
    pub id: String,
    /// Name in the Pod.
    pub name: String,
    /// `created`, `running`, `exited`, `unknown`.
    pub state: String,
    /// How often it was started before.
    pub attempt: u32,
    /// Exit code, once it has exited.
    pub exit_code: i32,
    /// The runtime's word for why it has exited, such as `OOMKilled`; empty before.
    pub reason: String,
    /// Log file on this host.
    pub log: PathBuf,
}

/// Images to be present in the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePull {
    /// CRI socket.
    pub socket: String,
    /// References.
    pub images: Vec<String>,
    /// Whether one is pulled after the other, rather than several at once.
    pub is_serial: bool,
}

/// A look at the machine, or a change of it, that failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file or folder could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file or folder could not be written, moved or removed.
    #[error("cannot {action} {path}")]
    Write {
        /// The verb: write, make, move, remove, unmount.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A command could not be started or ended with an error.
    #[error("the command failed: {command}")]
    Command {
        /// The command with its arguments.
        command: String,
        /// Its output or why it could not be started.
        source: std::io::Error,
    },
    /// The container runtime did not answer or refused.
    #[error("the container runtime at {socket} failed to {action}")]
    Runtime {
        /// CRI socket.
        socket: String,
        /// What was asked of it.
        action: String,
        /// Its answer.
        source: std::io::Error,
    },
    /// The files are those of a system that does not run.
    #[error("cannot {action}: no system runs in {}", root.display())]
    NotRunning {
        /// What would need a running system.
        action: String,
        /// The folder that `--rootfs` names.
        root: PathBuf,
        /// That it does.
        source: std::io::Error,
    },
    /// A fact about the machine could not be found out.
    #[error("cannot find out {what}")]
    Fact {
        /// Which fact.
        what: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl HostError {
    /// Whether a file system, or somebody's share of it, has no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write { source, .. } if is_full(source.kind()))
    }

    /// What cannot be done to the files of a system that does not run.
    pub fn not_running(action: impl Into<String>, root: &Path) -> Self {
        let source = std::io::Error::other("--rootfs names the files of a system, and this one runs beside them");
        Self::NotRunning { action: action.into(), root: root.to_owned(), source }
    }
}

/// The kernel's words for a disk without space, or without space for this user.
pub(crate) fn is_full(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// What to do about a full disk on which this file lies.
pub(crate) fn full_disk_fixes(path: &Path) -> Vec<String> {
    let folder = path.parent().unwrap_or(path).display();
    vec![
        format!("see how full it is: df -h {folder}; df -i {folder}"),
        "free space on that file system, then run the same command again: it goes on from here".to_owned(),
    ]
}

impl Explain for HostError {
    fn id(&self) -> &'static str {
        match self {
            Self::Read { .. } => "host-read",
            _ if self.is_disk_full() => "disk-full",
            Self::Write { .. } => "host-write",
            Self::Command { .. } => "host-command",
            Self::Runtime { .. } => "runtime-failed",
            Self::NotRunning { .. } => "rootfs-not-running",
            Self::Fact { .. } => "host-fact",
        }
    }

    fn place(&self) -> Option<String> {
        match self {
            Self::Read { path, .. } | Self::Write { path, .. } => Some(path.display().to_string()),
            Self::Runtime { socket, .. } => Some(socket.clone()),
            Self::NotRunning { root, .. } => Some(root.display().to_string()),
            Self::Command { .. } | Self::Fact { .. } => None,
        }
    }

    fn fixes(&self) -> Vec<String> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                vec!["run the same command as root: sudo kubestrap …".to_owned()]
            }
            Self::Write { path, .. } if self.is_disk_full() => full_disk_fixes(path),
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => vec![
                "bring its server back, or take it away (umount -f -l <mount point>), then run the same command again"
                    .to_owned(),
            ],
            Self::Read { path, .. } | Self::Write { path, .. } => {
                vec![format!("look at it: ls -ld {}", path.display())]
            }
            Self::Command { command, .. } => vec![format!("run it by hand to see more: {command}")],
            Self::Runtime { .. } => vec!["look at the runtime's log: journalctl -u containerd -n 50".to_owned()],
            Self::NotRunning { root, .. } => vec![
                "boot that system and run this phase there".to_owned(),
                format!(
                    "here, run the phases that make files, such as: kubestrap init phase certs all --rootfs {}",
                    root.display()
                ),
            ],
            Self::Fact { .. } => {
                vec!["check that /proc and /sys are mounted: mount | grep -E ' /(proc|sys) '".to_owned()]
            }
        }
    }
}
