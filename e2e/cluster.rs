//! A cluster under test: one control-plane node and its workers, made by a tool, watched with kubectl from this
//! machine, so that looking at the cluster leaves nothing on its nodes.

use crate::command::{self, Output};
use crate::failure::{Failure, expect};
use crate::nodes::Node;
use crate::pod_network::lay_pod_network;
use crate::run::Run;
use crate::tool::{JoinCommand, Tool};
use crate::wait::wait_for;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Images are on the nodes already, so nothing takes long; a busy machine is allowed for.
pub const SETTLES: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub struct Cluster {
    pub control_plane: Node,
    pub workers: Vec<Node>,
    pub join: JoinCommand,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl Cluster {
    /// `init` on a node that is up. The kubeconfig for this machine lies in the run's state folder.
    pub fn init(run: &Run, tool: Tool, control_plane: Node) -> Result<Self, Failure> {
        let output = tool.init(&control_plane, &[])?.success()?;
        crate::say(&format!("{tool} init on {}: {:.1} s", control_plane.name, output.took.as_secs_f32()));
        Self::adopt(run, control_plane, JoinCommand::parse(&output.stdout)?)
    }

    /// A control plane that somebody made on this node.
    pub fn adopt(run: &Run, control_plane: Node, join: JoinCommand) -> Result<Self, Failure> {
        let kubeconfig = run.record.state().join(format!("{}.conf", control_plane.name));
        std::fs::write(&kubeconfig, control_plane.read("/etc/kubernetes/admin.conf")?)
            .map_err(|error| Failure::new(format!("cannot write {}", kubeconfig.display()), error))?;
        let kubectl = run.record.prepared.join("bin/kubectl");
        Ok(Self { control_plane, workers: Vec::new(), join, kubectl, kubeconfig })
    }

    /// `init` on one new node, `join` on the others, a Pod network: until all nodes are Ready.
    pub fn start(run: &Run, tool: Tool, control_plane: &str, workers: &[&str]) -> Result<Self, Failure> {
        let mut nodes = Node::create_all(run, &[&[control_plane], workers].concat())?.into_iter();
        let first = nodes.next().ok_or_else(|| Failure::new("a cluster needs a node", ""))?;
        let mut cluster = Self::init(run, tool, first)?;
        for node in nodes {
            cluster.join_worker(tool, node)?;
        }
        cluster.lay_pod_network()?;
        cluster.wait_nodes_ready()?;
        Ok(cluster)
    }

    /// `join` on a node that is up; it is a worker of this cluster from then on.
    pub fn join_worker(&mut self, tool: Tool, node: Node) -> Result<(), Failure> {
        self.workers.push(node);
        let node = &self.workers[self.workers.len() - 1];
        self.join_again(tool, node)
    }

    /// `join` on a node that belongs to the cluster already, after a reset.
    pub fn join_again(&self, tool: Tool, node: &Node) -> Result<(), Failure> {
        let output = tool.join(node, &self.join, &[])?.success()?;
        crate::say(&format!("{tool} join on {}: {:.1} s", node.name, output.took.as_secs_f32()));
        Ok(())
    }

    /// Waits until every node has a Pod subnet, and connects them.
    pub fn lay_pod_network(&self) -> Result<(), Failure> {
        let laid: Result<Vec<_>, Failure> = self.nodes().map(|node| Ok((node, self.pod_subnet(node)?))).collect();
        lay_pod_network(&laid?)
    }

    /// The same, with a node that is only a guest in this cluster.
    pub fn lay_pod_network_with(&self, guest: &Node) -> Result<(), Failure> {
        let nodes = self.nodes().chain([guest]);
        let laid: Result<Vec<_>, Failure> = nodes.map(|node| Ok((node, self.pod_subnet(node)?))).collect();
        lay_pod_network(&laid?)
    }

    fn pod_subnet(&self, node: &Node) -> Result<String, Failure> {
        wait_for(&format!("the Pod subnet of node {}", node.name), SETTLES, || {
            let object = self.object(&["get", "node", &node.name])?;
            let subnet = object["spec"]["podCIDR"].as_str().map(str::to_owned);
            subnet.ok_or_else(|| Failure::new("it has none", &object["spec"]))
        })
    }

    /// Takes all its nodes away.
    pub fn destroy(self) -> Result<(), Failure> {
        std::iter::once(self.control_plane).chain(self.workers).try_for_each(Node::destroy)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.control_plane).chain(&self.workers)
    }

    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// Runs kubectl on this machine; it must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output, Failure> {
        self.kubectl_with(arguments, "")
    }

    pub fn kubectl_with(&self, arguments: &[&str], stdin: &str) -> Result<Output, Failure> {
        let mut command = Command::new(&self.kubectl);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(self.kubeconfig.with_extension("cache"))
            .arg("--request-timeout=30s")
            .args(arguments);
        command::run(&mut command, stdin.as_bytes(), Duration::from_secs(60))?.success()
    }

    /// What kubectl gives, as JSON.
    pub fn object(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let output = self.kubectl(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&output.stdout)
            .map_err(|error| Failure::new(format!("kubectl gave no JSON: {error}"), output))
    }

    pub fn wait_nodes_ready(&self) -> Result<(), Failure> {
        self.nodes().try_for_each(|node| self.wait_node_ready(&node.name))
    }

    pub fn wait_node_ready(&self, name: &str) -> Result<(), Failure> {
        wait_for(&format!("node {name} to be Ready"), SETTLES, || self.condition(&["get", "node", name]))
    }

    /// Waits until the Pods with these labels, at least one, are all Ready.
    pub fn wait_pods_ready(&self, namespace: &str, labels: &str) -> Result<(), Failure> {
        let what = format!("the Pods in {namespace} with labels '{labels}' to be Ready");
        wait_for(&what, SETTLES, || self.pods_ready(namespace, labels))
    }

    fn pods_ready(&self, namespace: &str, labels: &str) -> Result<(), Failure> {
        let list = self.object(&["get", "pods", "--namespace", namespace, "--selector", labels])?;
        let pods = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        expect(!pods.is_empty(), "there are no such Pods", "")?;
        pods.iter().try_for_each(|pod| {
            let what = format!("Pod {} is not Ready", pod["metadata"]["name"]);
            expect(is_ready(pod), what, &pod["status"])
        })
    }

    fn condition(&self, arguments: &[&str]) -> Result<(), Failure> {
        let object = self.object(arguments)?;
        expect(is_ready(&object), "it is not Ready", &object["status"]["conditions"])
    }
}

/// Whether a Node's or Pod's condition Ready is True.
pub fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
