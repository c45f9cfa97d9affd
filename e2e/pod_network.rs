//! The Pod network of the tests: a bridge with host-local addresses on each node, and a static route to every other
//! node's Pod subnet. It is what an administrator would install after `init`, without a program of its own.

use crate::failure::Failure;
use crate::nodes::Node;

/// The file that makes a node's containers reachable.
pub const CNI_CONFIG: &str = "/etc/cni/net.d/10-kubestrap-e2e.conflist";

/// Lays the network over `nodes`, each with its Pod subnet. Doing it again, with another node, is fine.
pub fn lay_pod_network(nodes: &[(&Node, String)]) -> Result<(), Failure> {
    for (node, subnet) in nodes {
        node.write(CNI_CONFIG, &cni_config(subnet), "0644")?;
        for (other, subnet) in nodes.iter().filter(|(other, _)| other.name != node.name) {
            node.add_route(&format!("{subnet} via {}", other.address))?;
        }
    }
    Ok(())
}

fn cni_config(subnet: &str) -> String {
    let bridge = serde_json::json!({
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": true,
        "hairpinMode": true,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]},
    });
    let ports = serde_json::json!({"type": "portmap", "capabilities": {"portMappings": true}});
    serde_json::json!({"cniVersion": "0.4.0", "name": "kubestrap-e2e", "plugins": [bridge, ports]}).to_string()
}
