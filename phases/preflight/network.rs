//! Checks of ports, routes, packet sizes, names, networks and firewall.

use std::net::IpAddr;

use super::finding::{Finding, Findings, one, or};
use super::scene::{Role, Scene};
use crate::config::Cidr;
use crate::preflight::Verdict;
use crate::world::{PortOwner, Route};

/// The ports of a node, who will listen there, and how to choose another.
pub(super) fn ports(scene: &Scene<'_>) -> Findings {
    let mut ports = Vec::new();
    if let Some(endpoint) = scene.subject.endpoint {
        ports.extend([
            (endpoint.port, "kube-apiserver"),
            (10259, "kube-scheduler"),
            (10257, "kube-controller-manager"),
        ]);
    }
    if scene.local_etcd().is_some() {
        ports.extend([(2379, "etcd"), (2380, "etcd")]);
    }
    ports.push((10250, "kubelet"));
    let listeners = scene.world.host().listeners()?;
    let held: Vec<_> = ports
        .iter()
        .map(|&(port, program)| (port, program, listeners.iter().find(|owner| owner.port == port)))
        .collect();
    let mut findings: Vec<Finding> =
        held.iter().map(|&(port, program, owner)| port_finding(scene, port, program, owner)).collect();
    // One word for all of them.
    if findings.iter().all(|finding| finding.verdict == Verdict::Passed) {
        let is_free = held.iter().all(|(_, _, owner)| owner.is_none());
        let state = if is_free { "free" } else { "free or our own" };
        findings[0].is_brief = false;
        findings[0].problem.what = match ports.as_slice() {
            [(port, _)] => format!("port {port} {state}"),
            several => format!("{} ports {state}", several.len()),
        };
    }
    Ok(findings)
}

fn port_finding(scene: &Scene<'_>, port: u16, program: &str, owner: Option<&PortOwner>) -> Finding {
    let finding = match owner {
        None => Finding::fine(format!("port {port} is free")),
        Some(owner) if is_our_own(scene, owner, program) => {
            Finding::fine(format!("port {port} is held by our own {program}"))
        }
        Some(owner) => taken(scene, port, program, owner),
    };
    finding.named(format!("Port-{port}"))
}

/// A port that our own component of an earlier run holds is not taken.
fn is_our_own(scene: &Scene<'_>, owner: &PortOwner, program: &str) -> bool {
    let has_run = scene.inventory.as_ref().is_some_and(|inventory| !inventory.is_empty());
    has_run && owner.program.as_deref().is_some_and(|name| program.starts_with(name))
}

fn taken(scene: &Scene<'_>, port: u16, program: &str, owner: &PortOwner) -> Finding {
    let name = owner.program.as_deref().unwrap_or("another program");
    let pid = owner.pid.map_or_else(String::new, |pid| format!(" (PID {pid})"));
    let finding = Finding::error(format!("port {port} is taken by {name}{pid}"))
        .why(format!("{program} listens there"))
        .fix(match owner.pid {
            Some(pid) => format!("see what it is and stop it: systemctl status {pid}"),
            None => format!("see what it is and stop it: ss -ltnp 'sport = :{port}'"),
        });
    match scene.subject.endpoint {
        Some(endpoint) if endpoint.port == port => finding.fix("or choose another port: --apiserver-bind-port"),
        _ => finding,
    }
}

/// None cuts the node off; with several, the next boot may choose another address for the node.
pub(super) fn default_route(scene: &Scene<'_>) -> Findings {
    let facts = &scene.facts;
    let Some(address) = facts.default_addresses.first() else {
        return one(Finding::warning("this machine has no default route")
            .why("the kubelet finds its own address by the default route, and Services need one to be reached")
            .fix("ip route add default via <gateway>"));
    };
    let of_family = |route: &&Route| route.destination.prefix() == 0 && route.destination.is_v4() == address.is_ipv4();
    let mut interfaces: Vec<&str> =
        facts.routes.iter().filter(of_family).map(|route| route.interface.as_str()).collect();
    interfaces.dedup();
    let is_chosen = scene.node.kubelet_extra_args.iter().any(|(flag, _)| flag == "node-ip");
    let interface = facts.interfaces.iter().find(|interface| interface.addresses.contains(address));
    let on = interface.map_or_else(String::new, |interface| format!(" on {}", interface.name));
    one(if interfaces.len() > 1 && !is_chosen {
        Finding::warning(format!("there are {} default routes, through {}", interfaces.len(), interfaces.join(" and ")))
            .why(format!("the node is known by {address}{on}; in another order after a boot it would be by another"))
            .fix("name the address: node-ip in nodeRegistration.kubeletExtraArgs of --config")
            .fix(format!("or remove the other route: ip route del default dev {}", interfaces[1]))
    } else {
        let routes = if interfaces.len() > 1 { "several default routes" } else { "one default route" };
        Finding::passed(format!("{routes}, {address}{on}"))
    })
}

