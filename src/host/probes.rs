//! Questions that take time: names, connections, the disk's latency, the clock. Each has a thread and a limit.
//!
//! The only thing that is written is one file on the disk that is measured; it is removed before the answer is given.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kubestrap_phases::world::{Command, DiskLatency, Peer, Probed, Probes, Space};
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::statvfs::statvfs;

use super::commands;
use super::root::Root;

/// How long any of the questions may take. A resolver that is away takes longer; its thread is left alone.
const LIMIT: Duration = Duration::from_secs(3);

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_millis(2500);

/// What is written at once: about the size of an entry in etcd's log.
const BLOCK: [u8; 8192] = [0x5a; 8192];

/// How many writes are measured at most, and for how long.
const WRITES: usize = 100;
const WRITING: Duration = Duration::from_millis(100);

/// The file that is written while the disk is measured.
const MEASURED: &str = ".kubestrap-disk-latency";

/// An answer, as its thread gives it.
enum Found {
    Name(String, Result<Vec<IpAddr>, String>),
    Peer((String, u16), Result<Peer, String>),
    Folder(PathBuf, Space),
    Disk(Result<DiskLatency, String>),
    Clock(bool),
}

/// Asks everything at once. Folders lie below the root; the rest is this machine's.
pub(super) fn ask(probes: &Probes, root: &Root) -> Probed {
    let (answer, answers) = mpsc::channel();
    let ask = |question: Box<dyn FnOnce() -> Option<Found> + Send>| {
        let answer = answer.clone();
        // Nobody listens any more when the limit is over.
        std::thread::spawn(move || question().map(|found| answer.send(found)));
    };
    for name in &probes.names {
        let name = name.clone();
        ask(Box::new(move || {
            let found = addresses(&name);
            Some(Found::Name(name, found))
        }));
    }
    for peer in &probes.peers {
        let peer = peer.clone();
        ask(Box::new(move || {
            let found = connect(&peer.0, peer.1);
            Some(Found::Peer(peer, found))
        }));
    }
    for folder in &probes.folders {
        let (folder, root) = (folder.clone(), root.clone());
        // A network file system that is away does not answer.
        ask(Box::new(move || {
            let found = space(&root.target(&folder).ok()?)?;
            Some(Found::Folder(folder, found))
        }));
    }
    if let Some(folder) = probes.disk.clone() {
        let root = root.clone();
        ask(Box::new(move || {
            let found = root.target(&folder).and_then(|folder| disk_latency(&folder));
            Some(Found::Disk(found.map_err(|error| error.to_string())))
        }));
    }
    if probes.clock {
        ask(Box::new(|| clock_synchronized().map(Found::Clock)));
    }
    drop(answer);
    collect(&answers, probes)
}

/// Takes answers until all have come or the limit is over.
fn collect(answers: &mpsc::Receiver<Found>, probes: &Probes) -> Probed {
    let late = || format!("no answer within {} s", LIMIT.as_secs());
    let mut probed = Probed {
        names: probes.names.iter().map(|name| (name.clone(), Err(late()))).collect(),
        peers: probes.peers.iter().map(|peer| (peer.clone(), Err(late()))).collect(),
        folders: BTreeMap::new(),
        disk: probes.disk.is_some().then(|| Err(late())),
        clock_synchronized: None,
    };
    let end = Instant::now() + LIMIT;
    while let Ok(found) = answers.recv_timeout(end.saturating_duration_since(Instant::now())) {
        match found {
            Found::Name(name, found) => drop(probed.names.insert(name, found)),
            Found::Peer(peer, found) => drop(probed.peers.insert(peer, found)),
            Found::Folder(folder, space) => drop(probed.folders.insert(folder, space)),
            Found::Disk(found) => probed.disk = Some(found),
            Found::Clock(found) => probed.clock_synchronized = Some(found),
        }
    }
    probed
}

fn addresses(name: &str) -> Result<Vec<IpAddr>, String> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in (name, 0).to_socket_addrs().map_err(|error| words(&error))? {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    Ok(found)
}

/// Connects to the first address that answers.
fn connect(host: &str, port: u16) -> Result<Peer, String> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(|error| words(&error))?.collect();
    let mut reason = "the name has no address".to_owned();
    for address in addresses {
        let began = Instant::now();
        match TcpStream::connect_timeout(&address, CONNECT_LIMIT) {
            Ok(stream) => {
                let took = began.elapsed();
                let local = stream.local_addr().map_err(|error| words(&error))?.ip();
                let segment = getsockopt(&stream, sockopt::TcpMaxSeg).unwrap_or(0);
                return Ok(Peer { took, local, segment });
            }
            Err(error) => reason = words(&error),
        }
    }
    Err(reason)
}

/// The kernel's words without Rust's number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split(" (os error").next().unwrap_or(text).to_owned()
}

fn space(folder: &Path) -> Option<Space> {
    let found = statvfs(nearest(folder)).ok()?;
    let size = found.fragment_size();
    Some(Space { available: found.blocks_available() * size, total: found.blocks() * size })
}

