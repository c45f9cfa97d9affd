//! Releases: the one place that knows what differs between Kubernetes 1.20 and 1.37. Long, because it is one table.
//!
//! Facts are kubeadm's, taken from its releases' sources and output; a first release of a range that could not be
//! confirmed is marked `[?]`. Everything else asks here and compares no version numbers of its own.

use std::ops::RangeInclusive;

use crate::config::{ClusterConfig, Dns, DnsServer, Etcd, Release};

/// Oldest minor release that is served.
pub const OLDEST_MINOR: u32 = 20;
/// Newest minor release that is served.
pub const NEWEST_MINOR: u32 = 37;

/// Release used when neither file nor flags name one.
pub const DEFAULT: Release = Release::new(20, 2);

/// A feature gate of kubeadm's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Its name.
    pub name: &'static str,
    /// First minor release that has it; 20 also stands for older ones.
    pub since: u32,
    /// Last minor release that has it.
    pub until: u32,
    /// Whether it was on by default in its last release.
    pub is_on: bool,
}

impl Gate {
    /// Whether a minor release has it.
    pub fn is_in(&self, minor: u32) -> bool {
        (self.since..=self.until).contains(&minor)
    }
}

const fn gate(name: &'static str, since: u32, until: u32, is_on: bool) -> Gate {
    Gate { name, since, until, is_on }
}

/// All of them, from kubeadm's change logs and, for 1.20 and 1.36, its help.
pub const GATES: [Gate; 9] = [
    gate("ControlPlaneKubeletLocalMode", 31, 35, true),
    gate("EtcdLearnerMode", 27, 32, true),
    gate("IPv6DualStack", 20, 23, true),
    gate("NodeLocalCRISocket", 32, 36, true),
    gate("PublicKeysECDSA", 20, 36, false),
    gate("RootlessControlPlane", 22, NEWEST_MINOR, false),
    gate("UnversionedKubeletConfigMap", 23, 25, true),
    gate("UpgradeAddonsBeforeControlPlane", 28, 30, false),
    gate("WaitForAllControlPlaneComponents", 30, 34, true),
];

/// An image of the control plane or an addon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// kube-proxy.
    Proxy,
    /// Sandbox image.
    Pause,
    /// etcd.
    Etcd,
    /// CoreDNS.
    CoreDns,
    /// kube-dns: the server.
    KubeDns,
    /// kube-dns: what watches the other two.
    KubeDnsSidecar,
    /// kube-dns: the cache in front of the server.
    KubeDnsMasq,
}

impl Image {
    /// All images that a control-plane node of this cluster needs, in the order kubeadm lists them.
    pub fn of_control_plane(cluster: &ClusterConfig) -> Vec<String> {
        let dns: &[Self] = match cluster.dns.server {
            _ if cluster.dns.disabled => &[],
            DnsServer::CoreDns => &[Self::CoreDns],
            DnsServer::KubeDns => &[Self::KubeDns, Self::KubeDnsSidecar, Self::KubeDnsMasq],
        };
        let others: &[Self] = &[Self::Pause, Self::Etcd];
        let last = if cluster.release.lists_coredns_first() { [dns, others] } else { [others, dns] };
        let mut images: Vec<String> = [Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Proxy]
            .into_iter()
            .chain(last.concat())
            .filter(|image| match image {
                Self::Etcd => matches!(cluster.etcd, Etcd::Local(_)),
                Self::Proxy => !cluster.proxy_disabled,
                _ => true,
            })
            .map(|image| image.reference(cluster))
            .collect();
        // hyperkube stands for four.
        images.dedup();
        images
    }

