//! Stands in for `config/wire` until that is merged.

use super::{ApiEndpoint, ClusterConfig, NodeName};

/// The text of the key `ClusterConfiguration`.
pub fn encode_cluster_config(cluster: &ClusterConfig) -> String {
    format!(
        "apiVersion: {}\nkind: ClusterConfiguration\nkubernetesVersion: {}\n",
        cluster.release.config_api(),
        cluster.release
    )
}

/// The text of the key `ClusterStatus` (up to 1.21) with this one node.
pub fn encode_cluster_status(node: &NodeName, endpoint: &ApiEndpoint) -> String {
    format!(
        "apiEndpoints:\n  {node}:\n    advertiseAddress: {}\n    bindPort: {}\napiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterStatus\n",
        endpoint.address, endpoint.port
    )
}
