//! A node as a systemd container: an overlay over the shared root file system, a network namespace of its own on the
//! run's bridge, cgroups of its own. This file makes the node's parts, starts it, and cuts its power; what a test does
//! with a running node is in `mod.rs`.

use super::{Node, cgroups};
use crate::clean;
use crate::command::{here, run};
use crate::failure::Failure;
use crate::run::Record;
use crate::wait::{Answer, wait_for};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Folders that cannot lie on an overlay: containerd's snapshotter makes overlays in its own, the kubelet measures
/// its own, and etcd syncs its own.
const PLAIN_FOLDERS: [(&str, &str); 3] =
    [("containerd", "/var/lib/containerd"), ("kubelet", "/var/lib/kubelet"), ("etcd", "/var/lib/etcd")];

/// Moves itself into the cgroups, then becomes the command.
const IN_CGROUPS: &str = r#"for cgroup in $CGROUPS; do echo $$ >"$cgroup/cgroup.procs" || exit 125; done
unset CGROUPS; exec "$@""#;

/// Lays out the node's disk: what remains when its power is cut.
pub(super) fn make_disk(record: &Record, node: &Node) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::new(format!("cannot make the disk of node {}", node.name), error);
    for folder in ["root", "upper", "work", "kubelet", "etcd"] {
        fs::create_dir_all(node.folder.join(folder)).map_err(fail)?;
    }
    copy_store(&record.prepared.join("store"), &node.folder.join("containerd"))?;
    let prepared = record.prepared.display();
    let folder = node.folder.display();
    let layers = format!("lowerdir={prepared}/layer:{prepared}/rootfs,upperdir={folder}/upper,workdir={folder}/work");
    here("mount", &["-t", "overlay", "kubestrap-e2e", "-o", &layers, &node.root().to_string_lossy()])?;
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(fail)?.replace('-', "");
    for (path, text) in [
        ("etc/machine-id", id),
        ("etc/hostname", format!("{}\n", node.name)),
        ("etc/hosts", format!("127.0.0.1 localhost\n::1 localhost\n{} {}\n", node.address, node.name)),
        // Names that nobody can answer must fail at once, or the kubelet stalls.
        ("etc/resolv.conf", "nameserver 127.0.0.1\n".to_owned()),
        ("etc/default/kubelet", KEEPS_IMAGES.to_owned()),
    ] {
        fs::write(node.root().join(path), text).map_err(fail)?;
    }
    Ok(())
}

/// Nodes share this machine's disk, and no registry would give an image back: a kubelet must neither collect images nor
/// evict Pods because that disk is nearly full.
const KEEPS_IMAGES: &str = "KUBELET_EXTRA_ARGS=--image-gc-high-threshold=100 \
    --eviction-hard=memory.available<100Mi,nodefs.available<1%,imagefs.available<1%\n";

/// Copies containerd's store by hard links, all but its databases, which containerd writes into.
fn copy_store(store: &Path, target: &Path) -> Result<(), Failure> {
    let (from, to) = (format!("{}/.", store.display()), target.to_string_lossy().into_owned());
    if here("cp", &["-al", &from, &to]).is_err() {
        clean::gone(target)?;
        here("cp", &["-a", "--reflink=auto", &from, &to])?;
        return Ok(());
    }
    for database in ["io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"] {
        let (from, to) = (store.join(database), target.join(database));
        here("cp", &["--remove-destination", &from.to_string_lossy(), &to.to_string_lossy()])?;
    }
    Ok(())
}