    /// The whole reference, with what the configuration overrides.
    pub fn reference(self, cluster: &ClusterConfig) -> String {
        let release = &cluster.release;
        let repository = cluster.image_repository.as_str();
        let named = |name: &str| {
            let name = if cluster.use_hyperkube { "hyperkube" } else { name };
            format!("{repository}/{name}:{}", release.image_tag())
        };
        match self {
            Self::ApiServer => named("kube-apiserver"),
            Self::ControllerManager => named("kube-controller-manager"),
            Self::Scheduler => named("kube-scheduler"),
            Self::Proxy => named("kube-proxy"),
            Self::Pause => format!("{repository}/pause:{}", release.pause_tag()),
            Self::Etcd => {
                let (own_repository, own_tag) = match &cluster.etcd {
                    Etcd::Local(local) => (local.image_repository.as_deref(), local.image_tag.as_deref()),
                    Etcd::External(_) => (None, None),
                };
                format!(
                    "{}/etcd:{}",
                    own_repository.unwrap_or(repository),
                    own_tag.unwrap_or_else(|| release.etcd_tag())
                )
            }
            Self::CoreDns => coredns_reference(&cluster.dns, repository, release),
            Self::KubeDns => kube_dns_reference(&cluster.dns, repository, "kube-dns"),
            Self::KubeDnsSidecar => kube_dns_reference(&cluster.dns, repository, "sidecar"),
            Self::KubeDnsMasq => kube_dns_reference(&cluster.dns, repository, "dnsmasq-nanny"),
        }
    }
}

/// With the default registry, CoreDNS lies one level deeper from 1.21 on.
fn coredns_reference(dns: &Dns, repository: &str, release: &Release) -> String {
    let repository = dns.image_repository.as_deref().unwrap_or(repository);
    let tag = dns.image_tag.as_deref().unwrap_or_else(|| release.coredns_tag());
    let deeper = if release.minor() >= 21 && repository == release.image_repository() { "coredns/" } else { "" };
    format!("{repository}/{deeper}coredns:{tag}")
}

/// The version that kubeadm 1.20 has.
fn kube_dns_reference(dns: &Dns, repository: &str, part: &str) -> String {
    let repository = dns.image_repository.as_deref().unwrap_or(repository);
    format!("{repository}/k8s-dns-{part}:{}", dns.image_tag.as_deref().unwrap_or("1.14.13"))
}

