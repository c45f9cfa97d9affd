//! What kube-proxy makes in IPVS mode: the dummy link `kube-ipvs0` with the addresses of all Services, a virtual server
//! for each of them and for each node port, and sets named `KUBE-…`.
//!
//! Virtual servers at other addresses are somebody else's and stay, as do all of them where there is no such link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::counted;
use crate::problem::Problem;
use crate::world::{Change, Command, Event, Facts, World};

const LINK: &str = "kube-ipvs0";

/// Node ports, unless an API server was told otherwise.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// What tells which sets there are.
pub(super) fn question(facts: &Facts, world: &World<'_>) -> Result<Option<Command>, Problem> {
    // Asking would have the kernel load what is for sets.
    let may_have_sets =
        facts.programs.contains_key("ipset") && world.host().stat(Path::new("/sys/module/ip_set"))?.is_some();
    Ok(may_have_sets.then(|| Command::new(&["ipset", "list", "-n"])))
}

/// Removes virtual servers, link and those of the listed sets that are kube-proxy's; what cannot be removed for want of a program is told.
pub(super) fn clean(facts: &Facts, listed: &str, world: &World<'_>) -> Result<(), Problem> {
    if let Some(link) = facts.interfaces.iter().find(|interface| interface.name == LINK) {
        let table = world.host().read(Path::new("/proc/net/ip_vs"))?.unwrap_or_default();
        let own = facts.interfaces.iter().filter(|other| other.name != LINK).flat_map(|other| &other.addresses);
        let own: Vec<IpAddr> = own.copied().collect();
        let servers: Vec<Server> = servers(&String::from_utf8_lossy(&table))
            .into_iter()
            .filter(|server| server.is_of_kube_proxy(&link.addresses, &own))
            .collect();
        remove(&servers, facts, world)?;
        run(&["ip", "link", "delete", LINK], format!("remove the link {LINK} of kube-proxy"), world)?;
    }
    let sets: Vec<&str> = listed.lines().map(str::trim).filter(|name| name.starts_with("KUBE-")).collect();
    for set in &sets {
        run(&["ipset", "destroy", set], format!("remove the set {set} of kube-proxy"), world)?;
    }
    if !sets.is_empty() {
        world.note(&format!("{} removed", counted(sets.len(), "ipset")));
    }
    Ok(())
}

fn remove(servers: &[Server], facts: &Facts, world: &World<'_>) -> Result<(), Problem> {
    if !servers.is_empty() && !facts.programs.contains_key("ipvsadm") {
        let count = counted(servers.len(), "virtual server");
        let problem = Problem::new("ipvs-left", format!("{count} of kube-proxy's stay in IPVS"))
            .saw(servers.iter().map(|server| server.at.to_string()).collect::<Vec<_>>().join(", "))
            .why(
                "they can be removed with ipvsadm only, which is not installed; without their link nobody reaches them",
            )
            .fix("install ipvsadm, then run: ipvsadm -ln, and ipvsadm -D for each of them");
        world.tell(Event::Warning(&problem));
        return Ok(());
    }
    for Server { protocol, at } in servers {
        run(
            &["ipvsadm", "-D", protocol, &at.to_string()],
            format!("remove the virtual server {at} of kube-proxy"),
            world,
        )?;
    }
    if !servers.is_empty() {
        world.note(&format!("{} removed", counted(servers.len(), "virtual server")));
    }
    Ok(())
}

fn run(words: &[&str], purpose: String, world: &World<'_>) -> Result<(), Problem> {
    world.change(&Change::Run { command: Command::new(words), purpose })
}

/// A virtual server.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    /// As ipvsadm's flag.
    protocol: &'static str,
    at: SocketAddr,
}

impl Server {
    fn is_of_kube_proxy(&self, link: &[IpAddr], own: &[IpAddr]) -> bool {
        link.contains(&self.at.ip()) || NODE_PORTS.contains(&self.at.port()) && own.contains(&self.at.ip())
    }
}

/// Reads `/proc/net/ip_vs`, whose lines of virtual servers begin `TCP  0A600001:01BB rr`.
fn servers(table: &str) -> Vec<Server> {
    table.lines().filter_map(server).collect()
}

fn server(line: &str) -> Option<Server> {
    let mut words = line.split_whitespace();
    let protocol = match words.next()? {
        "TCP" => "-t",
        "UDP" => "-u",
        "SCTP" => "--sctp-service",
        _ => return None,
    };
    let (address, port) = words.next()?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address: IpAddr = match address.strip_prefix('[').and_then(|address| address.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.into(),
        None => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?).into(),
    };
    Some(Server { protocol, at: SocketAddr::new(address, port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> 0A4D000B:192B      Masq    1      0          0
UDP  0A60000A:0035 rr
TCP  0A4D000B:7D00 rr
TCP  C0000201:0050 wlc
TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:01BB rr
FWM  00000001 rr
";

    #[test]
    fn only_virtual_servers_of_kube_proxy_are_taken() {
        let link: Vec<IpAddr> = ["10.96.0.1", "10.96.0.10", "fd00::1"].map(|ip| ip.parse().unwrap()).to_vec();
        let own: Vec<IpAddr> = vec!["10.77.0.11".parse().unwrap()];
        let found = servers(TABLE);
        assert_eq!(found.len(), 5);
        let of_kube_proxy = found.iter().filter(|server| server.is_of_kube_proxy(&link, &own));
        let words: Vec<String> = of_kube_proxy.map(|server| format!("{} {}", server.protocol, server.at)).collect();
        assert_eq!(words, ["-t 10.96.0.1:443", "-u 10.96.0.10:53", "-t 10.77.0.11:32000", "-t [fd00::1]:443"]);
    }
}