/// Connects the node with the run's bridge, through a namespace that `unshare` pins to a file.
fn connect(record: &Record, node: &Node) -> Result<(), Failure> {
    let namespace = node.network_namespace();
    if let Some(folder) = namespace.parent() {
        fs::create_dir_all(folder)
            .and_then(|()| File::create(&namespace))
            .map_err(|error| Failure::new(format!("cannot make {}", namespace.display()), error))?;
    }
    let namespace = namespace.to_string_lossy();
    here("unshare", &[&format!("--net={namespace}"), "true"])?;
    let link = node.link(record);
    here("ip", &["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
    here("ip", &["link", "set", &link, "master", &record.prefix(), "up"])?;
    // An address that is used again keeps its hardware address, or its neighbours would send to the node before it.
    let [a, b, c, d] = node.address.octets();
    let mut lines = format!(
        "link set eth0 address 02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}\nlink set lo up\n\
         addr add {}/24 dev eth0\nlink set eth0 up\nroute add default via {}\n\
         route add unreachable 169.254.0.0/16\n",
        node.address,
        record.address(1)
    );
    for route in node.routes()? {
        lines.push_str(&format!("route replace {route}\n"));
    }
    let mut inside = Command::new("nsenter");
    inside.arg(format!("--net={namespace}")).args(["ip", "-batch", "-"]);
    run(&mut inside, lines.as_bytes(), Duration::from_secs(10))?.success()?;
    Ok(())
}

/// Switches the node on and waits until its systemd has started everything.
pub(super) fn boot(record: &Record, node: &Node) -> Result<(), Failure> {
    connect(record, node)?;
    let cgroups = cgroups::create(&record.cgroups, &node.cgroup(record))?;
    let console = File::create(node.folder.join("console.log"))
        .and_then(|file| Ok((file.try_clone()?, file)))
        .map_err(|error| Failure::new("cannot make the console's log", error))?;
    let mut command = Command::new("setsid");
    command
        .args(["sh", "-c", IN_CGROUPS, "sh", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"])
        .arg("--directory")
        .arg(node.root())
        .arg(format!("--machine={}", node.cgroup(record)))
        .arg(format!("--hostname={}", node.name))
        .arg(format!("--network-namespace-path={}", node.network_namespace().display()))
        .args(["--capability=all", "--bind=/dev/kmsg", "--resolv-conf=off", "--timezone=off", "--link-journal=no"])
        .arg("--console=pipe")
        .args(PLAIN_FOLDERS.map(|(folder, inside)| format!("--bind={}:{inside}", node.folder.join(folder).display())))
        .env("CGROUPS", joined(&cgroups))
        .env("SYSTEMD_SECCOMP", "0")
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1")
        .env("SYSTEMD_NSPAWN_USE_CGNS", "1")
        .env("SYSTEMD_NSPAWN_TMPFS_TMP", "0")
        .stdin(Stdio::null())
        .stdout(console.0)
        .stderr(console.1);
    let mut nspawn = command.spawn().map_err(|error| Failure::new("cannot run systemd-nspawn", error))?;
    let outcome = wait_for(&format!("node {} to start", node.name), Duration::from_secs(60), || {
        if let Ok(Some(status)) = nspawn.try_wait() {
            return Answer::NotYet(format!("systemd-nspawn has ended: {status}"));
        }
        match init_below(nspawn.id()) {
            Some(init) => started(node, init),
            None => Answer::NotYet("there is no init yet".to_owned()),
        }
    });
    // Someone must take the supervisor's exit status when the node's power is cut.
    std::thread::spawn(move || nspawn.wait());
    outcome.map_err(|failure| {
        let console = fs::read_to_string(node.folder.join("console.log")).unwrap_or_default();
        Failure::new(failure.to_string(), console)
    })
}

fn started(node: &Node, init: i32) -> Answer<()> {
    if let Err(failure) = node.set_init(Some(init)) {
        return Answer::NotYet(failure.to_string());
    }
    match node.run(&["systemctl", "is-system-running"]) {
        Ok(output) if matches!(output.line(), "running" | "degraded") => Answer::Yes(()),
        Ok(output) => Answer::NotYet(output.to_string()),
        Err(failure) => Answer::NotYet(failure.to_string()),
    }
}

/// The container's first process: the child of systemd-nspawn that is number 1 in its own namespace.
fn init_below(nspawn: u32) -> Option<i32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let is = |field: &str, value: &str| {
            status.lines().any(|line| line.strip_prefix(field).is_some_and(|found| found.trim() == value))
        };
        is("PPid:", &nspawn.to_string()) && is("NSpid:", &format!("{pid}\t1"))
    })
}

/// Kills the node at once, as a power cut does: no process gets a chance to write, the disk stays, and what only
/// lives in memory (links, iptables, cgroups) is gone.
pub(super) fn cut_power(record: &Record, node: &Node) -> Result<(), Failure> {
    node.set_init(None)?;
    for parent in &record.cgroups {
        cgroups::remove(&parent.join(node.cgroup(record)))?;
    }
    let namespace = node.network_namespace();
    clean::unmount_below(&[&namespace])?;
    let _ = fs::remove_file(&namespace);
    let link = node.link(record);
    if Path::new("/sys/class/net").join(&link).exists() {
        // The kernel may be taking it away at this moment, with the namespace.
        let _ = here("ip", &["link", "del", &link]);
    }
    wait_for("the node's link to be gone", Duration::from_secs(10), || {
        Answer::from_bool(!Path::new("/sys/class/net").join(&link).exists(), || link.clone())
    })
}

/// The command that runs `arguments` inside the node, in all its namespaces and in the cgroups of its init.
pub(super) fn inside(init: i32, arguments: &[String]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", IN_CGROUPS, "sh", "nsenter", "--target", &init.to_string(), "--all", "--"])
        .args(["env", "-i", "-C", "/root", "HOME=/root", "USER=root", "LANG=C.UTF-8"])
        .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .args(arguments)
        .env("CGROUPS", joined(&cgroups::of_process(init)));
    command
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
