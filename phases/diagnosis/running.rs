//! Rules about what a running kubelet complains of: sandboxes, images, and its way to the API server. Only what it has
//! said several times counts; one complaint may be over by now.

use std::path::Path;

use super::Past;
use super::rules::{Rule, first_fit, without_noise};
use crate::config::NodeConfig;
use crate::problem::Problem;
use crate::world::{RuntimeStatus, World};

/// How many of the kubelet's lines are read: while it has no Node it writes ten each second that say only this, and tries what fails
/// every few seconds.
const LINES: u32 = 600;

/// The cause why a Pod has no container, or why the Node does not come, once the kubelet has said it often enough.
pub(super) fn cause(
    node: &NodeConfig,
    status: &RuntimeStatus,
    about: &[&str],
    past: &Past,
    world: &World<'_>,
) -> Result<Option<Problem>, Problem> {
    let log = super::kubelet::journal(LINES, past.until, world)?;
    let lines: Vec<String> = log.lines().rev().map(without_noise).collect();
    for line in &lines {
        if !about.is_empty() && !about.iter().any(|name| line.contains(name)) {
            continue;
        }
        let Some(rule) = first_fit(RULES, line) else { continue };
        let times = lines.iter().filter(|line| first_fit(RULES, line).is_some_and(|found| found.id == rule.id)).count();
        if u32::try_from(times).unwrap_or(u32::MAX) < rule.after {
            continue;
        }
        let config = node.layout.kubelet_config().display().to_string();
        let pause = status.sandbox_image.as_deref().unwrap_or("its sandbox image");
        let what = if about.is_empty() { "the kubelet cannot do its work" } else { "a static Pod cannot be started" };
        let problem = rule.problem(what, line, &[("{config}", &config), ("{pause}", pause)]);
        return Ok(Some(problem.at("journalctl -u kubelet -n 60")));
    }
    Ok(None)
}

/// The cause why the kubelet makes no Pod at all: it was told to look for manifests in another folder.
pub(super) fn manifests_elsewhere(node: &NodeConfig, world: &World<'_>) -> Result<Option<Problem>, Problem> {
    let log = super::kubelet::journal(500, None, world)?;
    let ours = node.layout.manifests();
    let Some(folder) = log.lines().rev().find_map(manifest_folder) else { return Ok(None) };
    if Path::new(folder) == ours {
        return Ok(None);
    }
    let problem = Problem::new("static-pod-path", "the kubelet looks for static Pods in another folder")
        .saw(format!("it says: Adding pod path: {folder}"))
        .at("systemctl cat kubelet; /etc/default/kubelet")
        .why(format!("a flag or drop-in of its unit says pod-manifest-path or another --config; the manifests are in {}", ours.display()))
        .fix("find it: systemctl cat kubelet | grep -n pod-manifest-path; remove it, then: systemctl daemon-reload; systemctl restart kubelet")
        .fix("then run the same command again");
    Ok(Some(problem))
}

/// The folder in `Adding pod path: /x`, since 1.21 `"Adding static pod path" path="/x"`.
fn manifest_folder(line: &str) -> Option<&str> {
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest.trim().trim_matches('"'));
    after("Adding pod path: ").or_else(|| after("Adding static pod path\" path="))
}