/// The folder, or the nearest above that is there.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|above| above.is_dir()).unwrap_or_else(|| Path::new("/"))
}

/// The file that is measured with; gone when it is dropped.
struct Measured(PathBuf);

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes as etcd does, to a file of a name: some file systems do not sync files without one.
fn disk_latency(folder: &Path) -> io::Result<DiskLatency> {
    let folder = nearest(folder);
    let path = folder.join(MEASURED);
    if fs::symlink_metadata(&path).is_ok() {
        // Left by a run that was killed.
        fs::remove_file(&path)?;
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let _measured = Measured(path);
    let began = Instant::now();
    let mut took: Vec<Duration> = Vec::with_capacity(WRITES);
    while took.len() < WRITES && began.elapsed() < WRITING {
        let write = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        took.push(write.elapsed());
    }
    Ok(DiskLatency { folder: folder.to_owned(), writes: took.len(), p99: p99(took) })
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let index = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(index).copied().unwrap_or_default()
}

/// Services that keep a clock right, under the names of distributions.
const CLOCK_SERVICES: [&str; 9] =
    ["chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "ptp4l", "systemd-timesyncd", "timemaster"];

/// Made by systemd-timesyncd when it has set the clock.
const SET_BY_TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// By the services that run. timedatectl would know more, but asking it starts a service and leaves its folders.
/// `None` where systemd cannot be asked.
fn clock_synchronized() -> Option<bool> {
    let words: Vec<&str> = ["systemctl", "is-active"].into_iter().chain(CLOCK_SERVICES).collect();
    let answer = commands::ask(&Command::new(&words)).ok()?;
    is_kept_right(&answer.stdout, Path::new(SET_BY_TIMESYNCD).exists())
}

/// From a line per service: `active`, `inactive`, `unknown`.
fn is_kept_right(states: &str, is_set_by_timesyncd: bool) -> Option<bool> {
    let states: Vec<&str> = states.lines().map(str::trim).collect();
    if states.len() != CLOCK_SERVICES.len() {
        return None;
    }
    let mut services = CLOCK_SERVICES.iter().zip(states).filter(|(_, state)| *state == "active");
    Some(services.any(|(name, _)| *name != "systemd-timesyncd" || is_set_by_timesyncd))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn everything_is_asked_at_once_and_answered() {
        let scratch = Scratch::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let closed = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            ("127.0.0.1".to_owned(), gone.local_addr().unwrap().port())
        };
        let probes = Probes {
            names: ["localhost".to_owned()].into(),
            peers: [open.clone(), closed.clone()].into(),
            folders: [scratch.join("not/there")].into(),
            disk: Some(scratch.join("etcd")),
            clock: false,
        };
        let probed = ask(&probes, &Root::default());
        assert!(probed.names["localhost"].as_ref().unwrap().iter().any(IpAddr::is_loopback), "{probed:?}");
        let peer = probed.peers[&open].as_ref().unwrap();
        assert!(peer.local.is_loopback() && peer.segment > 500, "{peer:?}");
        assert_eq!(probed.peers[&closed].as_ref().unwrap_err(), "Connection refused");
        let space = probed.folders[&scratch.join("not/there")];
        assert!(space.total > space.available || space.total > 0, "{space:?}");
        let disk = probed.disk.unwrap().unwrap();
        assert!(disk.folder == scratch.path() && disk.writes > 0 && disk.p99 > Duration::ZERO, "{disk:?}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn what_a_killed_run_left_is_measured_anew_and_a_folder_that_cannot_be_written_is_told() {
        let scratch = Scratch::new();
        fs::write(scratch.join(MEASURED), "left").unwrap();
        disk_latency(scratch.path()).unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        let probed = ask(&Probes { disk: Some(PathBuf::from("/proc/self")), ..Probes::default() }, &Root::default());
        probed.disk.unwrap().unwrap_err();
    }

    #[test]
    fn of_a_hundred_writes_the_second_worst_counts_and_of_few_the_worst() {
        let worst = |count: u64| p99((1..=count).map(Duration::from_millis).collect()).as_millis();
        assert_eq!([worst(100), worst(99), worst(3), worst(1), worst(0)], [99, 99, 3, 1, 0]);
    }

    #[test]
    fn a_clock_is_kept_right_by_any_service_that_runs_and_by_timesyncd_once_it_has_set_it() {
        let with =
            |active: &str| CLOCK_SERVICES.map(|name| if name == active { "active\n" } else { "inactive\n" }).concat();
        for (active, is_set, expected) in [
            ("chrony", false, Some(true)),
            ("systemd-timesyncd", true, Some(true)),
            ("systemd-timesyncd", false, Some(false)),
            ("none", true, Some(false)),
        ] {
            assert_eq!(is_kept_right(&with(active), is_set), expected, "{active} {is_set}");
        }
        assert_eq!(is_kept_right("System has not been booted with systemd\n", false), None);
    }

    #[test]
    fn a_name_that_nobody_has_gives_a_reason() {
        assert!(!addresses("kubestrap-no-such-name.invalid").unwrap_err().contains("os error"));
    }
}
