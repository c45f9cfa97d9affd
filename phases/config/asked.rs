//! What was asked of a whole run, flat and comparable: so that whoever goes on with it does the same, and is told by name
//! what differs.
//!
//! Names are those of the fields in kubeadm's files. Not in it: how a run is done (checks to ignore, phases to leave out,
//! patience), and with what a machine that joins proves that it may.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ApiEndpoint, Discovered, Init, JoinControlPlane, JoinWorker, NodeConfig, encode_cluster_config};
use crate::world::sha256_hex;
use crate::yaml;

/// Field to value; of what is secret or long, the value is a digest.
pub type Asked = BTreeMap<String, String>;

/// Begins a value that stands for another.
pub const DIGEST: &str = "sha256:";

impl Init {
    /// What is asked of this run.
    pub fn asked(&self) -> Asked {
        let mut cluster: Value = yaml::parse(&encode_cluster_config(&self.cluster)).unwrap_or_default();
        // How long is waited changes nothing of what is made.
        if let Some(server) = cluster["apiServer"].as_object_mut() {
            server.remove("timeoutForControlPlane");
        }
        let mut asked = flat(&[
            ("", cluster),
            ("KubeletConfiguration", Value::Object(self.cluster.kubelet.clone())),
            ("KubeProxyConfiguration", Value::Object(self.cluster.kube_proxy.clone())),
            ("localAPIEndpoint", endpoint(&self.endpoint)),
            ("nodeRegistration", node(&self.node)),
        ]);
        for (index, token) in self.tokens.iter().enumerate() {
            let what = json!([token.token.reveal(), token.description, token.usages, token.groups]);
            asked.insert(format!("bootstrapTokens[{index}]"), digest(&what.to_string()));
        }
        if let Some(key) = &self.certificate_key {
            asked.insert("certificateKey".to_owned(), digest(key.reveal()));
        }
        asked
    }
}

impl JoinWorker {
    /// What is asked of this run.
    pub fn asked(&self) -> Asked {
        joining(&self.node, &self.discovery)
    }
}

impl JoinControlPlane {
    /// What is asked of this run.
    pub fn asked(&self) -> Asked {
        let mut asked = joining(&self.worker.node, &self.worker.discovery);
        asked.extend(flat(&[("controlPlane.localAPIEndpoint", endpoint(&self.endpoint))]));
        asked
    }
}

fn joining(config: &NodeConfig, discovery: &Discovered) -> Asked {
    let mut asked = flat(&[("nodeRegistration", node(config)), ("caCertPath", json!(discovery.ca_cert_path))]);
    asked.insert("the cluster's CA".to_owned(), digest(&discovery.ca_pem));
    asked
}

fn node(node: &NodeConfig) -> Value {
    json!({
        "name": node.name.as_str(),
        "criSocket": node.cri_socket,
        "taints": node.taints,
        "kubeletExtraArgs": if node.kubelet_extra_args.is_empty() { Value::Null } else { args(&node.kubelet_extra_args) },
        "patches": if node.patches.is_empty() { Value::Null } else { digest(&format!("{:?}", node.patches)).into() },
    })
}

fn args(args: &[(String, String)]) -> Value {
    args.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn endpoint(endpoint: &ApiEndpoint) -> Value {
    json!({"advertiseAddress": endpoint.address, "bindPort": endpoint.port})
}

fn digest(text: &str) -> String {
    format!("{DIGEST}{}", sha256_hex(text.as_bytes()))
}

fn flat(parts: &[(&str, Value)]) -> Asked {
    let mut asked = Asked::new();
    for (name, value) in parts {
        flatten(name, value, &mut asked);
    }
    asked.remove("apiVersion");
    asked.remove("kind");
    asked
}

/// One entry per leaf. Lists of things with names are told by these names.
fn flatten(path: &str, value: &Value, asked: &mut Asked) {
    let below = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(&below(name), value, asked)),
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| item["name"].is_string()) => {
            for item in items {
                let name = item["name"].as_str().unwrap_or_default();
                let value = item.get("value").unwrap_or(item);
                flatten(&below(name), value, asked);
            }
        }
        Value::String(text) => drop(asked.insert(path.to_owned(), text.clone())),
        other => drop(asked.insert(path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BootstrapToken, HostPort, NodeName};
    use crate::support::jobs::{self, V1_20, V1_36};

    #[test]
    fn every_change_of_a_job_of_init_has_a_name_and_no_secret_in_it() {
        type Alter = fn(&mut Init);
        let cases: [(&str, Alter); 9] = [
            ("networking.podSubnet", |job| job.cluster.networking.pod_subnets.clear()),
            ("apiServer.extraArgs.audit-log-pth", |job| {
                job.cluster.api_server.extra_args.push(("audit-log-pth".into(), "/x".into()));
            }),
            ("controlPlaneEndpoint", |job| job.cluster.control_plane_endpoint = Some(HostPort::new("other", 6443))),
            ("localAPIEndpoint.bindPort", |job| job.endpoint.port = 1),
            ("nodeRegistration.kubeletExtraArgs.v", |job| job.node.kubelet_extra_args.push(("v".into(), "9".into()))),
            ("nodeRegistration.name", |job| job.node.name = NodeName::parse("other").unwrap()),
            ("KubeletConfiguration.maxPods", |job| {
                job.cluster.kubelet.insert("maxPods".into(), json!(7));
            }),
            ("bootstrapTokens[0]", |job| {
                job.tokens[0].token = BootstrapToken::parse("abcdef.secretsecretsec1").unwrap();
            }),
            ("certificateKey", |job| job.certificate_key = Some(crate::world::Secret::new("secretsecretsec1".into()))),
        ];
        for release in [V1_20, V1_36] {
            for (name, alter) in cases {
                let before = jobs::custom_init(release.clone());
                let mut after = before.clone();
                after.node.kubelet_extra_args.clear();
                let before = Init { node: after.node.clone(), ..before };
                alter(&mut after);
                let (before, after) = (before.asked(), after.asked());
                let differing: Vec<&String> =
                    before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
                assert!(!differing.is_empty() && differing.iter().all(|key| *key == name), "{name}: {differing:?}");
                assert!(!after.values().any(|value| value.contains("secretsecretsec1")), "{name}");
            }
        }
    }
}