impl Release {
    /// Default registry.
    pub fn image_repository(&self) -> &'static str {
        if self.minor() >= 25 { "registry.k8s.io" } else { "k8s.gcr.io" }
    }

    /// Whether kubeadm knows the image `hyperkube`. Last release `[?]`.
    pub fn has_hyperkube(&self) -> bool {
        self.minor() <= 21
    }

    /// Whether kubeadm can install kube-dns in place of CoreDNS: <https://github.com/kubernetes/kubernetes/pull/99646>.
    pub fn has_kube_dns(&self) -> bool {
        self.minor() <= 20
    }

    /// Whether kubeadm lists CoreDNS before the sandbox image and etcd. First release `[?]`; not so in 1.26, so in 1.36.
    pub fn lists_coredns_first(&self) -> bool {
        self.minor() >= 29
    }

    /// etcd's image tag.
    pub fn etcd_tag(&self) -> &'static str {
        match self.minor() {
            ..=21 => "3.4.13-0",
            22 => "3.5.0-0",
            23 => "3.5.1-0",
            24 => "3.5.3-0",
            25 => "3.5.4-0",
            26..=28 => "3.5.9-0",
            29..=30 => "3.5.12-0",
            31 => "3.5.15-0",
            32 => "3.5.16-0",
            33 => "3.5.21-0",
            34 => "3.6.5-0",
            35 => "3.6.6-0",
            _ => "3.6.8-0",
        }
    }

    /// CoreDNS's image tag.
    pub fn coredns_tag(&self) -> &'static str {
        match self.minor() {
            ..=20 => "1.7.0",
            21 => "v1.8.0",
            22 => "v1.8.4",
            23..=24 => "v1.8.6",
            25..=26 => "v1.9.3",
            27..=28 => "v1.10.1",
            29..=30 => "v1.11.1",
            31..=32 => "v1.11.3",
            33 => "v1.12.0",
            34 => "v1.12.1",
            35 => "v1.13.1",
            36 => "v1.14.2",
            _ => "v1.14.3",
        }
    }

    /// The sandbox image's tag.
    pub fn pause_tag(&self) -> &'static str {
        match self.minor() {
            ..=20 => "3.2",
            21 => "3.4.1",
            22 => "3.5",
            23 => "3.6",
            24 => "3.7",
            25 => "3.8",
            26..=30 => "3.9",
            31..=33 => "3.10",
            34..=35 => "3.10.1",
            _ => "3.10.2",
        }
    }

    /// Which version of kubeadm's configuration this release's own kubeadm writes.
    pub fn config_api(&self) -> &'static str {
        match self.minor() {
            ..=21 => "kubeadm.k8s.io/v1beta2",
            22..=30 => "kubeadm.k8s.io/v1beta3",
            _ => "kubeadm.k8s.io/v1beta4",
        }
    }

    /// Whether the cluster's configuration can say that it has no DNS server or kube-proxy of kubeadm's; v1beta4 has the
    /// fields: <https://github.com/kubernetes/kubernetes/pull/114534>.
    pub fn can_disable_addons(&self) -> bool {
        self.minor() >= 31
    }

    /// Whether `ClusterStatus` stands beside the configuration in the ConfigMap `kubeadm-config`.
    pub fn has_cluster_status(&self) -> bool {
        self.minor() <= 21
    }

    /// Name of the ConfigMap with the kubelet's configuration, and end of its Role's name.
    pub fn kubelet_config_map(&self) -> String {
        if self.minor() <= 23 { format!("kubelet-config-1.{}", self.minor()) } else { "kubelet-config".to_owned() }
    }

    /// Labels of a control-plane node; all with an empty value.
    pub fn control_plane_labels(&self) -> &'static [&'static str] {
        const MASTER: &str = "node-role.kubernetes.io/master";
        const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
        const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
        match self.minor() {
            ..=20 => &[CONTROL_PLANE, MASTER],
            21..=23 => &[CONTROL_PLANE, MASTER, EXCLUDE],
            _ => &[CONTROL_PLANE, EXCLUDE],
        }
    }

    /// Keys of the NoSchedule taints of a control-plane node.
    pub fn control_plane_taints(&self) -> &'static [&'static str] {
        const MASTER: &str = "node-role.kubernetes.io/master";
        const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
        match self.minor() {
            ..=23 => &[MASTER],
            24 => &[CONTROL_PLANE, MASTER],
            _ => &[CONTROL_PLANE],
        }
    }

    /// Organisation in the administrator's certificate.
    pub fn admin_organization(&self) -> &'static str {
        if self.has_super_admin() { "kubeadm:cluster-admins" } else { "system:masters" }
    }

    /// Organisation in the certificate with which the API server talks to kubelets.
    pub fn kubelet_client_organization(&self) -> Option<&'static str> {
        match (self.minor(), self.patch()) {
            (..=28, _) => Some("system:masters"),
            (29..=35, _) | (36, 0) => Some("kubeadm:cluster-admins"),
            _ => None,
        }
    }

    /// Organisation in etcd's client certificates. Dropped in 1.28 or 1.29 `[?]`.
    pub fn etcd_client_organization(&self) -> Option<&'static str> {
        (self.minor() <= 28).then_some("system:masters")
    }

    /// Whether `super-admin.conf` exists beside `admin.conf`.
    pub fn has_super_admin(&self) -> bool {
        self.minor() >= 29
    }

    /// Whether CA certificates carry their name as a SAN as well, and a random serial number.
    pub fn is_modern_ca(&self) -> bool {
        self.minor() >= 29
    }

    /// Whether a leaf certificate becomes valid when its CA did, rather than five minutes before it is made.
    pub fn leaf_starts_with_its_ca(&self) -> bool {
        self.minor() <= 30
    }

    /// Whether leaf certificates carry basic constraints.
    pub fn leaf_has_basic_constraints(&self) -> bool {
        self.minor() >= 29
    }

    /// Whether kubelet.conf of a control-plane node names its own API server.
    pub fn kubelet_uses_local_api(&self) -> bool {
        self.minor() >= 33
    }

    /// Whether kubeconfigs and cluster-info carry `preferences: {}`.
    pub fn kubeconfig_has_preferences(&self) -> bool {
        self.minor() <= 34
    }

    /// Whether the CRI socket stands in `instance-config.yaml` instead of flags and annotation.
    pub fn has_node_local_cri(&self) -> bool {
        self.minor() >= 34
    }

    /// Whether a CRI socket is written as a URL.
    pub fn cri_socket_is_url(&self) -> bool {
        self.minor() >= 24
    }

    /// Whether a control plane counts as ready only when controller manager and scheduler are well too.
    pub(crate) fn waits_for_all_components(&self, gate: Option<bool>) -> bool {
        match self.minor() {
            30..=34 => gate.unwrap_or_else(|| self.minor() >= 33),
            minor => minor > 34,
        }
    }

    /// CRI sockets to look for, the default first.
    pub fn cri_sockets(&self) -> &'static [&'static str] {
        if self.cri_socket_is_url() {
            &[
                "unix:///var/run/containerd/containerd.sock",
                "unix:///var/run/crio/crio.sock",
                "unix:///var/run/cri-dockerd.sock",
            ]
        } else {
            &["/run/containerd/containerd.sock", "/var/run/crio/crio.sock"]
        }
    }

    /// Whether swap keeps a node from being made, rather than being warned of.
    pub fn swap_is_an_error(&self) -> bool {
        self.minor() <= 21
    }

    /// Whether only long-term kernels are taken without a warning, rather than all since 3.10. First release `[?]`.
    pub fn verifies_long_term_kernels(&self) -> bool {
        self.minor() >= 32
    }

    /// Kernel options that a node needs, each with names that stand for one another; without `CONFIG_`.
    pub fn kernel_options(&self, is_cgroup_v2: bool) -> Vec<&'static [&'static str]> {
        const EVERY: &[&[&str]] = &[
            &["NAMESPACES"],
            &["NET_NS"],
            &["PID_NS"],
            &["IPC_NS"],
            &["UTS_NS"],
            &["CGROUPS"],
            &["CPUSETS"],
            &["MEMCG"],
            &["INET"],
            &["EXT4_FS"],
            &["PROC_FS"],
            &["NETFILTER_XT_TARGET_REDIRECT", "IP_NF_TARGET_REDIRECT"],
            &["NETFILTER_XT_MATCH_COMMENT"],
            &["CGROUP_SCHED"],
        ];
        const V1: &[&[&str]] = &[&["CGROUP_CPUACCT"], &["CGROUP_DEVICE"], &["CGROUP_FREEZER"]];
        const V1_LATER: &[&[&str]] = &[&["CGROUP_PIDS"], &["FAIR_GROUP_SCHED"]];
        const V2: &[&[&str]] = &[&["CGROUP_BPF"], &["CGROUP_PIDS"], &["FAIR_GROUP_SCHED"]];
        // kubeadm asked for the options of v1 on any machine until it learned to tell them apart.
        let rest: &[&[&[&str]]] = match (self.verifies_long_term_kernels(), is_cgroup_v2) {
            (false, _) => &[V1],
            (true, false) => &[V1, V1_LATER],
            (true, true) => &[V2],
        };
        EVERY.iter().chain(rest.iter().copied().flatten()).copied().collect()
    }

    /// Programs that a node calls. First and last releases between 1.20 and 1.36 are partly `[?]`.
    pub fn programs(&self) -> Programs {
        match self.minor() {
            ..=31 => Programs {
                required: &["conntrack", "ip", "iptables", "mount", "nsenter"],
                optional: &["ebtables", "ethtool", "socat", "tc", "touch"],
            },
            32 => Programs {
                required: &["cp", "ip", "iptables", "mount", "nsenter"],
                optional: &["ethtool", "tc", "touch"],
            },
            _ => Programs { required: &["cp", "losetup", "mount"], optional: &[] },
        }
    }

    /// Whether iptables must see bridged packets: kubeadm left that to Pod networks later
    /// <https://github.com/kubernetes/kubernetes/pull/123464>.
    pub fn checks_bridge_parameters(&self) -> bool {
        self.minor() <= 29
    }

    /// Whether forwarding is asked for by the families in use, rather than always for IPv4. First release `[?]`.
    pub fn checks_forwarding_by_family(&self) -> bool {
        self.minor() >= 36
    }

    /// Whether a joining node's manifest folder must be empty. Last release `[?]`.
    pub fn refuses_foreign_manifests(&self) -> bool {
        self.minor() <= 20
    }

    /// Whether kubeadm advises against runtimes that cannot be asked for their cgroup driver.
    pub fn advises_runtime_config(&self) -> bool {
        self.minor() >= 35
    }

    /// Whether the kubelet takes the cgroup driver from a runtime that tells it: the gate KubeletCgroupDriverFromCRI.
    pub fn kubelet_asks_for_cgroup_driver(&self) -> bool {
        self.minor() >= 31
    }

    /// Oldest external etcd. First release of the newer one `[?]`.
    pub fn oldest_external_etcd(&self) -> [u32; 3] {
        match self.minor() {
            ..=33 => [3, 2, 18],
            _ => [3, 5, 24],
        }
    }

    /// Whether this kubelet ends at once when it is given a flag that older ones had.
    pub fn kubelet_has_dropped(&self, flag: &str) -> bool {
        let since = match flag {
            "network-plugin" | "network-plugin-mtu" | "cni-bin-dir" | "cni-conf-dir" | "cni-cache-dir" => 24,
            "docker-endpoint" | "image-pull-progress-deadline" => 24,
            "container-runtime" => 27,
            "pod-infra-container-image" => 35,
            _ => return false,
        };
        self.minor() >= since
    }

    /// How many minor releases older than the control plane a kubelet may be.
    pub fn oldest_kubelet_distance(&self) -> u32 {
        if self.minor() >= 28 { 3 } else { 2 }
    }

    /// Whether static Pods run under the runtime's default seccomp profile.
    pub fn static_pods_have_seccomp(&self) -> bool {
        self.minor() >= 22
    }

    /// Whether static Pods carry the number of their priority class as well. First release `[?]`.
    pub fn static_pods_have_priority(&self) -> bool {
        self.minor() >= 27
    }

    /// Whether static Pods name the port of their probes.
    pub fn probes_use_named_port(&self) -> bool {
        self.minor() >= 34
    }

    /// Whether the insecure ports still exist and have to be closed by flag: `insecure-port` of kube-apiserver.
    pub fn api_server_has_insecure_port(&self) -> bool {
        self.minor() <= 21
    }

    /// Whether kube-controller-manager and kube-scheduler have an insecure port to be closed by flag. Last release `[?]`.
    pub fn components_have_insecure_port(&self) -> bool {
        self.minor() <= 22
    }

    /// Whether the gate IPv6DualStack still exists and is handed on to the components.
    pub fn has_dual_stack_gate(&self) -> bool {
        self.minor() <= 23
    }

    /// Whether kube-controller-manager mounts the folder of flex volume drivers.
    pub fn mounts_flex_volumes(&self) -> bool {
        self.minor() <= 35
    }

    /// Paths of kube-scheduler's liveness, readiness and startup probes.
    pub fn scheduler_probes(&self) -> ProbePaths {
        match self.minor() {
            ..=31 => ProbePaths { liveness: "/healthz", readiness: None, startup: "/healthz" },
            _ => ProbePaths { liveness: "/livez", readiness: Some("/readyz"), startup: "/livez" },
        }
    }

    /// Paths of etcd's liveness, readiness and startup probes.
    pub fn etcd_probes(&self) -> ProbePaths {
        match self.minor() {
            ..=24 => ProbePaths { liveness: "/health", readiness: None, startup: "/health" },
            25..=30 => ProbePaths {
                liveness: "/health?exclude=NOSPACE&serializable=true",
                readiness: None,
                startup: "/health?serializable=false",
            },
            _ => ProbePaths { liveness: "/livez", readiness: Some("/readyz"), startup: "/readyz" },
        }
    }

    /// Whether etcd asks for ephemeral storage, which made kubelets refuse it now and then. Last release `[?]`.
    pub fn etcd_requests_storage(&self) -> bool {
        self.minor() <= 21
    }

    /// Flags of etcd that differ between releases, for the image tag that will run.
    pub fn etcd_flags(&self, image_tag: &str) -> &'static [(&'static str, &'static str)] {
        const CORRUPT: (&str, &str) = ("experimental-initial-corrupt-check", "true");
        const NOTIFY: (&str, &str) = ("experimental-watch-progress-notify-interval", "5s");
        const SINCE_3_6: &[(&str, &str)] =
            &[("feature-gates", "InitialCorruptCheck=true"), ("watch-progress-notify-interval", "5s")];
        match self.minor() {
            ..=23 => &[],
            24..=27 => &[CORRUPT],
            34..=35 if is_etcd_3_6(image_tag) => SINCE_3_6,
            28..=35 => &[CORRUPT, NOTIFY],
            _ => SINCE_3_6,
        }
    }

    /// Whether flags given by the user come last, in their order, rather than sorted among the others.
    pub fn user_flags_come_last(&self) -> bool {
        self.minor() >= 36
    }

    /// Whether environment variables are sorted by name, those of the user merged with the proxy settings.
    pub fn sorts_environment(&self) -> bool {
        self.minor() >= 31
    }
}

