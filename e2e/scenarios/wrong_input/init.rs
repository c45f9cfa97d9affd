//! Mistakes with `init`: on the command line, in the configuration file, and on the machine.

use super::{Case, make_mistakes};
use crate::{only_kubestrap, scenario};
use kubestrap_e2e::nodes::Node;

const FILE: &str = "/run/kubestrap-e2e/wrong.yaml";
const CLUSTER: &str = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n";

/// Flags that are wrong: name, flags, exit code, id.
const FLAGS: [(&str, &str, i32, &str); 13] = [
    ("Pod CIDR", "--pod-network-cidr 10.244.0.0/33", 3, "config-invalid/config-bad-cidr"),
    ("Service CIDR", "--service-cidr 10.96.0.0", 3, "config-invalid/config-bad-cidr"),
    ("overlapping subnets", "--pod-network-cidr 10.96.0.0/16", 3, "config-invalid/config-subnets-overlap"),
    ("token", "--token secret", 3, "config-invalid/config-bad-token"),
    ("advertise address", "--apiserver-advertise-address 10.77.1.300", 3, "config-invalid/config-bad-address"),
    ("node name", "--node-name Control_Plane", 3, "config-invalid/config-bad-node-name"),
    ("port", "--apiserver-bind-port 66443", 1, "command-line"),
    ("release from the future", "--kubernetes-version v1.99.0", 3, "config-invalid/config-bad-version"),
    ("release of no kind", "--kubernetes-version newest", 3, "config-invalid/config-bad-version"),
    ("configuration file is missing", "--config /run/nowhere.yaml", 3, "config-invalid/config-file-missing"),
    ("unknown flag", "--pod-network-cdir 10.244.0.0/16", 1, "command-line"),
    ("unknown phase", "--skip-phases addon/coredsn", 1, "unknown-phase"),
    ("image repository", "--image-repository registry.invalid/k8s", 2, "ImagePull"),
];

/// Configuration files that are wrong: name, content, id. All end with 3.
const FILES: [(&str, &str, &str); 7] = [
    ("unknown field", "networking: {podsubnet: 10.244.0.0/16}\n", "config-invalid/config-unknown-field"),
    ("field of another type", "networking: yes\n", "config-invalid/config-wrong-type"),
    (
        "unknown apiVersion",
        "---\napiVersion: kubeadm.k8s.io/v1beta9\nkind: InitConfiguration\n",
        "config-invalid/config-unknown-version",
    ),
    (
        "apiVersion of long ago",
        "---\napiVersion: kubeadm.k8s.io/v1beta1\nkind: InitConfiguration\n",
        "config-invalid/config-old-version",
    ),
    ("no YAML", "networking: [10.244.0.0/16\n", "config-invalid/config-not-yaml"),
    (
        "two of one kind",
        "---\napiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n",
        "config-invalid/config-duplicate-kind",
    ),
    (
        "unknown kind",
        "---\napiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfig\n",
        "config-invalid/config-unknown-kind",
    ),
];

/// Machines that are not ready: name, what makes them so, what undoes it, finding. All end with 2.
const MACHINES: [(&str, &str, &str, &str); 7] = [
    ("port 6443 is taken", LISTEN_6443, STOP_LISTENING, "preflight/Port-6443"),
    ("port 10250 is taken", LISTEN_10250, STOP_LISTENING, "preflight/Port-10250"),
    (
        "data of an etcd",
        "echo foreign >/var/lib/etcd/note",
        "rm /var/lib/etcd/note",
        "preflight/DirAvailable--var-lib-etcd",
    ),
    (
        "manifest of another tool",
        "mkdir -p /etc/kubernetes/manifests; echo foreign >/etc/kubernetes/manifests/kube-apiserver.yaml",
        "rm -r /etc/kubernetes",
        "preflight/FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml",
    ),
    ("no container runtime", "systemctl stop containerd", "systemctl start containerd", "preflight/CRI"),
    (
        "no forwarding",
        "echo 0 >/proc/sys/net/ipv4/ip_forward",
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        "preflight/FileContent--proc-sys-net-ipv4-ip_forward",
    ),
    (
        "no kubelet",
        "mv /usr/bin/kubelet /usr/bin/kubelet.away",
        "mv /usr/bin/kubelet.away /usr/bin/kubelet",
        "preflight/KubeletVersion",
    ),
];

const LISTEN_6443: &str = "systemd-run --quiet --collect --unit=listener socat TCP-LISTEN:6443,fork EXEC:true; \
    until ss -ltn | grep -q :6443; do :; done";
const LISTEN_10250: &str = "systemd-run --quiet --collect --unit=listener socat TCP-LISTEN:10250,fork EXEC:true; \
    until ss -ltn | grep -q :10250; do :; done";
const STOP_LISTENING: &str = "systemctl stop listener";

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn init_refuses_every_mistake_and_leaves_the_node_as_it_was() {
    if !only_kubestrap() {
        return;
    }
    scenario("init_refuses_every_mistake_and_leaves_the_node_as_it_was", |run| {
        let node = Node::create(run, "init-refused")?;
        make_mistakes(&node, &cases())?;
        node.destroy()
    });
}

fn cases() -> Vec<Case> {
    let flags = FLAGS.into_iter().map(|(name, flags, code, id)| Case {
        name,
        command: format!("kubestrap init {flags}"),
        code,
        id,
        ..Case::default()
    });
    let files = FILES.into_iter().map(|(name, text, id)| Case {
        name,
        before: format!("mkdir -p /run/kubestrap-e2e; cat >{FILE} <<'END'\n{CLUSTER}{text}END"),
        command: format!("kubestrap init --config {FILE}"),
        code: 3,
        id,
        ..Case::default()
    });
    let machines = MACHINES.into_iter().map(|(name, before, after, id)| Case {
        name,
        before: before.to_owned(),
        command: "kubestrap init --pod-network-cidr 10.244.0.0/16".to_owned(),
        code: 2,
        id,
        after: after.to_owned(),
    });
    let others = [
        Case {
            name: "not root",
            command: "setpriv --reuid=65534 --regid=65534 --clear-groups kubestrap init".to_owned(),
            code: 2,
            id: "preflight/IsPrivilegedUser",
            ..Case::default()
        },
        Case {
            name: "phase without its CA",
            command: "kubestrap init phase certs apiserver".to_owned(),
            code: 1,
            id: "artifact-missing",
            ..Case::default()
        },
        Case {
            name: "phase without its API server",
            command: "kubestrap init phase mark-control-plane".to_owned(),
            code: 1,
            id: "artifact-missing",
            ..Case::default()
        },
        Case {
            name: "second of two mistakes",
            command: "kubestrap init --pod-network-cidr x --token y".to_owned(),
            code: 3,
            id: "config-invalid/config-bad-token",
            ..Case::default()
        },
    ];
    flags.chain(files).chain(machines).chain(others).collect()
}