/// Sources: messages of `pkg/kubelet/kuberuntime`, of containerd's CRI service, runc, and of Go's net and x509.
#[rustfmt::skip]
const RULES: &[Rule] = &[
    Rule { id: "sandbox-image-missing", says: &["sandbox", "failed to get sandbox image"], after: 1,
        why: "the runtime's sandbox image {pause} is neither there nor can it be pulled",
        fix: "set sandbox_image in /etc/containerd/config.toml to an image that is there (ctr -n k8s.io images ls | grep pause), then: systemctl restart containerd" },
    Rule { id: "cgroup-driver-mismatch", says: &["expected cgroupspath to be of format"], after: 1,
        why: "the runtime uses the systemd cgroup driver, the kubelet cgroupfs",
        fix: "set cgroupDriver: systemd in {config}, then: systemctl restart kubelet" },
    Rule { id: "cgroup-driver-mismatch", says: &["sandbox", "invalid slice name"], after: 1,
        why: "the kubelet uses the systemd cgroup driver, the runtime cgroupfs",
        fix: "set SystemdCgroup = true in /etc/containerd/config.toml, then: systemctl restart containerd kubelet" },
    Rule { id: "disk-full", says: &["no space left on device"], after: 1,
        why: "the disk is full",
        fix: "df -h /var/lib /var/log /run: free space there; the kubelet goes on by itself" },
    Rule { id: "runtime-down", says: &["connection refused", "containerd.sock"], after: 3,
        why: "the container runtime does not answer",
        fix: "systemctl restart containerd" },
    Rule { id: "sandbox-oom-score", says: &["sandbox", "oom_score_adj"], after: 1,
        why: "the runtime may not lower its OOM score here, as in a container without CAP_SYS_RESOURCE",
        fix: "set restrict_oom_score_adj = true in /etc/containerd/config.toml, then: systemctl restart containerd" },
    Rule { id: "sandbox-failing", says: &["createpodsandbox"], after: 2,
        why: "the container runtime cannot make the Pod's sandbox; the line above ends with its reason",
        fix: "mend what the runtime says: journalctl -u containerd -n 50" },
    Rule { id: "image-missing", says: &["errimageneverpull"], after: 1,
        why: "imagePullPolicy is Never, and the image is not on this node",
        fix: "import the image (ctr -n k8s.io images import FILE), or set nodeRegistration.imagePullPolicy: IfNotPresent" },
    Rule { id: "registry-untrusted", says: &["pull", "x509"], after: 1,
        why: "the registry's certificate is not trusted on this node",
        fix: "put the registry's CA into the system's trust store (update-ca-certificates), then: systemctl restart containerd" },
    // With its words: the number alone is in many a port and digest.
    Rule { id: "registry-denied", says: &["pull", "401 unauthorized"], after: 1,
        why: "the registry wants credentials",
        fix: "give the runtime credentials for the registry, or set imageRepository to one that needs none" },
    Rule { id: "registry-denied", says: &["pull", "unauthorized: "], after: 1,
        why: "the registry wants credentials",
        fix: "give the runtime credentials for the registry, or set imageRepository to one that needs none" },
    Rule { id: "registry-denied", says: &["pull access denied"], after: 1,
        why: "the registry wants credentials, or has no such image",
        fix: "correct imageRepository, or give the runtime credentials for it" },
    Rule { id: "registry-denied", says: &["pull", "403 forbidden"], after: 1,
        why: "the registry refuses the image",
        fix: "correct imageRepository, or the runtime's credentials for it" },
    Rule { id: "registry-denied", says: &["pull", "403 (forbidden)"], after: 1,
        why: "the registry refuses the image",
        fix: "correct imageRepository, or the runtime's credentials for it" },
    Rule { id: "registry-limit", says: &["pull", "toomanyrequests"], after: 1,
        why: "the registry limits how much is pulled from it",
        fix: "use a mirror: imageRepository in the configuration" },
    Rule { id: "registry-unreachable", says: &["pull", "dial tcp"], after: 1,
        why: "the registry cannot be reached from this node",
        fix: "import the images (kubestrap config images list names them), or set imageRepository to a registry that can be reached" },
    Rule { id: "image-missing", says: &["pull", "not found"], after: 1,
        why: "the registry has no such image",
        fix: "correct imageRepository, imageTag or kubernetesVersion, then run the same command again with --restart" },
    Rule { id: "image-unpullable", says: &["errimagepull"], after: 2,
        why: "the image can neither be found here nor pulled; the line above ends with the runtime's reason",
        fix: "mend what the runtime says, or import the image: ctr -n k8s.io images import FILE" },
    Rule { id: "volume-missing", says: &["hostpath type check failed"], after: 1,
        why: "the path of a hostPath volume of the static Pod is not there, or not of the type that the volume asks for",
        fix: "make what the line names (touch FILE, mkdir -p FOLDER), or correct hostPath and pathType in extraVolumes, then run the same command again with --restart" },
    Rule { id: "manifest-invalid", says: &["could not process manifest file"], after: 1,
        why: "the kubelet cannot read a static Pod's manifest",
        fix: "correct or remove the file that the line names, then run the same command again" },
    Rule { id: "endpoint-wrong-ca", says: &["x509", "unknown authority"], after: 2,
        why: "the API server's certificate is signed by another CA than the one in /etc/kubernetes/kubelet.conf: the node belongs to another cluster, or its certificates were replaced",
        fix: "kubestrap reset on this node, then join it again with a fresh join command" },
    Rule { id: "endpoint-wrong-name", says: &["x509", "certificate is valid for"], after: 2,
        why: "the API server's certificate does not name the address that the kubelet uses",
        fix: "add the address to apiServer.certSANs and make the certificate anew: kubestrap certs renew apiserver, or use an address it names" },
    Rule { id: "endpoint-expired", says: &["x509", "expired or is not yet valid"], after: 2,
        why: "a certificate is not valid at this node's time: it has expired, or a clock is wrong",
        fix: "date -u on this node and on the control plane; then kubestrap certs check-expiration on the control plane" },
    Rule { id: "endpoint-dns", says: &["no such host"], after: 3,
        why: "the API server's name cannot be resolved on this node",
        fix: "mend DNS or add the name to /etc/hosts, then run the same command again" },
    Rule { id: "endpoint-proxy", says: &["proxyconnect"], after: 2,
        why: "the kubelet talks to the API server through a proxy that does not let it",
        fix: "add the API server's address to NO_PROXY in the kubelet's environment: systemctl edit kubelet" },
    Rule { id: "kubelet-unauthorized", says: &["unauthorized"], after: 5,
        why: "the API server does not accept the kubelet's certificate: it is of another cluster or has expired",
        fix: "kubestrap reset on this node, then join it again with a fresh join command" },
    Rule { id: "node-name-mismatch", says: &["is not allowed to modify node"], after: 2,
        why: "the kubelet's certificate is for another Node name than the one it registers",
        fix: "remove hostname-override from kubeletExtraArgs, or kubestrap reset and join with --node-name" },
    Rule { id: "webhook-blocks", says: &["failed calling webhook"], after: 2,
        why: "the API server asks an admission webhook about the kubelet's objects, and the webhook does not answer",
        fix: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations: repair the webhook, or leave Nodes out of its rules" },
    Rule { id: "webhook-blocks", says: &["admission webhook"], after: 2,
        why: "an admission webhook of the cluster refuses the Node or does not answer",
        fix: "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations: repair the webhook, or leave Nodes out of its rules" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_manifests_is_read_from_what_kubelets_say() {
        for line in [
            "I1123 04:00:00.000000     319 kubelet.go:265] Adding pod path: /etc/manifests",
            "I1123 04:00:00.000000     319 kubelet.go:313] \"Adding static pod path\" path=\"/etc/manifests\"",
        ] {
            assert_eq!(manifest_folder(line), Some("/etc/manifests"), "{line}");
        }
        assert_eq!(manifest_folder("I1123 kubelet.go:276] Watching apiserver"), None);
    }

    #[test]
    fn what_running_kubelets_have_said_has_one_cause() {
        let sandbox = |end: &str| {
            format!(
                r#"Error syncing pod, skipping: failed to "CreatePodSandbox" for "etcd-n1_kube-system(1)" with CreatePodSandboxError: "CreatePodSandbox for pod failed: rpc error: {end}"#
            )
        };
        let pull = |end: &str| {
            format!(
                r#"Error syncing pod, skipping: failed to "StartContainer" for "etcd" with ErrImagePull: "rpc error: failed to pull and unpack image: {end}"#
            )
        };
        for (line, id) in [
            (sandbox("failed to get sandbox image \"pause:9\": failed to pull image"), "sandbox-image-missing"),
            (
                sandbox("runc create failed: expected cgroupsPath to be of format \"slice:prefix:name\""),
                "cgroup-driver-mismatch",
            ),
            (sandbox("write /run/x: no space left on device"), "disk-full"),
            (sandbox("can't get final child's PID from pipe: EOF"), "sandbox-failing"),
            (pull("dial tcp: lookup k8s.gcr.io: no such host"), "registry-unreachable"),
            (pull("dial tcp: read udp 127.0.0.1:54011->127.0.0.1:40353: connection refused"), "registry-unreachable"),
            (pull("unexpected status code [manifests 9]: 401 Unauthorized"), "registry-denied"),
            (pull("reading manifest 9: unauthorized: access to the requested resource"), "registry-denied"),
            (pull("pull access denied, repository does not exist or may require authorization"), "registry-denied"),
            (pull("unexpected status from HEAD request to https://r/v2/etcd: 403 Forbidden"), "registry-denied"),
            (pull("invalid status code from registry 403 (Forbidden)"), "registry-denied"),
            (pull("k8s.gcr.io/etcd:9: not found"), "image-missing"),
            (pull("x509: certificate signed by unknown authority"), "registry-untrusted"),
            (pull("something else"), "image-unpullable"),
            (
                "Unable to register node \"n1\": Post \"https://x\": x509: certificate signed by unknown authority"
                    .to_owned(),
                "endpoint-wrong-ca",
            ),
            (
                "Get \"https://api.example.com:6443\": dial tcp: lookup api.example.com: no such host".to_owned(),
                "endpoint-dns",
            ),
            (
                "Error: \"MountVolume.SetUp failed for volume \"audit\" (UniqueName: \"kubernetes.io/host-path/0333-audit\") pod \"kube-apiserver-n1\" (UID: \"0333\") : hostPath type check failed: /etc/audit.yaml is not a file\""
                    .to_owned(),
                "volume-missing",
            ),
            (
                "Unable to register node \"n1\" with API server: Internal error occurred: failed calling webhook \"dead.example.com\": Post \"https://127.0.0.1:9/?timeout=2s\": dial tcp 127.0.0.1:9: connect: connection refused"
                    .to_owned(),
                "webhook-blocks",
            ),
            (
                "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"".to_owned(),
                "node-name-mismatch",
            ),
        ] {
            assert_eq!(first_fit(RULES, &line).map(|rule| rule.id), Some(id), "{line}");
        }
    }
}
