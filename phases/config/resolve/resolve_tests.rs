//! From files, flags and a host in memory to jobs; every mistake of `testdata/config/invalid`; no panic on any input.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{cluster_from_config_maps, resolve_init, resolve_join, resolve_reset};
use crate::config::{
    DiscoverBy, DnsServer, Etcd, ExtraArgs, Init, InitFlags, JoinFlags, JoinRequest, ResetFlags, Timeouts,
};
use crate::plan::{Selection, Verdict};
use crate::problem::{Exit, Problem};
use crate::releases::Image;
use crate::workflows::INIT;
use crate::world::{
    Change, Clock, Command, Entropy, Facts, FileInfo, FileKind, Host, HostError, KeyAlgorithm, Output, Overlay,
    PortOwner, RuntimeStatus, Secret, Undo, UnitState, UnmountFlag,
};
use crate::yaml;

#[path = "golden_tests.rs"]
mod golden;
#[path = "invalid_tests.rs"]
mod invalid;
#[path = "property_tests.rs"]
mod properties;

pub(in crate::config) use invalid::invalid_files;

/// Bytes that count up.
pub(super) struct Counting(std::cell::Cell<u8>);

impl Entropy for Counting {
    fn bytes(&self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0.set(self.0.get().wrapping_add(1));
            *byte = self.0.get();
        }
    }

    fn key_pem(&self, _: KeyAlgorithm) -> Secret<String> {
        Secret::new(String::new())
    }
}

const NOW: Clock = Clock(1_000_000);
const FILE: &str = "/root/cluster.yaml";

/// A host with one address and no container runtime.
fn a_host() -> Overlay<'static> {
    let mut host = Overlay::default();
    host.facts = Facts {
        host_name: "CP-1".into(),
        default_addresses: vec!["10.77.0.11".parse().unwrap(), "fd00::11".parse().unwrap()],
        ..Facts::default()
    };
    host
}

fn init(flags: &InitFlags, host: &Overlay<'_>) -> Result<Init, Problem> {
    resolve_init(flags, host, NOW, &Counting(std::cell::Cell::new(0)))
}

fn init_file(text: &str) -> Result<Init, Problem> {
    init(&InitFlags { config: Some(FILE.into()), ..InitFlags::default() }, &a_host().with_file(FILE, text, 0o600))
}

fn join_file(text: &str) -> Result<JoinRequest, Problem> {
    let flags = JoinFlags { config: Some(FILE.into()), ..JoinFlags::default() };
    resolve_join(&flags, &a_host().with_file(FILE, text, 0o600))
}

