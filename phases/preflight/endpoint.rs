//! Checks of the API server to join: whether it is reached, its clock, and Nodes that are this machine's double.

use serde_json::Value;

use super::finding::{Finding, Findings, one};
use super::scene::{Scene, Server, Trust};
use crate::join::is_this_machine;
use crate::world::ObjectRef;

/// More than what a request and whole seconds in the answer explain.
const TOLERATED_SKEW: i64 = 5;
/// From here on certificates that are made now are not valid yet on the other side.
const FATAL_SKEW: i64 = 300;

pub(super) fn reachable(scene: &Scene<'_>) -> Findings {
    let Some(server) = scene.subject.server else { return one(nothing_to_join()) };
    let address = &server.address;
    one(match scene.probed.peers.get(&(address.host().to_owned(), address.port())) {
        Some(Ok(peer)) => Finding::passed(format!("{address} answers in {:.1} ms", peer.took.as_secs_f64() * 1000.0)),
        Some(Err(reason)) => Finding::error(format!("no TCP connection to {address}"))
            .why(reason.clone())
            .fix(format!("check address, port and firewall: nc -vz {} {}", address.host(), address.port())),
        None => Finding::skipped("was not tried"),
    })
}

fn nothing_to_join() -> Finding {
    Finding::skipped("no API server to join is named")
}

/// Whether it is the cluster that was meant, and may be read.
pub(super) fn discovery(scene: &Scene<'_>) -> Findings {
    let Some(server) = scene.subject.server else { return one(nothing_to_join()) };
    one(match &server.trust {
        Trust::Verified => Finding::passed(format!("the cluster is known, of {}", scene.release)),
        Trust::NotAsked => {
            Finding::skipped("without --token and --discovery-token-ca-cert-hash the cluster is seen from outside")
        }
        Trust::Failed(problem) => Finding::of_problem(problem.clone()),
    })
}

/// By the date of its answer, which even a refusal carries.
pub(super) fn clock_skew(scene: &Scene<'_>) -> Findings {
    let Some(server) = scene.subject.server else { return one(nothing_to_join()) };
    let before = scene.world.time().now().0;
    let answer = match scene.world.cluster().raw(&server.identity, "/version") {
        Ok(answer) => answer,
        Err(error) => return one(Finding::skipped(format!("the API server does not answer: {}", error.reason()))),
    };
    let Some(theirs) = answer.server_time else {
        return one(Finding::skipped("the API server does not tell its time"));
    };
    let after = scene.world.time().now().0;
    let ours = theirs.clamp(before, after);
    let skew = (theirs - ours).abs();
    if skew <= TOLERATED_SKEW {
        return one(Finding::passed("same time as the API server"));
    }
    let word = if theirs > ours { "behind" } else { "ahead of" };
    let what = format!("this machine's clock is {skew} s {word} the API server's");
    let finding = if skew >= FATAL_SKEW { Finding::error(what) } else { Finding::warning(what) };
    one(finding
        .why("certificates and tokens would be taken for expired or not yet valid")
        .fix("timedatectl set-ntp true (or chronyc makestep), and look: timedatectl"))
}

/// A Node of our name that is another machine.
pub(super) fn duplicate_name(scene: &Scene<'_>) -> Findings {
    let Some(server) = scene.subject.server else { return one(nothing_to_join()) };
    let name = scene.node.name.as_str();
    let asker = server.administrator.as_ref().unwrap_or(&server.identity);
    let found = match scene.world.cluster().get(asker, &ObjectRef::new("v1", "Node", "", name)) {
        Ok(found) => found,
        Err(error) => return one(not_allowed(server, &error.reason())),
    };
    let Some(node) = found.filter(|node| !is_this_machine(node, &scene.facts) && !is_joined(scene)) else {
        return one(Finding::fine(format!("no other Node is called {name}")));
    };
    let conditions = node["status"]["conditions"].as_array();
    let is_ready = conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"));
    let what = format!("the cluster has a Node {name} already, and it is another machine");
    one(if is_ready { Finding::error(what) } else { Finding::warning(format!("{what} that is not ready")) }
        .why("two machines with one name would take each other's Pods")
        .fix("choose another name: --node-name")
        .fix(format!("or, if that machine is gone, on a control-plane node: kubestrap remove {name}")))
}

pub(super) fn duplicate_machine_id(scene: &Scene<'_>) -> Findings {
    let ours = &scene.facts.machine_id;
    if ours.is_empty() {
        return one(Finding::warning("this machine has no /etc/machine-id")
            .why("the kubelet cannot tell the cluster which machine it is")
            .fix("systemd-machine-id-setup"));
    }
    double(
        scene,
        "machineID",
        ours,
        "machine ID",
        "rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup",
    )
}

pub(super) fn duplicate_uuid(scene: &Scene<'_>) -> Findings {
    let ours = &scene.facts.system_uuid;
    if ours.is_empty() {
        return one(Finding::skipped("the firmware tells no UUID, or only root may read it"));
    }
    double(scene, "systemUUID", ours, "product UUID", "give each virtual machine a UUID of its own in its hypervisor")
}

/// A Node that says the same of itself and is not this one: both are copies of one disk or virtual machine.
fn double(scene: &Scene<'_>, field: &str, ours: &str, what: &str, fix: &str) -> Findings {
    let Some(server) = scene.subject.server else { return one(nothing_to_join()) };
    let nodes = match scene.nodes.get_or_init(|| nodes(scene, server)) {
        Ok(nodes) => nodes,
        Err(reason) => return one(not_allowed(server, reason)),
    };
    let is_double = |node: &&Value| {
        let theirs = node["status"]["nodeInfo"][field].as_str().unwrap_or_default();
        let is_own_name = node["metadata"]["name"] == scene.node.name.as_str();
        theirs.eq_ignore_ascii_case(ours) && !is_own_name && !is_this_machine(node, &scene.facts)
    };
    one(match nodes.iter().find(is_double) {
        None => Finding::fine(format!("no other Node has this {what}")),
        Some(node) => {
            let name = node["metadata"]["name"].as_str().unwrap_or_default();
            Finding::warning(format!("the Node {name} has the same {what}"))
                .why("the machines are copies of one disk; Pod networks and cloud providers take them for one")
                .fix(fix)
        }
    })
}

fn nodes(scene: &Scene<'_>, server: &Server) -> Result<Vec<Value>, String> {
    let asker = server.administrator.as_ref().unwrap_or(&server.identity);
    let kind = ObjectRef::new("v1", "Node", "", "");
    scene.world.cluster().list(asker, &kind, "").map_err(|error| error.reason())
}

/// A bootstrap token may read single Nodes and list none; nobody in particular may do neither.
fn not_allowed(server: &Server, reason: &str) -> Finding {
    if server.administrator.is_some() {
        return Finding::skipped(format!("the Nodes cannot be read: {reason}"));
    }
    Finding::skipped("whoever joins may not look at the other Nodes; an administrator may: --kubeconfig FILE")
}

/// Whether this machine has joined already, under this name.
fn is_joined(scene: &Scene<'_>) -> bool {
    let own = scene.node.layout.kubeconfig("kubelet.conf");
    scene.inventory.as_ref().is_some_and(|inventory| inventory.owns(&own))
}
