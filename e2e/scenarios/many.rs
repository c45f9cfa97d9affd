//! Several machines that join at the same moment. `e2e/scale` does the same with a hundred.

use crate::{only_kubestrap, scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::Failure;
use kubestrap_e2e::many::joins;
use kubestrap_e2e::many::report::Joins;
use kubestrap_e2e::measure::Meter;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::say;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn ten_machines_join_at_once_and_none_waits_for_the_others() {
    // kubeadm leaves the certificate to the kubelet, which is a stand-in here.
    if !only_kubestrap() {
        return;
    }
    scenario("ten_machines_join_at_once_and_none_waits_for_the_others", |run| {
        let cluster = shared_cluster(run)?;
        let crowd = Node::create(run, "crowd")?;
        joins::prepare(&crowd, &Meter { program: env!("CARGO_BIN_EXE_e2e").into() })?;
        let joined = joins::join_all(&crowd, &cluster.join, ("ten", 10, 10));
        let outcome = Joins { joins: joined, ..Joins::default() };
        say(&format!("slowest {:.1} s, median {:.1} s", outcome.slowest(), outcome.median()));
        outcome.check()?;
        forget(cluster, &outcome)?;
        crowd.destroy()
    });
}

/// Takes the Nodes away, and what DaemonSets have put on them: no kubelet would do it.
fn forget(cluster: &Cluster, outcome: &Joins) -> Result<(), Failure> {
    let names: Vec<&str> = outcome.joins.iter().map(|join| join.name.as_str()).collect();
    cluster.kubectl(&[&["delete", "nodes"], &names[..]].concat())?;
    for name in names {
        let on_node = format!("spec.nodeName={name}");
        cluster.kubectl(&[
            "delete",
            "pods",
            "--all-namespaces",
            "--field-selector",
            &on_node,
            "--force",
            "--grace-period=0",
        ])?;
    }
    Ok(())
}
