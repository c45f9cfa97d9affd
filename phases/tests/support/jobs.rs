//! Jobs for tests: what the files `testdata/kubeadm/*/{default,custom}/input.yaml` ask for, and small variations.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, json};

use crate::config::{
    ApiEndpoint, Bootstrap, BootstrapToken, Cidr, ClusterConfig, Component, Discovered, Dns, Etcd, HostPathMount,
    HostPort, Init, JoinControlPlane, JoinWorker, Layout, LocalEtcd, Networking, NodeConfig, NodeName, Release,
    Timeouts, TokenSpec,
};
use crate::patches::Patches;
use crate::world::KeyAlgorithm;

const HOUR: u64 = 3600;

/// v1.20.2, the default release.
pub(crate) const V1_20: Release = Release::new(20, 2);
/// v1.36.2.
pub(crate) const V1_36: Release = Release::new(36, 2);

/// `kubeadm init` with nothing but a node name and an address.
pub(crate) fn default_init(release: Release) -> Init {
    Init {
        cluster: default_cluster(release),
        node: node("n1"),
        endpoint: ApiEndpoint { address: [10, 77, 0, 11].into(), port: 6443 },
        tokens: vec![TokenSpec {
            token: token(),
            description: String::new(),
            expires: Some(super::NOW.0 + 24 * 3600),
            usages: vec!["signing".to_owned(), "authentication".to_owned()],
            groups: vec!["system:bootstrappers:kubeadm:default-node-token".to_owned()],
        }],
        certificate_key: None,
        kubeconfig: PathBuf::from("/etc/kubernetes/admin.conf"),
        skip_token_print: false,
        skip_certificate_key_print: false,
    }
}

/// The `custom` inputs: another port, endpoint, name, registry, networks, SANs, flags and volumes.
pub(crate) fn custom_init(release: Release) -> Init {
    let modern = release >= V1_36;
    let mut init = default_init(release);
    init.endpoint.port = 8443;
    init.node.kubelet_extra_args = pairs(&[("node-ip", "10.77.0.11"), ("v", "4")]);
    let cluster = &mut init.cluster;
    cluster.control_plane_endpoint = Some(HostPort::new("k8s.example.com", 6443));
    cluster.name = "prod".to_owned();
    cluster.image_repository = "registry.example.com/k8s".to_owned();
    cluster.networking = Networking {
        service_subnets: Cidr::parse_list("10.112.0.0/12").unwrap(),
        pod_subnets: Cidr::parse_list("10.244.0.0/16").unwrap(),
        dns_domain: "corp.local".to_owned(),
    };
    cluster.api_server_cert_sans = vec!["api.example.com".to_owned(), "203.0.113.7".to_owned()];
    cluster.api_server = Component {
        extra_args: pairs(&[("audit-log-path", "/var/log/audit.log"), ("authorization-mode", "Node,RBAC")]),
        extra_volumes: vec![HostPathMount {
            name: "audit".to_owned(),
            host_path: "/var/log/kube".to_owned(),
            mount_path: "/var/log".to_owned(),
            read_only: false,
            path_type: "DirectoryOrCreate".to_owned(),
        }],
        extra_envs: if modern { vec![json!({"name": "HTTP_PROXY", "value": "http://proxy:3128"})] } else { Vec::new() },
    };
    cluster.controller_manager.extra_args = pairs(&[("bind-address", "0.0.0.0"), ("node-cidr-mask-size", "25")]);
    cluster.scheduler.extra_args = pairs(&[("v", "3")]);
    if let Etcd::Local(etcd) = &mut cluster.etcd {
        etcd.data_dir = PathBuf::from("/data/etcd");
        etcd.component.extra_args = pairs(&[("quota-backend-bytes", "4294967296")]);
        etcd.server_cert_sans = vec!["etcd.example.com".to_owned()];
    }
    if modern {
        cluster.key_algorithm = KeyAlgorithm::EcdsaP256;
        cluster.certificate_validity = Duration::from_secs(4380 * HOUR);
        cluster.ca_validity = Duration::from_secs(43_800 * HOUR);
    }
    init
}

/// A worker that joins the default cluster.
pub(crate) fn join_worker(release: Release) -> JoinWorker {
    JoinWorker {
        cluster: default_cluster(release),
        node: node("n2"),
        discovery: Discovered {
            server: "https://10.77.0.11:6443".to_owned(),
            ca_pem: String::new(),
            bootstrap: Bootstrap::Token(token()),
            ca_cert_path: PathBuf::from("/etc/kubernetes/pki/ca.crt"),
            tls_bootstrap_timeout: Duration::from_secs(300),
        },
    }
}

/// A control-plane node that joins the default cluster.
pub(crate) fn join_control_plane(release: Release) -> JoinControlPlane {
    JoinControlPlane {
        worker: join_worker(release),
        endpoint: ApiEndpoint { address: [10, 77, 0, 12].into(), port: 6443 },
        certificate_key: None,
    }
}

fn default_cluster(release: Release) -> ClusterConfig {
    ClusterConfig {
        name: "kubernetes".to_owned(),
        control_plane_endpoint: None,
        certificates_dir: PathBuf::from(Layout::CERTIFICATES),
        image_repository: release.image_repository().to_owned(),
        use_hyperkube: false,
        networking: Networking {
            service_subnets: Cidr::parse_list("10.96.0.0/12").unwrap(),
            pod_subnets: Vec::new(),
            dns_domain: "cluster.local".to_owned(),
        },
        etcd: Etcd::Local(LocalEtcd {
            image_repository: None,
            image_tag: None,
            data_dir: PathBuf::from("/var/lib/etcd"),
            component: Component::default(),
            server_cert_sans: Vec::new(),
            peer_cert_sans: Vec::new(),
        }),
        api_server: Component::default(),
        api_server_cert_sans: Vec::new(),
        controller_manager: Component::default(),
        scheduler: Component::default(),
        dns: Dns::default(),
        proxy_disabled: false,
        feature_gates: std::collections::BTreeMap::new(),
        key_algorithm: KeyAlgorithm::Rsa2048,
        certificate_validity: Duration::from_secs(8760 * HOUR),
        ca_validity: Duration::from_secs(87_600 * HOUR),
        control_plane_timeout: Duration::from_secs(240),
        kubelet: Map::new(),
        kubelet_from_user: false,
        kube_proxy: Map::new(),
        kube_proxy_from_user: false,
        release,
    }
}

pub(crate) fn node(name: &str) -> NodeConfig {
    NodeConfig {
        name: NodeName::parse(name).unwrap(),
        host_name: name.to_owned(),
        cri_socket: "/run/containerd/containerd.sock".to_owned(),
        taints: None,
        kubelet_extra_args: Vec::new(),
        ignore_preflight_errors: Vec::new(),
        image_pull_policy: "IfNotPresent".to_owned(),
        ca_folders: Vec::new(),
        image_pull_serial: false,
        skip_phases: Vec::new(),
        is_dry_run: false,
        timeouts: Timeouts::default(),
        patches: Patches::default(),
        proxies: Vec::new(),
        accounts: None,
        layout: Layout::default(),
    }
}

fn token() -> BootstrapToken {
    BootstrapToken::parse("abcdef.0123456789abcdef").unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