/// Whether an image tag of etcd is of 3.6 or newer; tags that cannot be read are taken for new ones.
fn is_etcd_3_6(tag: &str) -> bool {
    let mut numbers = tag.trim_start_matches('v').split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (3, 6),
        _ => true,
    }
}

/// Paths that the kubelet asks to see whether a static Pod is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePaths {
    /// Restarts the container when it fails.
    pub liveness: &'static str,
    /// Whether it takes requests.
    pub readiness: Option<&'static str>,
    /// Holds back the others until it has succeeded once.
    pub startup: &'static str,
}

/// Programs that a node calls by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Programs {
    /// Without which it does not work.
    pub required: &'static [&'static str],
    /// Without which it lacks a feature.
    pub optional: &'static [&'static str],
}

/// What the kubelet is told, and how.
impl Release {
    /// Whether the kubelet can run containers through docker by itself, and has to be told when it should not.
    pub fn kubelet_knows_docker(&self) -> bool {
        self.minor() <= 23
    }

    /// Whether the kubelet is told `--container-runtime=remote`:
    /// <https://github.com/kubernetes/kubernetes/pull/112000>.
    pub fn kubelet_has_runtime_flag(&self) -> bool {
        self.minor() <= 25
    }

    /// Whether the kubelet is told which image is the sandbox's, so that it does not collect it. Up to 1.20 only where it
    /// runs docker; the first release of the range is 1.21 or 1.22 `[?]`.
    pub fn kubelet_has_pause_flag(&self) -> bool {
        (21..=34).contains(&self.minor())
    }

