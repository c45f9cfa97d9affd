//! Compared with what real kubeadm 1.20.2 and 1.36.2 read and wrote.

use serde_json::{Map, Value, json};

use super::{a_host, cluster_from_config_maps, init, init_file, yaml};
use crate::config::{ApiEndpoint, Etcd, Init, InitFlags, NodeName, encode_cluster_config, encode_cluster_status};
use crate::world::KeyAlgorithm;

macro_rules! golden {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $path))
    };
}

fn parsed(text: &str) -> Value {
    yaml::parse(text).expect("golden files are YAML")
}

/// One value of a ConfigMap's data.
fn data(config_map: &str, key: &str) -> String {
    parsed(config_map)["data"][key].as_str().expect(key).to_owned()
}

/// The lab's cluster: only the Pod subnet was set.
fn the_lab(release: &str) -> Init {
    let flags = InitFlags {
        kubernetes_version: Some(release.into()),
        pod_network_cidr: Some("10.244.0.0/16".into()),
        node_name: Some("m1".into()),
        ..InitFlags::default()
    };
    init(&flags, &a_host()).expect("a job")
}

#[test]
fn stored_cluster_configuration_is_that_of_kubeadm_to_the_byte() {
    for (release, config_map) in [
        ("v1.20.2", golden!("v1.20.2/cluster/kube-system/configmap-kubeadm-config.yaml")),
        ("v1.36.2", golden!("v1.36.2/cluster/kube-system/configmap-kubeadm-config.yaml")),
    ] {
        let written = encode_cluster_config(&the_lab(release).cluster);
        assert_eq!(written, data(config_map, "ClusterConfiguration"), "{release}");
    }
}

#[test]
fn stored_cluster_status_is_that_of_kubeadm_to_the_byte() {
    let config_map = golden!("v1.20.2/cluster/kube-system/configmap-kubeadm-config.yaml");
    let endpoint = ApiEndpoint { address: "10.77.0.21".parse().expect("an address"), port: 6443 };
    let written = encode_cluster_status(&NodeName::parse("m1").expect("a name"), &endpoint);
    assert_eq!(written, data(config_map, "ClusterStatus"));
}

#[test]
fn stored_component_configurations_are_those_of_kubeadm() {
    for (release, kubelet, proxy) in [
        (
            "v1.20.2",
            golden!("v1.20.2/cluster/kube-system/configmap-kubelet-config-1.20.yaml"),
            golden!("v1.20.2/cluster/kube-system/configmap-kube-proxy.yaml"),
        ),
        (
            "v1.36.2",
            golden!("v1.36.2/cluster/kube-system/configmap-kubelet-config.yaml"),
            golden!("v1.36.2/cluster/kube-system/configmap-kube-proxy.yaml"),
        ),
    ] {
        let cluster = the_lab(release).cluster;
        let mut expected = parsed(&data(kubelet, "kubelet"));
        if release == "v1.36.2" {
            // The lab had set these two itself.
            expected["cgroupDriver"] = json!("systemd");
            expected.as_object_mut().expect("an object").remove("failCgroupV1");
        }
        assert_eq!(Value::Object(cluster.kubelet), expected, "{release}");
        let mut expected = parsed(&data(proxy, "config.conf"));
        // The lab had set this one itself.
        expected["conntrack"]["maxPerCore"] = Value::Null;
        assert_eq!(Value::Object(cluster.kube_proxy), expected, "{release}");
    }
}

#[test]
fn printed_component_defaults_are_those_of_kubeadm() {
    let documents = yaml::documents(golden!("v1.36.2/print/init-defaults-with-components.yaml")).expect("golden");
    let flags = InitFlags { kubernetes_version: Some("v1.36.0".into()), ..InitFlags::default() };
    let cluster = init(&flags, &a_host()).expect("a job").cluster;
    let found = |kind: &str| documents.iter().find(|document| document["kind"] == kind).cloned().expect(kind);
    assert_eq!(Value::Object(cluster.kubelet), found("KubeletConfiguration"));
    assert_eq!(Value::Object(cluster.kube_proxy), found("KubeProxyConfiguration"));
}

#[test]
fn inputs_of_real_runs_are_read_without_findings() {
    for (name, text, kubelet) in [
        ("v1.20.2 default", golden!("v1.20.2/default/input.yaml"), golden!("v1.20.2/default/kubelet-config.yaml")),
        ("v1.20.2 custom", golden!("v1.20.2/custom/input.yaml"), golden!("v1.20.2/custom/kubelet-config.yaml")),
        ("v1.36.2 default", golden!("v1.36.2/default/input.yaml"), golden!("v1.36.2/default/kubelet-config.yaml")),
        ("v1.36.2 custom", golden!("v1.36.2/custom/input.yaml"), golden!("v1.36.2/custom/kubelet-config.yaml")),
    ] {
        let init = init_file(text).expect(name);
        let is_new = name.starts_with("v1.36.2");
        let mut expected: Map<String, Value> = yaml::parse(kubelet).expect("golden files are YAML");
        if is_new {
            // The node's own file holds the socket, the cluster's configuration does not.
            expected.insert("containerRuntimeEndpoint".into(), json!(""));
        }
        assert_eq!(init.cluster.kubelet, expected, "{name}");
        assert_eq!(init.node.name.as_str(), "n1", "{name}");
        let scheme = if is_new { "unix://" } else { "" };
        assert_eq!(init.node.cri_socket, format!("{scheme}/run/containerd/containerd.sock"), "{name}");
        if name.ends_with("custom") {
            check_custom(&init, is_new, name);
        } else {
            assert_eq!(init.endpoint.url(), "https://10.77.0.11:6443", "{name}");
        }
    }
}

