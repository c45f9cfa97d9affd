//! Checks of ports, routes, networks and firewall.

use super::{Finding, Scene};
use crate::config::Etcd;
use crate::problem::Problem;

/// The ports of a control-plane node, who will listen there, and how to choose another.
pub(super) fn control_plane_ports(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let mut ports = vec![
        (scene.api_port.unwrap_or(6443), "kube-apiserver"),
        (10259, "kube-scheduler"),
        (10257, "kube-controller-manager"),
    ];
    if matches!(scene.cluster.etcd, Etcd::Local(_)) {
        ports.extend([(2379, "etcd"), (2380, "etcd")]);
    }
    Ok(ports.into_iter().filter_map(|(port, program)| taken(scene, port, program)).collect())
}

pub(super) fn kubelet_port(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    Ok(taken(scene, 10250, "kubelet").into_iter().collect())
}

/// A port that our own component of an earlier run holds is not taken.
fn taken(scene: &Scene<'_>, port: u16, program: &str) -> Option<Finding> {
    let owner = scene.facts.listener(port)?;
    if !scene.inventory.is_empty() && owner.program.as_deref().is_some_and(|name| program.starts_with(name)) {
        return None;
    }
    let name = owner.program.as_deref().unwrap_or("another program");
    let pid = owner.pid.map_or_else(String::new, |pid| format!(" (PID {pid})"));
    let finding = Finding::error(format!("Port-{port}"), format!("port {port} is taken by {name}{pid}"))
        .why(format!("{program} listens there"))
        .fix(match owner.pid {
            Some(pid) => format!("see what it is and stop it: systemctl status {pid}"),
            None => format!("see what it is and stop it: ss -ltnp 'sport = :{port}'"),
        });
    Some(if scene.api_port == Some(port) {
        finding.fix("or choose another port: --apiserver-bind-port")
    } else {
        finding
    })
}

pub(super) fn default_route(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    if scene.facts.default_addresses.is_empty() {
        return Ok(vec![
            Finding::warning("DefaultRoute", "this machine has no default route")
                .why("the kubelet finds its own address by the default route, and Services need one to be reached")
                .fix("ip route add default via <gateway>"),
        ]);
    }
    Ok(Vec::new())
}

/// A Pod or Service network that covers an address of this machine cuts the node off.
pub(super) fn overlaps(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    let networking = &scene.cluster.networking;
    let named = networking
        .service_subnets
        .iter()
        .map(|cidr| ("Service", "--service-cidr", cidr))
        .chain(networking.pod_subnets.iter().map(|cidr| ("Pod", "--pod-network-cidr", cidr)));
    let mut findings = Vec::new();
    for (kind, flag, cidr) in named {
        for interface in scene.facts.interfaces.iter().filter(|interface| !is_ours(&interface.name)) {
            for address in interface.addresses.iter().filter(|&&address| cidr.contains(address)) {
                findings.push(
                    Finding::error(
                        "NetworkOverlap",
                        format!("the {kind} network {cidr} covers {address} of {}", interface.name),
                    )
                    .why("packets to this machine would be taken for packets to Pods or Services")
                    .fix(format!("choose another network: {flag}")),
                );
            }
        }
    }
    Ok(findings)
}

/// Links that CNI plugins and kube-proxy make inside the Pod and Service networks.
fn is_ours(interface: &str) -> bool {
    ["cni", "flannel", "cali", "cilium", "veth", "kube-", "weave", "nodelocaldns"]
        .iter()
        .any(|prefix| interface.starts_with(prefix))
}

pub(super) fn firewall(scene: &Scene<'_>) -> Result<Vec<Finding>, Problem> {
    if scene.world.host().unit("firewalld.service")?.active != "active" {
        return Ok(Vec::new());
    }
    let ports = match scene.api_port {
        Some(port) => format!("{port} and 10250"),
        None => "10250".to_owned(),
    };
    Ok(vec![
        Finding::warning("Firewalld", "firewalld is active")
            .why(format!("other nodes must reach the ports {ports}"))
            .fix("firewall-cmd --permanent --add-port=6443/tcp --add-port=10250/tcp; firewall-cmd --reload"),
    ])
}