fn ids(problem: &Problem) -> Vec<String> {
    let mut ids: Vec<String> = problem.findings.iter().map(|finding| finding.id.clone()).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[test]
fn nothing_said_gives_the_defaults_of_kubeadm_and_of_this_host() {
    let init = init(&InitFlags::default(), &a_host()).expect("a job");
    assert_eq!(init.cluster.release.to_string(), "v1.20.2");
    assert_eq!(init.cluster.networking.service_text(), "10.96.0.0/12");
    assert_eq!(init.cluster.networking.pod_text(), "");
    assert_eq!(init.cluster.image_repository, "k8s.gcr.io");
    assert!(matches!(&init.cluster.etcd, Etcd::Local(local) if local.data_dir == Path::new("/var/lib/etcd")));
    assert_eq!(init.node.name.as_str(), "cp-1");
    assert_eq!(init.node.host_name, "cp-1");
    assert_eq!(init.node.cri_socket, "/run/containerd/containerd.sock");
    assert_eq!(init.node.taints, None);
    assert_eq!(init.node.image_pull_policy, "IfNotPresent");
    assert_eq!(init.endpoint.url(), "https://10.77.0.11:6443");
    assert_eq!(init.certificate_key, None);
    assert_eq!(init.kubeconfig, Path::new("/etc/kubernetes/admin.conf"));
    let [token] = init.tokens.as_slice() else { panic!("{:?}", init.tokens) };
    assert_eq!(token.expires, Some(NOW.0 + 86_400));
    assert_eq!(token.usages, ["signing", "authentication"]);
    assert_eq!(token.groups, ["system:bootstrappers:kubeadm:default-node-token"]);
    assert!(!init.cluster.kubelet_from_user && !init.cluster.kube_proxy_from_user);
}

#[test]
fn flags_lie_over_the_file_and_both_mix() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nnetworking: {podSubnet: 10.1.0.0/16, dnsDomain: corp.local}\n\
                ---\napiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\nbootstrapTokens:\n- token: abcdef.0123456789abcdef\n  \
                description: mine\n- {}\nnodeRegistration: {taints: [], ignorePreflightErrors: [Swap]}\n";
    let flags = InitFlags {
        config: Some(FILE.into()),
        pod_network_cidr: Some("10.2.0.0/16".into()),
        node_name: Some("Other".into()),
        token_ttl: Some("0".into()),
        upload_certs: true,
        feature_gates: Some("PublicKeysECDSA=true".into()),
        ignore_preflight_errors: vec!["NumCPU,mem".into()],
        cri_socket: Some("unix:///run/x.sock".into()),
        ..InitFlags::default()
    };
    let init = init(&flags, &a_host().with_file(FILE, text, 0o600)).expect("a job");
    assert_eq!(init.cluster.networking.pod_text(), "10.2.0.0/16");
    assert_eq!(init.cluster.networking.dns_domain, "corp.local");
    assert_eq!(init.node.name.as_str(), "other");
    assert_eq!(init.node.taints, Some(Vec::new()));
    assert_eq!(init.node.cri_socket, "unix:///run/x.sock");
    assert_eq!(init.node.ignore_preflight_errors, ["mem", "numcpu", "swap"]);
    assert_eq!(init.tokens.len(), 2);
    assert_eq!(init.tokens[0].token.reveal(), "abcdef.0123456789abcdef");
    assert_eq!((init.tokens[0].expires, init.tokens[0].description.as_str()), (None, "mine"));
    assert_eq!(init.tokens[1].expires, Some(NOW.0 + 86_400));
    assert_eq!(init.certificate_key.expect("a key").reveal().len(), 64);
    assert_eq!(init.cluster.key_algorithm, KeyAlgorithm::EcdsaP256);
}

#[test]
fn the_advertise_address_follows_the_default_route_of_its_family() {
    for (given, expected) in [
        (None, "10.77.0.11"),
        (Some("0.0.0.0"), "10.77.0.11"),
        (Some("::"), "fd00::11"),
        (Some("192.168.0.1"), "192.168.0.1"),
    ] {
        let flags = InitFlags { apiserver_advertise_address: given.map(str::to_owned), ..InitFlags::default() };
        assert_eq!(init(&flags, &a_host()).expect("a job").endpoint.address.to_string(), expected, "{given:?}");
    }
    let mut host = a_host();
    host.facts.default_addresses.clear();
    assert_eq!(ids(&init(&InitFlags::default(), &host).unwrap_err()), ["config-no-address"]);
}

#[test]
fn the_cri_socket_is_detected_and_several_are_asked_about() {
    let with = |sockets: &[&str]| {
        let mut host = a_host();
        host.facts.cri_sockets = sockets.iter().map(PathBuf::from).collect();
        host
    };
    let for_release = |release: &str, sockets: &[&str]| {
        let flags = InitFlags { kubernetes_version: Some(release.into()), ..InitFlags::default() };
        init(&flags, &with(sockets)).map(|init| init.node.cri_socket)
    };
    let both = ["/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock"];
    assert_eq!(for_release("1.20.2", &both).unwrap(), "/run/containerd/containerd.sock");
    assert_eq!(for_release("1.36.2", &both).unwrap(), "unix:///var/run/containerd/containerd.sock");
    assert_eq!(for_release("1.20.2", &["/run/crio/crio.sock"]).unwrap(), "/var/run/crio/crio.sock");
    assert_eq!(for_release("1.36.2", &[]).unwrap(), "unix:///var/run/containerd/containerd.sock");
    let problem = for_release("1.20.2", &["/run/crio/crio.sock", both[0]]).unwrap_err();
    assert_eq!(ids(&problem), ["config-many-cri-sockets"]);
    assert_eq!(problem.findings[0].fixes[0], "--cri-socket /var/run/crio/crio.sock");
}

#[test]
fn labels_mean_what_is_installed_or_the_default() {
    for label in ["stable", "stable-1", "latest", "stable-1.20", "release/stable-1"] {
        let flags = InitFlags { kubernetes_version: Some(label.into()), ..InitFlags::default() };
        assert_eq!(init(&flags, &a_host()).expect(label).cluster.release.to_string(), "v1.20.2", "{label}");
    }
}