    /// Whether each node finds out by itself which resolv.conf its kubelet uses.
    pub fn finds_resolv_conf_on_node(&self) -> bool {
        self.minor() >= 31
    }

    /// Whether `kubelet-finalize` has the phase `experimental-cert-rotation`.
    pub fn has_experimental_cert_rotation(&self) -> bool {
        self.minor() <= 31
    }

    /// Whether `kubelet-finalize` has the phase `enable-client-cert-rotation`.
    pub fn has_client_cert_rotation(&self) -> bool {
        self.minor() >= 31
    }

    /// A CRI socket as this release writes it.
    pub fn cri_socket_text(&self, socket: &str) -> String {
        if self.cri_socket_is_url() && socket.starts_with('/') { format!("unix://{socket}") } else { socket.to_owned() }
    }
}

impl ClusterConfig {
    /// Whether the CRI socket stands in `instance-config.yaml`: by the release, or by the gate `NodeLocalCRISocket`, which
    /// exists from 1.32 on and is obeyed even where it is said to be locked.
    pub fn keeps_cri_socket_on_node(&self) -> bool {
        match self.feature_gates.get("NodeLocalCRISocket") {
            Some(&gate) if self.release.minor() >= 32 => gate,
            _ => self.release.has_node_local_cri(),
        }
    }

