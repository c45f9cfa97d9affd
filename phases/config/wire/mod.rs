//! File formats.

use super::{ApiEndpoint, ClusterConfig, NodeName};

/// The text of the key `ClusterConfiguration`, in the version that the cluster's release writes, as kubeadm writes it.
pub fn encode_cluster_config(_cluster: &ClusterConfig) -> String {
    String::new()
}

/// The text of the key `ClusterStatus` (up to 1.21) with this one node.
pub fn encode_cluster_status(_node: &NodeName, _endpoint: &ApiEndpoint) -> String {
    String::new()
}