fn check_custom(init: &Init, is_new: bool, name: &str) {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cluster = &init.cluster;
    assert_eq!(init.endpoint.url(), "https://10.77.0.11:8443", "{name}");
    assert_eq!(init.node.kubelet_extra_args, [pair("node-ip", "10.77.0.11"), pair("v", "4")], "{name}");
    assert_eq!(cluster.name, "prod", "{name}");
    assert_eq!(cluster.image_repository, "registry.example.com/k8s", "{name}");
    assert_eq!(cluster.server_url(&init.endpoint), "https://k8s.example.com:6443", "{name}");
    assert_eq!(cluster.networking.service_text(), "10.112.0.0/12", "{name}");
    assert_eq!(cluster.networking.dns_domain, "corp.local", "{name}");
    assert_eq!(cluster.api_server_cert_sans, ["api.example.com", "203.0.113.7"], "{name}");
    assert_eq!(cluster.api_server.extra_args[1], pair("authorization-mode", "Node,RBAC"), "{name}");
    assert_eq!(cluster.api_server.extra_volumes[0].path_type, "DirectoryOrCreate", "{name}");
    assert_eq!(cluster.scheduler.extra_args, [pair("v", "3")], "{name}");
    let Etcd::Local(etcd) = &cluster.etcd else { panic!("{name}") };
    assert_eq!(etcd.data_dir.to_string_lossy(), "/data/etcd", "{name}");
    assert_eq!(etcd.server_cert_sans, ["etcd.example.com"], "{name}");
    assert_eq!(cluster.api_server.extra_envs.len(), usize::from(is_new), "{name}");
    let algorithm = if is_new { KeyAlgorithm::EcdsaP256 } else { KeyAlgorithm::Rsa2048 };
    assert_eq!(cluster.key_algorithm, algorithm, "{name}");
    assert_eq!(cluster.certificate_validity.as_secs() / 3600, if is_new { 4380 } else { 8760 }, "{name}");
}

#[test]
fn what_is_stored_is_read_back_the_same() {
    for release in ["v1.20.2", "v1.25.3", "v1.30.14", "v1.31.0", "v1.36.2"] {
        for custom in [golden!("v1.20.2/custom/input.yaml"), golden!("v1.36.2/custom/input.yaml")] {
            let text = custom.replace("v1.20.2", release).replace("v1.36.2", release);
            let cluster = init_file(&text).expect(release).cluster;
            let stored = encode_cluster_config(&cluster);
            let component = |map: &Map<String, Value>| yaml::write(&Value::Object(map.clone()));
            let proxy = component(&cluster.kube_proxy);
            let read = cluster_from_config_maps(&stored, &component(&cluster.kubelet), Some(&proxy)).expect(release);
            assert_eq!(encode_cluster_config(&read), stored, "{release}");
            assert_eq!((read.kubelet, read.kube_proxy), (cluster.kubelet, cluster.kube_proxy), "{release}");
        }
    }
}

#[test]
fn config_maps_of_real_clusters_are_read() {
    for (config, kubelet, kubelet_key, proxy) in [
        (
            golden!("v1.20.2/cluster/kube-system/configmap-kubeadm-config.yaml"),
            golden!("v1.20.2/cluster/kube-system/configmap-kubelet-config-1.20.yaml"),
            "kubelet",
            golden!("v1.20.2/cluster/kube-system/configmap-kube-proxy.yaml"),
        ),
        (
            golden!("v1.36.2/cluster/kube-system/configmap-kubeadm-config.yaml"),
            golden!("v1.36.2/cluster/kube-system/configmap-kubelet-config.yaml"),
            "kubelet",
            golden!("v1.36.2/cluster/kube-system/configmap-kube-proxy.yaml"),
        ),
    ] {
        let stored = data(config, "ClusterConfiguration");
        let kubelet = data(kubelet, kubelet_key);
        let cluster =
            cluster_from_config_maps(&stored, &kubelet, Some(&data(proxy, "config.conf"))).expect("a cluster");
        assert_eq!(encode_cluster_config(&cluster), stored);
        assert_eq!(yaml::write(&Value::Object(cluster.kubelet)), kubelet, "nothing is missing in it");
    }
}