    /// Whether a joining etcd member has no vote until it has caught up. kubeadm does so from 1.29 on, or by the gate
    /// `EtcdLearnerMode`. Here it is so for all releases unless the gate forbids it: a member with a vote that is announced
    /// and has not started takes a cluster of one its majority, and with it the API server that a second run would need.
    /// etcd knows learners since 3.4, which 1.20 has; an older one takes the member with its vote.
    pub fn adds_etcd_learners(&self) -> bool {
        self.feature_gates.get("EtcdLearnerMode") != Some(&false)
    }
}

/// What the objects of the cluster look like.
impl Release {
    /// Whether the API server's client certificate is bound by its name to the right to talk to kubelets.
    pub fn has_kubelet_client_binding(&self) -> bool {
        (self.minor(), self.patch()) >= (36, 1)
    }

    /// Whether kube-proxy tolerates `CriticalAddonsOnly` besides everything:
    /// <https://github.com/kubernetes/kubernetes/pull/101966>.
    pub fn proxy_tolerates_addons_only(&self) -> bool {
        self.minor() <= 21
    }

    /// Whether CoreDNS reads EndpointSlices: <https://github.com/kubernetes/kubernetes/pull/101955>.
    pub fn coredns_reads_slices(&self) -> bool {
        self.minor() >= 22
    }