/// The smallest packet size that IPv6 may count on; with less, tunnels of Pod networks break.
const SMALLEST_MTU: u32 = 1280;
/// What TCP puts around a segment: its header with time stamps, and the header of the family.
const TCP_HEADER: u32 = 32;

/// The packet size of the interface in use, and whether the way to the API server takes less.
pub(super) fn mtu(scene: &Scene<'_>) -> Findings {
    let peer = scene.subject.server.and_then(|server| {
        scene.probed.peers.get(&(server.address.host().to_owned(), server.address.port()))?.as_ref().ok()
    });
    let address = peer.map(|peer| peer.local).or_else(|| scene.facts.default_addresses.first().copied());
    let interface =
        address.and_then(|address| scene.facts.interfaces.iter().find(|it| it.addresses.contains(&address)));
    let Some(interface) = interface.filter(|interface| interface.mtu > 0) else {
        return one(Finding::skipped("it is not known which interface leads to other nodes"));
    };
    let (name, mtu) = (&interface.name, interface.mtu);
    if mtu < SMALLEST_MTU {
        return one(Finding::warning(format!("the MTU of {name} is {mtu}, less than {SMALLEST_MTU}"))
            .why("IPv6 and the tunnels of Pod networks need larger packets")
            .fix(format!("ip link set {name} mtu 1500, where the network allows it")));
    }
    if let Some(peer) = peer.filter(|peer| peer.segment > 0) {
        let family = if peer.local.is_ipv4() { 20 } else { 40 };
        let path = peer.segment + TCP_HEADER + family;
        // The loopback interface promises one byte more than a packet can have.
        if path < mtu.min(65_535) {
            return one(Finding::warning(format!(
                "the way to the API server takes {path} bytes, and {name} sends packets of {mtu}"
            ))
            .why("a Pod network with the larger size would lose its large packets and keep the small ones")
            .fix(format!("set the MTU of the Pod network by the smaller one, or: ip link set {name} mtu {path}")));
        }
    }
    one(Finding::passed(format!("MTU {mtu}")))
}

/// A Pod or Service network that covers an address of this machine cuts the node off; one that covers a route or a name
/// server of it hides what lies there.
pub(super) fn overlaps(scene: &Scene<'_>) -> Findings {
    if !scene.knows_cluster() {
        return one(super::runtime::unknown_cluster());
    }
    let networking = &scene.cluster.networking;
    let named = networking
        .service_subnets
        .iter()
        .map(|cidr| ("Service", "--service-cidr", cidr))
        .chain(networking.pod_subnets.iter().map(|cidr| ("Pod", "--pod-network-cidr", cidr)));
    let mut findings = Vec::new();
    for (kind, flag, cidr) in named {
        let fix = match scene.subject.role {
            Role::Init => format!("choose another network: {flag}"),
            Role::ControlPlane | Role::Worker => {
                "give this machine an address outside the cluster's networks".to_owned()
            }
        };
        let covered = addresses(scene, cidr);
        let is_covered = !covered.is_empty();
        findings.extend(covered.into_iter().map(|(address, name)| {
            Finding::error(format!("the {kind} network {cidr} covers {address} of {name}"))
                .why("packets to this machine would be taken for packets to Pods or Services")
                .fix(fix.clone())
        }));
        if is_covered {
            continue;
        }
        // Pod networks of a node that is one already lead routes into it.
        let is_of_pod_network = kind == "Pod" && scene.may_be_a_node();
        let routes = scene.facts.routes.iter().filter(|route| {
            let is_default = route.destination.prefix() <= 1;
            !is_of_pod_network && !is_default && route.destination.overlaps(cidr) && !is_ours(&route.interface)
        });
        findings.extend(routes.map(|Route { destination, interface, .. }| {
            Finding::warning(format!("the {kind} network {cidr} overlaps {destination}, to which {interface} leads"))
                .why("what lies there could not be told from Pods or Services")
                .fix(match scene.subject.role {
                    Role::Init => fix.clone(),
                    _ => format!("where nothing needs it: ip route del {destination} dev {interface}"),
                })
        }));
        let servers = scene.text("/etc/resolv.conf").map(|text| name_servers(&text)).unwrap_or_default();
        findings.extend(servers.into_iter().filter(|server| cidr.contains(*server)).map(|server| {
            Finding::warning(format!("the {kind} network {cidr} covers the name server {server}"))
                .why("names outside the cluster could not be looked up any more")
                .fix(fix.clone())
        }));
    }
    or(findings, Finding::passed("no overlap with Pods or Services"))
}

