//! A second control-plane node that joins a cluster which has settled. The stable endpoint is the first one's address.

use super::pair::{add_join, name};
use super::results::{Figure, Results};
use super::subject::{Bench, add_pod_network, join_words, settled};
use super::watch::Watch;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::nodes::Node;
use crate::tool::{JoinCommand, Tool};

pub(super) fn join(bench: &Bench<'_>, tool: Tool, pair: usize, results: &mut Results) -> Result<(), Failure> {
    let names = [name(tool, pair, "one"), name(tool, pair, "two")];
    let (mut cluster, watch, two, join) = prepared(bench, tool, &names)?;
    let cost = bench.on(&two, &join_words(tool, &join))?;
    add_join(bench, results, (Figure::ControlPlaneJoin, tool, pair), &watch, (&two, &cost))?;
    drop(watch);
    cluster.workers.push(two);
    cluster.destroy()
}

/// A cluster of the first node that has settled, and the second node, with the command that joins it.
pub(super) fn prepared(
    bench: &Bench<'_>,
    tool: Tool,
    names: &[String; 2],
) -> Result<(Cluster, Watch, Node, JoinCommand), Failure> {
    let mut nodes = bench.nodes(tool, names)?.into_iter();
    let (Some(one), Some(two)) = (nodes.next(), nodes.next()) else {
        return Err(Failure::new("there are no nodes", ""));
    };
    add_pod_network(&two)?;
    let watch = Watch::begin(&one);
    let output = tool.init_with_endpoint(&one, &format!("{}:6443", one.address))?.success()?;
    let join = JoinCommand::parse_control_plane(&output.stdout)?;
    let cluster = Cluster::adopt(bench.run, one, JoinCommand::parse(&output.stdout)?)?;
    settled(&cluster, tool)?;
    Ok((cluster, watch, two, join))
}