    /// Whether CoreDNS may get Nodes: <https://github.com/kubernetes/kubernetes/pull/117521>.
    pub fn coredns_reads_nodes(&self) -> bool {
        self.minor() <= 27
    }

    /// Whether the Pods of CoreDNS avoid each other: <https://github.com/kubernetes/kubernetes/pull/110593>.
    pub fn coredns_spreads(&self) -> bool {
        self.minor() >= 25
    }

    /// Whether CoreDNS tolerates the old taint of the control plane.
    pub fn coredns_tolerates_master(&self) -> bool {
        self.minor() <= 25
    }

    /// The capabilities that CoreDNS drops, in the letters used: <https://github.com/kubernetes/kubernetes/pull/121384>.
    pub fn coredns_dropped_capability(&self) -> &'static str {
        if self.minor() >= 29 { "ALL" } else { "all" }
    }

    /// Whether CoreDNS caches answers about the cluster's own domain:
    /// <https://github.com/kubernetes/kubernetes/pull/128359>.
    pub fn coredns_caches_cluster_domain(&self) -> bool {
        self.minor() <= 31
    }

    /// Whether the ports of CoreDNS's probes have names: <https://github.com/kubernetes/kubernetes/pull/131587>.
    pub fn coredns_names_probe_ports(&self) -> bool {
        self.minor() >= 34
    }

    /// Label `kubernetes.io/name` of the Service `kube-dns`. Renamed when kube-dns itself was dropped, in 1.21 or 1.22
    /// `[?]`.
    pub fn dns_service_label(&self) -> &'static str {
        if self.minor() >= 22 { "CoreDNS" } else { "KubeDNS" }
    }
}

