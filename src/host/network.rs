//! Interfaces, and the address this host is reached at: that of the interface which holds the default route.
//!
//! The same choice as kubeadm's: the first global address of that interface, or, where it has none (routers announce an
//! address of their own), the first global address of the loopback interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kubestrap_phases::config::Cidr;
use kubestrap_phases::world::{HostError, Interface, Route};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// From the kernel's headers: the route is usable; it refuses instead of leading anywhere.
const RTF_UP: u32 = 0x1;
const RTF_REJECT: u32 = 0x200;

/// An interface as this file needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    name: String,
    is_up: bool,
    is_loopback: bool,
    addresses: Vec<IpAddr>,
}

/// All interfaces, in the kernel's order.
pub(super) fn interfaces() -> Result<Vec<Found>, HostError> {
    let failed = |error: nix::Error| HostError::Fact { what: "the network interfaces", source: error.into() };
    let mut found: Vec<Found> = Vec::new();
    for entry in getifaddrs().map_err(failed)? {
        let address =
            entry.address.as_ref().and_then(|address| match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                (Some(v4), _) => Some(IpAddr::V4(v4.ip())),
                (_, Some(v6)) => Some(IpAddr::V6(v6.ip())),
                _ => None,
            });
        match found.iter_mut().find(|interface| interface.name == entry.interface_name) {
            Some(interface) => interface.addresses.extend(address),
            None => found.push(Found {
                name: entry.interface_name,
                is_up: entry.flags.contains(InterfaceFlags::IFF_UP),
                is_loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                addresses: address.into_iter().collect(),
            }),
        }
    }
    Ok(found)
}

/// What the rest of the program sees of interfaces.
pub(super) fn facts(found: Vec<Found>) -> Vec<Interface> {
    let seen = found.into_iter().map(|Found { name, addresses, .. }| Interface { mtu: mtu(&name), name, addresses });
    seen.collect()
}

fn mtu(interface: &str) -> u32 {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/mtu"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// All routes that lead somewhere. Those of IPv6 without its link-local, multicast and own addresses.
pub(super) fn routes(text: &str, ipv6_text: &str) -> Vec<Route> {
    let v4 = text.lines().skip(1).filter_map(|line| route_v4(&line.split_whitespace().collect::<Vec<_>>()));
    let v6 = ipv6_text.lines().filter_map(|line| route_v6(&line.split_whitespace().collect::<Vec<_>>()));
    v4.chain(v6).collect()
}

/// Addresses and masks stand in the order of the machine's bytes.
fn route_v4(row: &[&str]) -> Option<Route> {
    if row.len() <= 7 || !leads_on(row[3]) {
        return None;
    }
    let address = |text: &str| u32::from_str_radix(text, 16).ok().map(|bits| Ipv4Addr::from(bits.to_ne_bytes()));
    let (network, mask) = (address(row[1])?, address(row[7])?);
    let destination = Cidr::parse(&format!("{network}/{}", u32::from(mask).leading_ones())).ok()?;
    Some(Route { interface: row[0].to_owned(), destination, metric: row[6].parse().unwrap_or(0) })
}

fn route_v6(row: &[&str]) -> Option<Route> {
    if row.len() <= 9 || !leads_on(row[8]) || row[9] == "lo" {
        return None;
    }
    let network = Ipv6Addr::from(u128::from_str_radix(row[0], 16).ok()?);
    let prefix = u8::from_str_radix(row[1], 16).ok()?;
    if prefix == 128 || network.is_multicast() || network.is_unicast_link_local() {
        return None;
    }
    let destination = Cidr::parse(&format!("{network}/{prefix}")).ok()?;
    let metric = u32::from_str_radix(row[5], 16).unwrap_or(0);
    Some(Route { interface: row[9].to_owned(), destination, metric })
}

/// The IPv4 address, then the IPv6 address, that belong to the default routes; of each family at most one.
pub(super) fn default_addresses(interfaces: &[Found], route: &str, ipv6_route: &str) -> Vec<IpAddr> {
    let v4 = address(interfaces, &default_interfaces_v4(route), IpAddr::is_ipv4);
    let v6 = address(interfaces, &default_interfaces_v6(ipv6_route), IpAddr::is_ipv6);
    v4.into_iter().chain(v6).collect()
}

fn address(interfaces: &[Found], names: &[&str], of_family: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    if names.is_empty() {
        return None;
    }
    let routed =
        names.iter().flat_map(|name| interfaces.iter().filter(move |found| found.name == **name && found.is_up));
    let loopback = interfaces.iter().filter(|found| found.is_loopback && found.is_up);
    let mut addresses = routed.chain(loopback).flat_map(|found| &found.addresses);
    addresses.find(|address| of_family(address) && is_global(address)).copied()
}

/// What Go's `IsGlobalUnicast` says: private addresses count, link-local and loopback ones do not.
fn is_global(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || *v4 == Ipv4Addr::BROADCAST,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_link_local)
}