/// A host that answers `kubelet --version`, and knows nothing else.
struct WithKubelet(&'static str);

impl Host for WithKubelet {
    fn ask(&self, command: &Command) -> Result<Output, HostError> {
        assert_eq!(command.words, ["kubelet", "--version"]);
        Ok(Output { stdout: format!("Kubernetes {}\n", self.0), ..Output::default() })
    }
    fn rootfs(&self) -> Option<&Path> {
        None
    }
    fn facts(&self) -> Result<Facts, HostError> {
        a_host().facts()
    }
    fn listeners(&self) -> Result<Vec<PortOwner>, HostError> {
        Ok(Vec::new())
    }
    fn read(&self, _: &Path) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }
    fn stat(&self, path: &Path) -> Result<Option<FileInfo>, HostError> {
        let info = FileInfo {
            path: path.into(),
            kind: FileKind::Folder,
            mode: 0,
            uid: 0,
            gid: 0,
            size: 0,
            is_mount_point: false,
        };
        Ok(path.starts_with("/etc/pki").then_some(info))
    }
    fn list(&self, _: &Path) -> Result<Vec<FileInfo>, HostError> {
        Ok(Vec::new())
    }
    fn unit(&self, _: &str) -> Result<UnitState, HostError> {
        Ok(UnitState::default())
    }
    fn runtime(&self, _: &str) -> Result<RuntimeStatus, HostError> {
        Ok(RuntimeStatus::default())
    }
    fn prepare(&self, _: &Change) -> Result<Undo, HostError> {
        unreachable!("resolving changes nothing")
    }
    fn apply(&self, _: &Change) -> Result<(), HostError> {
        unreachable!("resolving changes nothing")
    }
}

#[test]
fn the_installed_kubelet_decides_where_no_release_is_named() {
    for (installed, given, expected, folder) in [
        ("v1.22.4", None, "v1.22.4", "/etc/pki"),
        ("v1.22.4", Some("stable-1"), "v1.22.4", "/etc/pki"),
        ("v1.22.4", Some("1.23.1"), "v1.23.1", "/etc/pki"),
        ("v1.36.2", None, "v1.36.2", "/etc/pki/ca-trust"),
        ("unknown", None, "v1.20.2", "/etc/pki"),
    ] {
        let flags = InitFlags { kubernetes_version: given.map(str::to_owned), ..InitFlags::default() };
        let entropy = Counting(std::cell::Cell::new(0));
        let init = resolve_init(&flags, &WithKubelet(installed), NOW, &entropy).expect(installed);
        assert_eq!(init.cluster.release.to_string(), expected, "{installed} {given:?}");
        assert_eq!(init.node.ca_folders[0], Path::new(folder), "{installed} {given:?}");
    }
    for (installed, given) in [("v1.19.1", None), ("v1.22.4", Some("stable-1.21"))] {
        let flags = InitFlags { kubernetes_version: given.map(str::to_owned), ..InitFlags::default() };
        let entropy = Counting(std::cell::Cell::new(0));
        let problem = resolve_init(&flags, &WithKubelet(installed), NOW, &entropy).expect_err(installed);
        assert_eq!(ids(&problem), ["config-bad-version"], "{installed} {given:?}");
    }
}

#[test]
fn resolv_conf_is_stored_up_to_1_30_where_systemd_resolved_runs() {
    let host =
        a_host().with_unit("systemd-resolved.service", UnitState { active: "active".into(), ..UnitState::default() });
    for (release, expected) in [("v1.20.2", true), ("v1.30.0", true), ("v1.36.2", false)] {
        let flags = InitFlags { kubernetes_version: Some(release.into()), ..InitFlags::default() };
        let kubelet = init(&flags, &host).expect("a job").cluster.kubelet;
        assert_eq!(kubelet.contains_key("resolvConf"), expected, "{release}");
    }
}