/// What configurations and machines look like.
impl Release {
    /// Whether clusters of two address families need no gate.
    pub(crate) fn serves_two_families(&self) -> bool {
        self.minor() >= 21
    }

    /// Folders below `/etc/pki` that static Pods mount where they are there.
    pub(crate) fn pki_folders(&self) -> &'static [&'static str] {
        if self.minor() <= 35 { &["/etc/pki"] } else { &["/etc/pki/ca-trust", "/etc/pki/tls/certs"] }
    }

    /// Whether the stored configuration carries the default of `authorization-mode`: seen in 1.20.2, not in 1.36.2 `[?]`.
    pub(crate) fn stores_authorization_mode(&self) -> bool {
        self.minor() <= 30
    }

    /// Whether external etcd has `httpEndpoints`.
    pub(crate) fn has_etcd_http_endpoints(&self) -> bool {
        self.minor() >= 35
    }

    /// Whether the kubelet's cgroup driver is systemd unless something else is said.
    pub(crate) fn kubelet_uses_systemd_cgroups(&self) -> bool {
        self.minor() >= 22
    }

    /// Whether the kubelet runs with cgroup v1 only.
    pub(crate) fn kubelet_needs_cgroup_v1(&self) -> bool {
        self.minor() < 22
    }

    /// Whether the kubelet says that cgroup v1 will go.
    pub(crate) fn kubelet_advises_against_cgroup_v1(&self) -> bool {
        self.minor() >= 31
    }

    /// Whether the kubelet refuses cgroup v1 unless told otherwise: <https://github.com/kubernetes/kubernetes/pull/134298>.
    pub(crate) fn kubelet_refuses_cgroup_v1(&self) -> bool {
        self.minor() >= 35
    }
}

/// A field that not every release writes: path, and the minor releases that do. Read off 1.20.2 and 1.36.2; what lies
/// between comes from the fields' history and is marked `[?]` where no release's output confirms it.
pub(crate) type FieldSpan = (&'static str, RangeInclusive<u32>);

/// Of KubeletConfiguration.
pub(crate) const KUBELET_FIELDS: [FieldSpan; 8] = [
    ("memorySwap", 22..=u32::MAX),               // [?]
    ("logging.flushFrequency", 23..=u32::MAX),   // [?]
    ("logging.options", 23..=u32::MAX),          // [?]
    ("logging.verbosity", 23..=u32::MAX),        // [?]
    ("containerRuntimeEndpoint", 27..=u32::MAX), // [?]
    ("imageMaximumGCAge", 29..=u32::MAX),        // [?]
    ("logging.options.text", 30..=u32::MAX),     // [?]
    ("crashLoopBackOff", 32..=u32::MAX),         // [?]
];

/// Of KubeProxyConfiguration.
pub(crate) const KUBE_PROXY_FIELDS: [FieldSpan; 11] = [
    ("detectLocal", 24..=u32::MAX),                     // [?]
    ("winkernel.forwardHealthCheckVip", 24..=u32::MAX), // [?]
    ("winkernel.rootHnsEndpointName", 24..=u32::MAX),   // [?]
    ("udpIdleTimeout", 0..=25),                         // [?]
    ("iptables.localhostNodePorts", 26..=u32::MAX),     // [?]
    ("logging", 28..=u32::MAX),                         // [?]
    ("logging.options.text", 30..=u32::MAX),            // [?]
    ("nftables", 29..=u32::MAX),                        // [?]
    ("conntrack.tcpBeLiberal", 29..=u32::MAX),          // [?]
    ("conntrack.udpStreamTimeout", 29..=u32::MAX),      // [?]
    ("conntrack.udpTimeout", 29..=u32::MAX),            // [?]
];
