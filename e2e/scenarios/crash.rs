//! Power cuts: a node that goes dark without a word comes back as what it was.

use crate::scenario;
use kubestrap_e2e::cluster::{Cluster, SETTLES};
use kubestrap_e2e::failure::expect;
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::tool::Tool;
use kubestrap_e2e::wait::wait_for;

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_cluster_is_back_after_a_power_cut_of_its_control_plane() {
    scenario("a_cluster_is_back_after_a_power_cut_of_its_control_plane", |run| {
        let cluster = Cluster::init(run, Tool::from_environment()?, Node::create(run, "goes-dark")?)?;
        cluster.kubectl(&["create", "configmap", "written-before-the-cut"])?;
        cluster.control_plane.cut_power()?;
        cluster.control_plane.boot()?;
        wait_for("/readyz to say ok", SETTLES, || {
            let output = cluster.kubectl(&["get", "--raw", "/readyz"])?;
            expect(output.stdout == "ok", "it does not say ok", output)
        })?;
        cluster.kubectl(&["get", "configmap", "written-before-the-cut"])?;
        cluster.destroy()
    });
}