#[test]
fn documents_of_components_are_taken_over_field_by_field() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.2\n---\n\
                apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: cgroupfs\nmaxPods: 50\n\
                rotateCertificates: false\nauthentication: {webhook: {cacheTTL: 5s}}\n---\n\
                apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n";
    let cluster = init_file(text).expect("a job").cluster;
    assert!(cluster.kubelet_from_user && cluster.kube_proxy_from_user);
    assert_eq!(cluster.kubelet["cgroupDriver"], "cgroupfs");
    assert_eq!(cluster.kubelet["maxPods"], 50);
    assert_eq!(cluster.kubelet["rotateCertificates"], true);
    assert_eq!(cluster.kubelet["authentication"]["webhook"]["cacheTTL"], "5s");
    assert_eq!(cluster.kubelet["authentication"]["webhook"]["enabled"], true);
    assert_eq!(cluster.kube_proxy["mode"], "ipvs");
    assert_eq!(cluster.kube_proxy["bindAddress"], "0.0.0.0");
}

#[test]
fn join_needs_endpoint_token_and_pin_and_takes_them_from_flags_or_file() {
    let pin = format!("sha256:{}", "ab".repeat(32));
    let flags = JoinFlags {
        endpoint: Some("10.0.0.1:6443".into()),
        token: Some("abcdef.0123456789abcdef".into()),
        tls_bootstrap_token: Some("ghijkl.0123456789abcdef".into()),
        discovery_token_ca_cert_hash: vec![pin.clone()],
        ..JoinFlags::default()
    };
    let request = resolve_join(&flags, &a_host()).expect("a request");
    let DiscoverBy::Token(by_token) = &request.discovery else { panic!("by token") };
    assert_eq!(by_token.endpoint.to_string(), "10.0.0.1:6443");
    assert_eq!(by_token.discovery_token.id().as_str(), "abcdef");
    assert_eq!(by_token.tls_bootstrap_token.id().as_str(), "ghijkl");
    assert_eq!(by_token.pins[0].to_string(), pin);
    assert_eq!(request.ca_cert_path, Path::new("/etc/kubernetes/pki/ca.crt"));
    assert_eq!((request.discovery_timeout.as_secs(), request.tls_bootstrap_timeout.as_secs()), (300, 300));

    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\ntimeouts: {discovery: 1m0s, tlsBootstrap: 2m0s}\n\
                discovery: {bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: 'k8s:1', unsafeSkipCAVerification: true}}\n";
    let request = join_file(text).expect("a request");
    let DiscoverBy::Token(by_token) = &request.discovery else { panic!("by token") };
    assert_eq!(by_token.tls_bootstrap_token, by_token.discovery_token);
    assert!(by_token.unsafe_skip_ca_verification && by_token.pins.is_empty());
    assert_eq!((request.discovery_timeout.as_secs(), request.tls_bootstrap_timeout.as_secs()), (60, 120));
}

#[test]
fn join_of_a_control_plane_node_is_asked_for_by_flag_or_file() {
    let file = |more: &str| {
        format!(
            "apiVersion: kubeadm.k8s.io/v1beta3\nkind: JoinConfiguration\ndiscovery: {{bootstrapToken: {{token: \
             abcdef.0123456789abcdef, apiServerEndpoint: 'k8s:1', unsafeSkipCAVerification: true}}}}\n{more}"
        )
    };
    assert_eq!(join_file(&file("")).expect("a request").control_plane, None);
    assert_eq!(join_file(&file("controlPlane:\n")).expect("a request").control_plane, None);
    let endpoint = |text: &str| {
        let found = join_file(&file(text)).expect("a request").control_plane.expect("a control-plane node");
        (found.endpoint.address.to_string(), found.endpoint.port, found.certificate_key.map(|key| key.reveal().clone()))
    };
    assert_eq!(endpoint("controlPlane: {}\n"), ("10.77.0.11".to_owned(), 6443, None));
    let key = "ab".repeat(32);
    let whole = format!(
        "controlPlane: {{certificateKey: {key}, localAPIEndpoint: {{advertiseAddress: 10.0.0.9, bindPort: 8443}}}}\n"
    );
    assert_eq!(endpoint(&whole), ("10.0.0.9".to_owned(), 8443, Some(key.clone())));

    let flags = JoinFlags {
        config: Some(FILE.into()),
        control_plane: true,
        apiserver_advertise_address: Some("10.0.0.7".into()),
        certificate_key: Some(key.clone()),
        ..JoinFlags::default()
    };
    let found = resolve_join(&flags, &a_host().with_file(FILE, &file(""), 0o600)).expect("a request");
    let found = found.control_plane.expect("a control-plane node");
    assert_eq!((found.endpoint.url().as_str(), found.timeout), ("https://10.0.0.7:6443", None));
    assert!(!format!("{found:?}").contains(&key));
}