/// `/proc/net/route`: interface, destination, gateway, flags, references, uses, metric, mask; numbers in hex.
fn default_interfaces_v4(text: &str) -> Vec<&str> {
    let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let default = rows.filter(|row| row.len() > 7 && row[1] == "00000000" && row[7] == "00000000" && leads_on(row[3]));
    default.map(|row| row[0]).collect()
}

/// `/proc/net/ipv6_route`: destination, its length, source, its length, gateway, metric, references, uses, flags,
/// interface. The kernel's own refusing default routes are in it too.
fn default_interfaces_v6(text: &str) -> Vec<&str> {
    let nowhere = format!("{:032x}", Ipv6Addr::UNSPECIFIED.to_bits());
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let default = rows.filter(|row| row.len() > 9 && row[0] == nowhere && row[1] == "00" && leads_on(row[8]));
    default.map(|row| row[9]).filter(|name| *name != "lo").collect()
}

fn leads_on(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & RTF_UP != 0 && flags & RTF_REJECT == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
eth1\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t00000000\t010A0A0A\t0003\t0\t0\t200\t00000000\t0\t0\t0
eth0\t000A0A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
    const IPV6_ROUTE: &str = "\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn interface(name: &str, addresses: &[&str]) -> Found {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Found { name: name.to_owned(), is_up: true, is_loopback: name == "lo", addresses }
    }

    #[test]
    fn default_routes_are_found_and_halves_of_the_net_and_refusing_routes_are_none() {
        assert_eq!(default_interfaces_v4(ROUTE), ["eth1", "eth0"]);
        assert_eq!(default_interfaces_v6(IPV6_ROUTE), ["eth0"]);
        assert_eq!(default_interfaces_v4(""), [""; 0]);
    }

    #[test]
    fn the_first_global_address_of_the_default_interface_is_taken_per_family() {
        let eth1 = interface("eth1", &["169.254.3.4", "192.168.2.9", "192.168.2.10"]);
        let eth0 = interface("eth0", &["10.10.10.7", "fe80::7", "2001:db8::7"]);
        let lo = interface("lo", &["127.0.0.1", "::1"]);
        let down = Found { is_up: false, ..eth1.clone() };
        let unnumbered = [interface("lo", &["127.0.0.1", "10.1.1.1"]), interface("eth1", &["fe80::9"])];
        for (name, interfaces, expected) in [
            ("both families", vec![lo.clone(), eth0.clone(), eth1], vec!["192.168.2.9", "2001:db8::7"]),
            ("the first interface is down", vec![lo.clone(), eth0, down], vec!["10.10.10.7", "2001:db8::7"]),
            ("an address on the loopback interface", unnumbered.to_vec(), vec!["10.1.1.1"]),
            ("none at all", vec![lo], vec![]),
        ] {
            let expected: Vec<IpAddr> = expected.into_iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(default_addresses(&interfaces, ROUTE, IPV6_ROUTE), expected, "{name}");
        }
    }

    #[test]
    fn routes_are_read_with_their_networks_and_metrics_and_those_to_nowhere_are_left_out() {
        let read: Vec<_> = routes(ROUTE, IPV6_ROUTE)
            .into_iter()
            .map(|route| (route.interface, route.destination.to_string(), route.metric))
            .collect();
        let expected = [
            ("tun0", "0.0.0.0/1", 0),
            ("eth1", "0.0.0.0/0", 100),
            ("eth0", "0.0.0.0/0", 200),
            ("eth0", "10.10.10.0/24", 0),
            ("eth0", "2001:db8::/64", 256),
            ("eth0", "::/0", 1024),
        ];
        assert_eq!(read, expected.map(|(name, network, metric)| (name.to_owned(), network.to_owned(), metric)));
    }

    #[test]
    fn without_a_default_route_there_is_no_default_address() {
        assert_eq!(default_addresses(&[interface("lo", &["10.1.1.1"])], "Iface\n", ""), [] as [IpAddr; 0]);
    }
}
