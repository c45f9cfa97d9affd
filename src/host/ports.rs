//! TCP ports that somebody listens on, and who: the kernel's listeners joined with the open files of all processes.
//!
//! Looking through the processes leaves out those of other network namespaces, which are most on a node full of Pods, and
//! stops as soon as every port has its owner. Without root, only our own are seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kubestrap_phases::world::{HostError, PortOwner};

use super::facts::optional;
use super::listeners;

/// State number of a listening socket in the kernel's table.
const LISTEN: &str = "0A";

/// All listening TCP ports of both families, each once.
pub(super) fn listeners() -> Result<Vec<PortOwner>, HostError> {
    // A kernel may be built without netlink's part for it.
    let sockets = listeners::listeners().or_else(|_| from_files())?;
    let unknown = |port: &u16| (*port, PortOwner { port: *port, pid: None, program: None });
    let mut owners: BTreeMap<u16, PortOwner> = sockets.values().map(unknown).collect();
    find_owners(&mut owners, sockets);
    Ok(owners.into_values().collect())
}

fn from_files() -> Result<BTreeMap<u64, u16>, HostError> {
    let mut sockets = read(&optional("the listening ports", "/proc/net/tcp")?);
    sockets.extend(read(&optional("the listening ports", "/proc/net/tcp6")?));
    Ok(sockets)
}

/// Inode of the socket → port.
fn read(table: &str) -> BTreeMap<u64, u16> {
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row.len() > 9 && row[3] == LISTEN);
    let found = listening.filter_map(|row| {
        let (_, port) = row[1].rsplit_once(':')?;
        Some((row[9].parse().ok()?, u16::from_str_radix(port, 16).ok()?))
    });
    found.collect()
}

fn find_owners(owners: &mut BTreeMap<u16, PortOwner>, mut sockets: BTreeMap<u64, u16>) {
    // A process that ends while it is looked at owns nothing; so does one that is not ours to look at.
    let (Ok(processes), Ok(our_network)) = (fs::read_dir("/proc"), fs::read_link("/proc/self/ns/net")) else { return };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if sockets.is_empty() {
            return;
        }
        if fs::read_link(process.path().join("ns/net")).ok().as_ref() != Some(&our_network) {
            continue;
        }
        let Ok(open_files) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in open_files.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            if let Some(port) = socket_inode(&target).and_then(|inode| sockets.remove(&inode))
                && let Some(owner) = owners.get_mut(&port)
            {
                owner.pid = Some(pid);
                owner.program = fs::read_to_string(process.path().join("comm")).ok().map(|name| name.trim().to_owned());
            }
        }
    }
}

/// `socket:[4711]`
fn socket_inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2787 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:2787 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0000000000000000 100 0 0 10 0
";

    #[test]
    fn listening_sockets_are_read_and_connections_are_not() {
        assert_eq!(read(TCP), BTreeMap::from([(4711, 10119)]));
        assert_eq!(read(TCP6), BTreeMap::from([(99, 6443)]));
    }

    #[test]
    fn a_socket_is_told_from_other_open_files() {
        for (target, expected) in [("socket:[4711]", Some(4711)), ("pipe:[4711]", None), ("/dev/null", None)] {
            assert_eq!(socket_inode(Path::new(target)), expected, "{target}");
        }
    }

    #[test]
    fn our_own_listener_is_found_with_our_process_id() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let owner = || listeners().unwrap().into_iter().find(|owner| owner.port == port);
        let found = owner().unwrap();
        assert_eq!((found.pid, found.program.is_some()), (Some(std::process::id()), true));
        drop(listener);
        assert!(owner().is_none());
    }
}