#[test]
fn certificates_are_uploaded_only_when_asked_for_and_with_the_keys_of_their_cas() {
    let key = "ab".repeat(32);
    let flags = |upload_certs, given: bool| InitFlags {
        upload_certs,
        certificate_key: given.then(|| key.clone()),
        ..InitFlags::default()
    };
    let resolved = |flags: &InitFlags| init(flags, &a_host()).expect("a job").certificate_key;
    assert_eq!(resolved(&flags(false, true)), None);
    assert_eq!(resolved(&flags(true, true)).expect("a key").reveal(), &key);
    let drawn = resolved(&flags(true, false)).expect("a key");
    assert!(drawn.reveal().len() == 64 && drawn.reveal() != &key);

    let external = a_host().with_file("/etc/kubernetes/pki/front-proxy-ca.crt", "", 0o644);
    assert!(init(&flags(false, false), &external).is_ok());
    let problem = init(&flags(true, false), &external).expect_err("nothing to upload");
    assert_eq!(ids(&problem), ["config-upload-without-key"]);
    assert_eq!(problem.findings[0].place.as_deref(), Some("/etc/kubernetes/pki/front-proxy-ca.key"));
}

#[test]
fn reset_finds_out_about_the_node_from_its_files() {
    let manifest = include_str!("../../../testdata/kubeadm/v1.20.2/custom/manifests/etcd.yaml");
    let env = include_str!("../../../testdata/kubeadm/v1.20.2/custom/kubeadm-flags.env");
    let host = a_host()
        .with_file("/etc/kubernetes/manifests/etcd.yaml", manifest, 0o600)
        .with_file("/etc/kubernetes/kubelet.conf", "", 0o600)
        .with_file("/var/lib/kubelet/kubeadm-flags.env", env, 0o644);
    let flags = ResetFlags {
        kubeconfig: Some("/root/k.conf".into()),
        drain_timeout: Some("30s".into()),
        ..ResetFlags::default()
    };
    let reset = resolve_reset(&flags, &host).expect("a job");
    assert_eq!(reset.node.name.as_str(), "n1");
    assert_eq!(reset.node.cri_socket, "/run/containerd/containerd.sock");
    assert_eq!(reset.etcd_data_dir, Path::new("/data/etcd"));
    assert_eq!(reset.credentials, [PathBuf::from("/root/k.conf"), PathBuf::from("/etc/kubernetes/kubelet.conf")]);
    assert_eq!(reset.drain_timeout.as_secs(), 30);

    let bare = resolve_reset(&ResetFlags::default(), &a_host()).expect("a job");
    assert_eq!((bare.node.name.as_str(), bare.drain_timeout.as_secs()), ("cp-1", 120));
    assert_eq!(bare.certificates_dir, Path::new("/etc/kubernetes/pki"));
}

#[test]
fn texts_of_config_maps_that_cannot_be_used_are_told_apart() {
    let good = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nkubernetesVersion: v1.25.3\nlater: 1\n";
    let kubelet = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: cgroupfs\n";
    let cluster = cluster_from_config_maps(good, kubelet, None).expect("a cluster");
    assert_eq!(cluster.kubelet["cgroupDriver"], "cgroupfs");
    assert!(cluster.kube_proxy.is_empty());
    assert_eq!(cluster_from_config_maps(good, "{}", None).expect("a cluster").release.to_string(), "v1.25.3");
    for (name, kubeadm_config, kubelet, expected) in [
        ("nothing", "", "", vec!["cluster-config-missing"]),
        ("old", &good.replace("1.25.3", "1.19.3"), kubelet, vec!["config-bad-version"]),
        ("no kubelet", good, "a: b", vec!["cluster-config-missing", "config-missing-kind"]),
    ] {
        let problem = cluster_from_config_maps(kubeadm_config, kubelet, None).unwrap_err();
        assert_eq!((problem.id.as_str(), problem.exit), ("cluster-config-invalid", Exit::Failed), "{name}");
        assert_eq!(ids(&problem), expected, "{name}");
    }
}

