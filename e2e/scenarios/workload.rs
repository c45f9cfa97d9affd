//! A Deployment with one Pod per worker and its Service: what a user would start on a new cluster.

use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::failure::Failure;
use std::collections::BTreeSet;

const MANIFESTS: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - labelSelector: {matchLabels: {app: web}}
            topologyKey: kubernetes.io/hostname
      containers:
      - name: web
        image: e2e/web:1
        readinessProbe:
          httpGet: {path: /, port: 8080}
          periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) node: String,
}

/// Starts the workload, or finds it running, and waits until it is Ready.
pub(crate) fn start(cluster: &Cluster) -> Result<Vec<Pod>, Failure> {
    cluster.kubectl_with(&["apply", "--filename", "-"], MANIFESTS)?;
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=50s"])?;
    cluster.wait_pods_ready("default", "app=web")?;
    let list = cluster.object(&["get", "pods", "--selector", "app=web"])?;
    let pods = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(pods
        .iter()
        .map(|pod| Pod { name: text(&pod["metadata"]["name"]), node: text(&pod["spec"]["nodeName"]) })
        .collect())
}

/// The names of the nodes that the Pods are on.
pub(crate) fn nodes(pods: &[Pod]) -> BTreeSet<&str> {
    pods.iter().map(|pod| pod.node.as_str()).collect()
}

/// The address of the workload's Service.
pub(crate) fn service_address(cluster: &Cluster) -> Result<String, Failure> {
    let service = cluster.object(&["get", "service", "web"])?;
    let address = service["spec"]["clusterIP"].as_str().map(str::to_owned);
    address.ok_or_else(|| Failure::new("the Service has no address", service))
}
