//! The tool under test: kubestrap or kubeadm. Scenarios say what they want of it, this file says it in the tool's
//! words. `E2E_TOOL=kubeadm` runs every scenario that does not choose its tool with kubeadm, which tests the tests.

use crate::command::Output;
use crate::failure::Failure;
use crate::nodes::Node;
use std::fmt;
use std::time::Duration;

pub const KUBERNETES_VERSION: &str = "v1.20.2";
pub const POD_SUBNET: &str = "10.244.0.0/16";

/// kubeadm gives up after 4 min 5 s; a tool that needs longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Where scenarios put their configuration files: in memory, so that they are no trace of the tool.
const CONFIG: &str = "/run/kubestrap-e2e/init.yaml";

/// kube-proxy must leave nf_conntrack_max alone: it cannot be written in a network namespace.
pub const KUBE_PROXY_CONFIG: &str = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n\
    kind: KubeProxyConfiguration\nconntrack:\n  maxPerCore: 0\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Kubestrap,
    Kubeadm,
}

/// What `init` printed for those who want to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCommand {
    /// Everything after the word "join".
    pub arguments: Vec<String>,
}

impl Tool {
    /// E2E_TOOL, or kubestrap.
    pub fn from_environment() -> Result<Self, Failure> {
        match std::env::var("E2E_TOOL").as_deref() {
            Err(_) | Ok("" | "kubestrap") => Ok(Self::Kubestrap),
            Ok("kubeadm") => Ok(Self::Kubeadm),
            Ok(other) => Err(Failure::new("E2E_TOOL is kubestrap or kubeadm", format!("it is {other}"))),
        }
    }

    pub fn program(self) -> &'static str {
        match self {
            Self::Kubestrap => "kubestrap",
            Self::Kubeadm => "kubeadm",
        }
    }

    /// Runs `init` with the Pod subnet and version of all scenarios.
    pub fn init(self, node: &Node, more: &[&str]) -> Result<Output, Failure> {
        let mut arguments = vec![self.program(), "init"];
        arguments.extend(self.init_flags(node)?);
        if self == Self::Kubeadm {
            // Its preflight looks for images with crictl, which Debian does not carry, and cannot be told not to.
            arguments.push("--skip-phases=preflight");
        }
        arguments.extend(more);
        node.run_with(&arguments, b"", PATIENCE)
    }

    /// `init` of a cluster that can have further control-plane nodes: with a stable endpoint, and with the certificates
    /// uploaded.
    pub fn init_with_endpoint(self, node: &Node, endpoint: &str) -> Result<Output, Failure> {
        if self == Self::Kubestrap {
            return self.init(node, &["--control-plane-endpoint", endpoint, "--upload-certs"]);
        }
        // kubeadm takes the endpoint from the file only, where there is one.
        self.init_flags(node)?;
        let line = format!("s/^kubernetesVersion:/controlPlaneEndpoint: {endpoint}\\nkubernetesVersion:/");
        node.ok(&["sed", "-i", &line, CONFIG])?;
        let arguments = ["kubeadm", "init", "--config", CONFIG, "--upload-certs", "--skip-phases=preflight"];
        node.run_with(&arguments, b"", PATIENCE)
    }

    /// Writes the configuration of all scenarios to the node, and gives the flags that go with it.
    pub fn init_flags(self, node: &Node) -> Result<Vec<&'static str>, Failure> {
        let config = match self {
            Self::Kubestrap => KUBE_PROXY_CONFIG.to_owned(),
            // kubeadm does not take a file and these flags together.
            Self::Kubeadm => format!(
                "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n\
                 kubernetesVersion: {KUBERNETES_VERSION}\nnetworking:\n  podSubnet: {POD_SUBNET}\n---\n{KUBE_PROXY_CONFIG}"
            ),
        };
        node.write(CONFIG, &config, "0600")?;
        Ok(match self {
            Self::Kubestrap => {
                vec!["--config", CONFIG, "--pod-network-cidr", POD_SUBNET, "--kubernetes-version", KUBERNETES_VERSION]
            }
            Self::Kubeadm => vec!["--config", CONFIG],
        })
    }

    /// Runs `join` with the words that `init`, of whichever tool, printed.
    pub fn join(self, node: &Node, join: &JoinCommand, more: &[&str]) -> Result<Output, Failure> {
        let mut arguments = vec![self.program(), "join"];
        arguments.extend(join.arguments.iter().map(String::as_str));
        if self == Self::Kubeadm {
            arguments.push("--ignore-preflight-errors=FileExisting-crictl");
        }
        arguments.extend(more);
        node.run_with(&arguments, b"", PATIENCE)
    }

    /// Runs `join` with the words for a control-plane node.
    pub fn join_control_plane(self, node: &Node, join: &JoinCommand) -> Result<Output, Failure> {
        let mut arguments = vec![self.program(), "join"];
        arguments.extend(join.arguments.iter().map(String::as_str));
        if self == Self::Kubeadm {
            // As for init: it looks for images with crictl.
            arguments.push("--skip-phases=preflight");
        }
        node.run_with(&arguments, b"", PATIENCE)
    }

    /// Runs `reset` without questions.
    pub fn reset(self, node: &Node, more: &[&str]) -> Result<Output, Failure> {
        let mut arguments = vec![self.program(), "reset", "--force"];
        arguments.extend(more);
        node.run_with(&arguments, b"", PATIENCE)
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.program())
    }
}

impl JoinCommand {
    /// Finds the last join command in what `init` printed, which is that of workers.
    pub fn parse(stdout: &str) -> Result<Self, Failure> {
        Self::find(stdout, |words| !words.iter().any(|word| word == "--control-plane"))
    }

    /// Finds the join command for control-plane nodes in what `init` printed.
    pub fn parse_control_plane(stdout: &str) -> Result<Self, Failure> {
        Self::find(stdout, |words| words.iter().any(|word| word == "--control-plane"))
    }

    /// A backslash at a line's end continues it.
    fn find(stdout: &str, is_wanted: fn(&[String]) -> bool) -> Result<Self, Failure> {
        let text = stdout.replace("\\\n", " ");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let command = text.lines().map(words).rfind(|words| {
            matches!(&words[..], [program, join, ..] if join == "join" && program.ends_with(|last: char| last.is_alphanumeric()))
                && is_wanted(words)
        });
        match command {
            Some(words) if words.len() > 2 => Ok(Self { arguments: words[2..].to_vec() }),
            _ => Err(Failure::new("init printed no join command", stdout)),
        }
    }
}