#[test]
fn what_a_file_says_about_the_run_is_kept_for_it() {
    let head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n";
    let plain = init_file(head).expect("a job").node;
    assert_eq!((plain.skip_phases.len(), plain.is_dry_run, plain.image_pull_serial), (0, false, false));
    assert_eq!(plain.timeouts, Timeouts::default());
    let text = format!(
        "{head}dryRun: true\nskipPhases: [addon, certs/sa]\nnodeRegistration: {{imagePullSerial: true}}\n\
         timeouts: {{kubernetesAPICall: 5s, kubeletHealthCheck: 6s, etcdAPICall: 7s, controlPlaneComponentHealthCheck: 8s}}\n"
    );
    let init = init_file(&text).expect("a job");
    assert_eq!(init.node.skip_phases, ["addon", "certs/sa"]);
    assert!(init.node.is_dry_run && init.node.image_pull_serial);
    let timeouts = init.node.timeouts;
    let seconds = [timeouts.api_call, timeouts.kubelet, timeouts.etcd_call, init.cluster.control_plane_timeout];
    assert_eq!(seconds.map(|time| time.as_secs()), [5, 6, 7, 8]);
}

#[test]
fn a_file_for_reset_says_all_that_flags_say() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\ncleanupTmpDir: true\nforce: true\n\
                dryRun: true\nskipPhases: [drain]\nunmountFlags: [MNT_DETACH, UMOUNT_NOFOLLOW]\n\
                ignorePreflightErrors: [Swap]\n";
    let flags = ResetFlags {
        config: Some(FILE.into()),
        ignore_preflight_errors: vec!["Mem,swap".into()],
        ..ResetFlags::default()
    };
    let reset = resolve_reset(&flags, &a_host().with_file(FILE, text, 0o600)).expect("a job");
    assert!(reset.cleanup_tmp_dir && reset.force && reset.node.is_dry_run);
    assert_eq!(reset.node.skip_phases, ["drain"]);
    assert_eq!(reset.unmount_flags, [UnmountFlag::Detach, UnmountFlag::NoFollow]);
    assert_eq!(reset.node.ignore_preflight_errors, ["mem", "swap"]);
    let plain = resolve_reset(&ResetFlags::default(), &a_host()).expect("a job");
    assert!(!plain.cleanup_tmp_dir && !plain.force && plain.unmount_flags.is_empty());
}

