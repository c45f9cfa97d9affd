//! A machine of its own as far as `join` looks: its own name, machine ID and empty folders, in a mount namespace on a
//! node; runtime, network and programs are the node's. What systemctl says of the kubelet, and the kubelet, are stand-ins.
//!
//! Runs on the node, as `e2e world`. Everything but the folders of the world is read-only, so that nothing can leave it;
//! all of it is gone when its last process ends.

use crate::failure::Failure;
use crate::measure::process::{measure, tell};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::sethostname;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Where the world keeps what is not the program's: its stand-ins, name and machine ID.
pub const OWN: &str = "/run/kubestrap-e2e/world";

/// All that a worker's `join` writes into; in memory, because as many machines have as many disks.
const FOLDERS: [&str; 5] =
    ["/etc/kubernetes", "/usr/libexec/kubernetes", "/var/lib/kubelet", "/var/lib/kubestrap", "/var/log"];

const STAND_INS: [(&str, &str); 2] =
    [("systemctl", include_str!("systemctl-stand-in")), ("kubelet-stand-in", include_str!("kubelet-stand-in"))];

const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a node must have before worlds can be made on it.
pub const PREPARE: &str = "systemctl stop kubelet
mkdir -p /etc/kubernetes /usr/libexec/kubernetes /var/lib/kubestrap /run/kubestrap-e2e/world";

/// Makes the world, runs the command in it, and writes what it cost as one line of JSON.
pub fn enter(name: &str, command: &[&str]) -> Result<(), Failure> {
    make(name).map_err(|error| Failure::new(format!("cannot make the world of {name}"), error))?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new("a world needs a command", name));
    };
    let mut cost = measure(Command::new(program).args(arguments).env("PATH", format!("{OWN}:{SEARCH_PATH}")))?;
    if cost.code != Some(0) {
        let log = fs::read_to_string(format!("{OWN}/kubelet.log")).unwrap_or_default();
        cost.stderr.push_str(&format!("\nthe stand-in for the kubelet says: {log}"));
    }
    tell(&cost)
}

fn make(name: &str) -> std::io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
    sethostname(name)?;
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    for folder in FOLDERS.iter().chain([&OWN]) {
        mount(Some("kubestrap-e2e"), *folder, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))?;
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
    let hosts = fs::read_to_string("/etc/hosts")?;
    for (file, text) in
        [("machine-id", id), ("hostname", format!("{name}\n")), ("hosts", format!("{hosts}127.0.1.1 {name}\n"))]
    {
        let own = Path::new(OWN).join(file);
        fs::write(&own, text)?;
        mount(Some(&own), &Path::new("/etc").join(file), nothing, MsFlags::MS_BIND, nothing)?;
    }
    for (file, text) in STAND_INS {
        let path = Path::new(OWN).join(file);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    mount(nothing, "/", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY, nothing)?;
    Ok(())
}