fn addresses<'a>(scene: &'a Scene<'_>, cidr: &'a Cidr) -> Vec<(IpAddr, &'a str)> {
    let interfaces = scene.facts.interfaces.iter().filter(|interface| !is_ours(&interface.name));
    let all = interfaces.flat_map(|it| it.addresses.iter().map(move |&address| (address, it.name.as_str())));
    all.filter(|(address, _)| cidr.contains(*address)).collect()
}

/// Links that CNI plugins and kube-proxy make inside the Pod and Service networks.
fn is_ours(interface: &str) -> bool {
    ["cni", "flannel", "cali", "cilium", "lxc", "tunl", "vxlan", "veth", "kube-", "weave", "nodelocaldns"]
        .iter()
        .any(|prefix| interface.starts_with(prefix))
}

fn name_servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
    lines.collect()
}

/// The stable name of the API servers, or that of the one to join.
pub(super) fn endpoint_name(scene: &Scene<'_>) -> Findings {
    let stable = scene.cluster.control_plane_endpoint.as_ref();
    let hosts = stable.into_iter().chain(scene.subject.server.map(|server| &server.address));
    let mut findings: Vec<Finding> = Vec::new();
    let mut seen = Vec::new();
    for host in hosts.map(|address| address.host().to_owned()) {
        let Some(found) = scene.probed.names.get(&host).filter(|_| !seen.contains(&host)) else { continue };
        findings.push(match found {
            Ok(addresses) => {
                let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                Finding::passed(format!("{host} is {list}"))
            }
            Err(reason) => Finding::error(format!("the endpoint's name {host} does not resolve"))
                .why(format!("kubelets and kubeconfigs use that name: {reason}"))
                .fix(format!("add {host} to the DNS, or a line to /etc/hosts of every node")),
        });
        seen.push(host);
    }
    or(findings, Finding::fine("the endpoint is an address"))
}

pub(super) fn firewall(scene: &Scene<'_>) -> Findings {
    if scene.world.host().unit("firewalld.service")?.active != "active" {
        return one(Finding::fine("firewalld is not active"));
    }
    let port = scene.subject.endpoint.map(|endpoint| endpoint.port);
    let ports = port.map_or_else(|| "10250".to_owned(), |port| format!("{port} and 10250"));
    let open = port.map_or_else(String::new, |port| format!("--add-port={port}/tcp "));
    one(Finding::warning("firewalld is active")
        .why(format!("other nodes must reach the ports {ports}"))
        .fix(format!("firewall-cmd --permanent {open}--add-port=10250/tcp; firewall-cmd --reload")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_and_comments_and_options_are_not() {
        let text =
            "# nameserver 1.1.1.1\nsearch corp.local\nnameserver 10.96.0.53\nnameserver\tfd00::53\noptions ndots:2\n";
        let expected: Vec<IpAddr> = ["10.96.0.53", "fd00::53"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(name_servers(text), expected);
    }
}