#[test]
fn flags_of_single_phases_reach_the_job() {
    let args = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n\
        apiServer: {extraArgs: {v: \"2\", profiling: \"false\"}}\nscheduler: {extraArgs: {v: \"3\"}}\n";
    let host = a_host().with_file(FILE, text, 0o600);
    let extra_args = ExtraArgs { api_server: args(&["v=4", "audit-log-path=/a=b"]), ..ExtraArgs::default() };
    let flags = InitFlags { config: Some(FILE.into()), extra_args, ..InitFlags::default() };
    let flags = InitFlags { kubeconfig_dir: Some("/root/kubeconfigs".into()), ..flags };
    let job = init(&flags, &host).expect("a job");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(job.cluster.api_server.extra_args, [pair("v", "4"), pair("audit-log-path", "/a=b")]);
    assert_eq!(job.cluster.scheduler.extra_args, [pair("v", "3")], "what no flag speaks of stays");
    assert_eq!(job.node.layout.kubeconfig("admin.conf"), Path::new("/root/kubeconfigs/admin.conf"));
    assert_eq!(job.node.layout.manifest("etcd"), Path::new("/etc/kubernetes/manifests/etcd.yaml"));

    let extra_args = ExtraArgs { scheduler: args(&["profiling"]), ..ExtraArgs::default() };
    let problem = init(&InitFlags { extra_args, ..InitFlags::default() }, &a_host()).unwrap_err();
    assert_eq!(ids(&problem), ["config-bad-argument"]);
    assert_eq!(problem.findings[0].place.as_deref(), Some("--scheduler-extra-args"));
}

/// Whether DNS and kube-proxy are disabled by what is left out; the file's list counts where the flags have none.
fn disabled(release: &str, in_file: &str, flags: &[&str], phase: Option<&str>) -> (bool, bool) {
    let text = format!(
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nskipPhases: [{in_file}]\n---\n\
         apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: {release}\n"
    );
    let flags = InitFlags {
        config: Some(FILE.into()),
        phase: phase.map(str::to_owned),
        skip_phases: flags.iter().map(|&path| path.to_owned()).collect(),
        ..InitFlags::default()
    };
    let init = init(&flags, &a_host().with_file(FILE, &text, 0o600)).expect("a job");
    (init.cluster.dns.disabled, init.cluster.proxy_disabled)
}

#[test]
fn an_addon_whose_phase_is_left_out_is_disabled_where_the_release_can_say_so() {
    for (name, release, in_file, flags, expected) in [
        ("nothing", "v1.36.2", "", &[][..], (false, false)),
        ("the group", "v1.36.2", "addon", &[], (true, true)),
        ("DNS", "v1.36.2", "addon/coredns", &[], (true, false)),
        ("kube-proxy, by flag", "v1.36.2", "", &["preflight", "addon/kube-proxy"], (false, true)),
        ("the flag takes the file's place", "v1.36.2", "addon", &["addon/coredns"], (true, false)),
        ("something else", "v1.36.2", "upload-config", &["show-join-command"], (false, false)),
        ("the first with the fields", "v1.31.0", "addon", &[], (true, true)),
        ("the last without the fields", "v1.30.9", "addon", &[], (false, false)),
    ] {
        assert_eq!(disabled(release, in_file, flags, None), expected, "{name}");
    }
}

#[test]
fn an_addon_that_the_file_leaves_out_is_had_by_asking_for_it() {
    for (phase, expected) in [
        ("upload-config/kubeadm", (true, true)),
        ("preflight", (true, true)),
        ("addon", (false, false)),
        ("addon/coredns", (false, false)),
    ] {
        assert_eq!(disabled("v1.36.2", "addon", &[], Some(phase)), expected, "{phase}");
    }
}

#[test]
fn the_stored_configuration_says_which_addons_are_left_out() {
    let flags = InitFlags {
        kubernetes_version: Some("v1.36.2".into()),
        skip_phases: vec!["addon/kube-proxy".into()],
        ..InitFlags::default()
    };
    let init = init(&flags, &a_host()).expect("a job");
    let stored: Value = yaml::parse(&crate::config::encode_cluster_config(&init.cluster)).expect("YAML");
    assert_eq!((&stored["proxy"], &stored["dns"]), (&json!({"disabled": true}), &json!({})));
    assert_eq!(init.node.skip_phases, ["addon/kube-proxy"]);
    let images = Image::of_control_plane(&init.cluster);
    assert!(!images.iter().any(|image| image.contains("kube-proxy")), "{images:?}");
}

#[test]
fn a_disabled_addon_has_its_phase_skipped() {
    let file = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.2\n";
    for (said, expected) in [
        ("dns: {disabled: true}\n", ["addon/coredns"].as_slice()),
        ("proxy: {disabled: true}\n", &["addon/kube-proxy"]),
        ("dns: {disabled: false}\n", &[]),
    ] {
        let job = init_file(&format!("{file}{said}")).expect(said);
        let plan = INIT.plan(&job, &Selection::default()).expect(said);
        let skipped = plan.phases.iter().filter(|phase| phase.path.starts_with("addon/"));
        let skipped: Vec<&str> = skipped
            .filter(|phase| matches!(phase.verdict, Verdict::Skip(_)))
            .map(|phase| phase.path.as_str())
            .collect();
        assert_eq!(skipped, expected, "{said}");
    }
}

#[test]
fn kube_dns_can_be_had_up_to_1_20_and_is_stored_as_such() {
    let file = |release: &str, server: &str| {
        let head = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n";
        init_file(&format!("{head}kubernetesVersion: {release}\ndns: {{type: {server}}}\n"))
    };
    for (server, expected) in
        [("CoreDNS", DnsServer::CoreDns), ("''", DnsServer::CoreDns), ("kube-dns", DnsServer::KubeDns)]
    {
        let cluster = file("v1.20.15", server).expect(server).cluster;
        assert_eq!(cluster.dns.server, expected, "{server}");
        let stored = crate::config::encode_cluster_config(&cluster);
        assert_eq!(cluster_from_config_maps(&stored, "{}", None).expect(server).dns, cluster.dns, "{server}");
    }
    for (release, server, why) in [
        ("v1.21.0", "kube-dns", "kubeadm has dropped kube-dns in v1.21, and this is v1.21.0"),
        ("v1.20.2", "bind", "\"bind\" is none of CoreDNS, kube-dns"),
    ] {
        let problem = file(release, server).expect_err(server);
        assert_eq!(ids(&problem), ["config-bad-dns-type"], "{server}");
        assert_eq!(problem.findings[0].why, why);
        assert_eq!(problem.findings[0].fixes, [format!("set dns.type to CoreDNS in {FILE}")]);
    }
}
