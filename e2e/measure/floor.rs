//! What no tool can do faster: everything that init or join writes is there, only the kubelet is started. From its start it is
//! counted until /readyz answers ok and until the Node is registered.
//!
//! kubestrap's single phases write the files. That of the kubelet's start finds a unit that sleeps in the kubelet's place.

use super::results::{Figure, Results};
use super::subject::{Bench, settled};
use super::watch::{Sight, Watch};
use crate::cluster::{Cluster, SETTLES};
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::{PATIENCE, Tool};

const SLEEPER: &str = "/etc/systemd/system/kubelet.service.d/99-sleeps.conf";
const SLEEPS: &str = "[Service]\nExecStart=\nExecStart=/bin/sleep infinity\n";

const INIT: [&str; 5] = ["certs all", "kubeconfig all", "etcd local", "control-plane all", "kubelet-start"];
const JOIN: [&str; 3] = ["discovery", "tls-bootstrap", "kubelet-start"];

/// A control-plane node on which only the kubelet is missing.
pub(super) fn prepared(bench: &Bench<'_>, pair: usize) -> Result<Node, Failure> {
    let node = bench.node(Tool::Kubestrap, format!("f{pair}-cp"))?;
    let flags = Tool::Kubestrap.init_flags(&node)?;
    without_kubelet(&node, "init", &INIT, &flags)?;
    Ok(node)
}

/// Starts the kubelet of a control-plane node.
pub(super) fn init(bench: &Bench<'_>, pair: usize, node: &Node, results: &mut Results) -> Result<(), Failure> {
    let watch = Watch::begin(node);
    let registered = Sight::Registered(node.name.clone());
    started(
        bench,
        Figure::Floor,
        pair,
        (node, &watch),
        &[("readyz", Sight::Readyz), ("registered", registered)],
        results,
    )
}

/// Prepares a worker of a cluster that has settled, and starts its kubelet.
pub(super) fn join(
    bench: &Bench<'_>,
    cluster: &Cluster,
    pair: usize,
    watch: &Watch,
    results: &mut Results,
) -> Result<Node, Failure> {
    let node = bench.worker(Tool::Kubestrap, format!("f{pair}-1"))?;
    let join = settled(cluster, Tool::Kubestrap)?;
    let words: Vec<&str> = join.arguments.iter().map(String::as_str).collect();
    without_kubelet(&node, "join", &JOIN, &words)?;
    let sights = [("registered", Sight::Registered(node.name.clone())), ("ready", Sight::Ready(node.name.clone()))];
    started(bench, Figure::JoinFloor, pair, (&node, watch), &sights, results)?;
    Ok(node)
}

fn without_kubelet(node: &Node, command: &str, phases: &[&str], flags: &[&str]) -> Result<(), Failure> {
    node.write(SLEEPER, SLEEPS, "0644")?;
    node.ok(&["systemctl", "daemon-reload"])?;
    for phase in phases {
        let words: Vec<&str> = ["kubestrap", command, "phase"].into_iter().chain(phase.split(' ')).collect();
        node.run_with(&[&words[..], flags].concat(), b"", PATIENCE)?.success()?;
    }
    node.ok(&["systemctl", "stop", "kubelet"])?;
    node.ok(&["rm", SLEEPER])?;
    node.ok(&["systemctl", "daemon-reload"])?;
    Ok(())
}

fn started(
    bench: &Bench<'_>,
    figure: Figure,
    pair: usize,
    (node, watch): (&Node, &Watch),
    sights: &[(&str, Sight)],
    results: &mut Results,
) -> Result<(), Failure> {
    let cost = bench.meter.on(node, &["systemctl", "start", "kubelet"])?;
    let values = sights.iter().map(|(name, sight)| Ok(((*name).to_owned(), watch.wait(sight, SETTLES)? - cost.began)));
    let values = values.collect::<Result<_, Failure>>()?;
    results.add(figure, "floor", pair, values);
    Ok(())
}
