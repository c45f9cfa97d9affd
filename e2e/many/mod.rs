//! What many at once cost: joins of many machines against one control plane, and the commands that look at a cluster in
//! which there is much. `e2e/scale` runs it.
//!
//! ```text
//! cp-1   a real control plane, made by kubestrap      ◄── join × 100, 50 at a time ──   crowd   a real node that holds
//!        status, token list, certs check-expiration                                            worlds, see `world`
//! ```

pub mod audit;
pub mod fill;
pub mod joins;
pub mod looks;
pub mod report;
pub mod watched;
pub mod world;

pub use fill::Crowd;
pub use joins::Join;
pub use report::Report;

use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::measure::Meter;
use crate::nodes::Node;
use crate::run::Run;
use crate::say;
use crate::tool::{JoinCommand, KUBE_PROXY_CONFIG, KUBERNETES_VERSION, PATIENCE};
use audit::Mark;
use report::{Joins, components};
use std::path::Path;

const CONFIG: &str = "/run/kubestrap-e2e/init.yaml";

/// Room for a Pod subnet for each of some thousand Nodes.
const POD_SUBNET: &str = "10.240.0.0/12";

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub joins: usize,
    pub at_once: usize,
    /// What the cluster is filled with after the joins; nothing, and the commands that look are left out.
    pub crowd: Option<Crowd>,
    /// How often each command that looks is run.
    pub looks: usize,
}

/// Makes the nodes and the control plane, and measures. `program` is the `e2e` program.
pub fn measure(run: &Run, program: &Path, extent: Extent) -> Result<Report, Failure> {
    let mut nodes = Node::create_all(run, &["cp-1", "crowd"])?.into_iter();
    let (Some(control_plane), Some(crowd)) = (nodes.next(), nodes.next()) else {
        return Err(Failure::new("there are no nodes", ""));
    };
    let meter = Meter { program: program.to_owned() };
    joins::prepare(&crowd, &meter)?;
    meter.install(&control_plane)?;
    let cluster = init(run, control_plane)?;
    let mut report = Report::new(extent);
    if extent.crowd.is_some() {
        // Else what their start costs would be counted in.
        cluster.wait_pods_ready("kube-system", "tier=control-plane")?;
        report.empty = looks::look(&cluster.control_plane, extent.looks)?;
    }
    // One waits until the controllers that approve and sign are at work.
    report.first_join = joins::join_all(&crowd, &cluster.join, ("first", 1, 1));
    report.joins = join(&cluster, &crowd, extent)?;
    if let Some(full) = extent.crowd {
        say(&format!("{} Nodes, {} tokens, {} ConfigMaps are made", full.nodes, full.tokens, full.config_maps));
        fill::fill(&cluster, full)?;
        report.full = looks::look(&cluster.control_plane, extent.looks)?;
        report.join_full = joins::join_all(&crowd, &cluster.join, ("late", 1, 1));
    }
    Ok(report)
}

fn init(run: &Run, node: Node) -> Result<Cluster, Failure> {
    audit::prepare(&node)?;
    let config = format!(
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: {KUBERNETES_VERSION}\n\
         networking:\n  podSubnet: {POD_SUBNET}\n{}---\n{KUBE_PROXY_CONFIG}",
        audit::API_SERVER
    );
    node.write(CONFIG, &config, "0600")?;
    let output = node.run_with(&["kubestrap", "init", "--config", CONFIG], b"", PATIENCE)?.success()?;
    say(&format!("kubestrap init: {:.1} s", output.took.as_secs_f32()));
    Cluster::adopt(run, node, JoinCommand::parse(&output.stdout)?)
}

fn join(cluster: &Cluster, crowd: &Node, extent: Extent) -> Result<Joins, Failure> {
    let node = &cluster.control_plane;
    let (before, mark) = (components(node)?, Mark::now(node)?);
    let bytes = bytes_of(crowd)?;
    let joins = joins::join_all(crowd, &cluster.join, ("many", extent.joins, extent.at_once));
    let after_bytes = bytes_of(crowd)?;
    Ok(Joins {
        joins,
        requests: mark.requests_since(node, crowd)?,
        bytes_received: after_bytes.0.saturating_sub(bytes.0),
        bytes_sent: after_bytes.1.saturating_sub(bytes.1),
        before,
        after: components(node)?,
    })
}

/// What a node has received and sent: the first and the ninth number after its interface's name.
fn bytes_of(node: &Node) -> Result<(u64, u64), Failure> {
    let text = node.read("/proc/net/dev")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap_or_default();
    let counted: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let (received, sent) = (counted.first().copied(), counted.get(8).copied());
    received.zip(sent).ok_or_else(|| Failure::new("the node counts no bytes", text))
}
