//! Files of the kubelet against those of kubeadm, and the flags of the releases in between.

use super::*;
use crate::config::{Init, NodeName, Release};
use crate::support::jobs::{V1_20, V1_36, custom_init, default_init};

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $file))
    };
}

/// As on the machine on which the golden files were made: its name is not the Node's.
fn on_vm(mut job: Init, kubelet: &str) -> Init {
    job.node.host_name = "vm".to_owned();
    job.cluster.kubelet = yaml::parse(kubelet).unwrap();
    job.cluster.kubelet.remove("resolvConf");
    job
}

#[test]
fn files_are_those_of_kubeadm() {
    for (name, job, flags, instance, config) in [
        (
            "1.20 default",
            on_vm(default_init(V1_20), golden!("v1.20.2/default/kubelet-config.yaml")),
            golden!("v1.20.2/default/kubeadm-flags.env"),
            None,
            golden!("v1.20.2/default/kubelet-config.yaml"),
        ),
        (
            "1.20 custom",
            on_vm(custom_init(V1_20), golden!("v1.20.2/custom/kubelet-config.yaml")),
            golden!("v1.20.2/custom/kubeadm-flags.env"),
            None,
            golden!("v1.20.2/custom/kubelet-config.yaml"),
        ),
        (
            "1.36 default",
            on_vm(default_init(V1_36), golden!("v1.36.2/default/kubelet-config.yaml")),
            golden!("v1.36.2/default/kubeadm-flags.env"),
            Some(golden!("v1.36.2/default/instance-config.yaml")),
            golden!("v1.36.2/default/kubelet-config.yaml"),
        ),
        (
            "1.36 custom",
            on_vm(custom_init(V1_36), golden!("v1.36.2/custom/kubelet-config.yaml")),
            golden!("v1.36.2/custom/kubeadm-flags.env"),
            Some(golden!("v1.36.2/custom/instance-config.yaml")),
            golden!("v1.36.2/custom/kubelet-config.yaml"),
        ),
    ] {
        let made = files(&job.cluster, &job.node, false, None).unwrap();
        let texts: Vec<&str> = made.iter().map(|file| file.text.as_str()).collect();
        let expected: Vec<&str> = [Some(flags), instance, Some(config)].into_iter().flatten().collect();
        assert_eq!(texts, expected, "{name}");
    }
}

#[test]
fn flags_follow_the_release() {
    for (minor, expected) in [
        (20, "--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock"),
        (
            23,
            "--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock --pod-infra-container-image=k8s.gcr.io/pause:3.6",
        ),
        (
            24,
            "--container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock --pod-infra-container-image=k8s.gcr.io/pause:3.7",
        ),
        (
            26,
            "--container-runtime-endpoint=unix:///run/containerd/containerd.sock --pod-infra-container-image=registry.k8s.io/pause:3.9",
        ),
        (34, "--pod-infra-container-image=registry.k8s.io/pause:3.10.1"),
        (35, ""),
    ] {
        let job = default_init(Release::new(minor, 0));
        assert_eq!(
            flags_text(&job.cluster, &job.node, false),
            format!("KUBELET_KUBEADM_ARGS=\"{expected}\"\n"),
            "1.{minor}"
        );
    }
}

#[test]
fn docker_is_the_kubelets_own_business_up_to_1_23() {
    let mut job = default_init(V1_20);
    job.node.cri_socket = "/var/run/dockershim.sock".to_owned();
    assert_eq!(
        flags_text(&job.cluster, &job.node, false),
        "KUBELET_KUBEADM_ARGS=\"--network-plugin=cni --pod-infra-container-image=k8s.gcr.io/pause:3.2\"\n"
    );
}

#[test]
fn taints_are_flags_where_nobody_else_sets_them() {
    let mut job = default_init(V1_36);
    job.node.taints = Some(vec![
        json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"}),
        json!({"key": "new", "effect": "NoExecute"}),
    ]);
    let named = |as_flags| flags(&job.cluster, &job.node, as_flags);
    assert_eq!(named(true), [("register-with-taints".to_owned(), "gpu=yes:NoSchedule,new:NoExecute".to_owned())]);
    assert_eq!(named(false), []);
    job.node.taints = Some(Vec::new());
    assert_eq!(flags(&job.cluster, &job.node, true), []);
}

#[test]
fn flags_of_the_user_replace_ours_in_the_order_of_the_release() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (minor, expected) in [
        (20, "container-runtime=remote container-runtime-endpoint=/x hostname-override=n1 v=4"),
        (
            33,
            "container-runtime-endpoint=/x hostname-override=n1 pod-infra-container-image=registry.k8s.io/pause:3.10 v=4",
        ),
        (36, "hostname-override=n1 v=4 container-runtime-endpoint=/x"),
    ] {
        let mut job = default_init(Release::new(minor, 0));
        job.node.name = NodeName::parse("n1").unwrap();
        job.node.host_name = "vm".to_owned();
        job.node.kubelet_extra_args = vec![pair("v", "4"), pair("container-runtime-endpoint", "/x")];
        let made: Vec<String> =
            flags(&job.cluster, &job.node, false).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(made.join(" "), expected, "1.{minor}");
    }
}

#[test]
fn resolv_conf_of_the_node_counts_from_1_31_on_unless_the_user_has_one() {
    let resolved = "/run/systemd/resolve/resolv.conf";
    for (minor, users, expected) in
        [(30, None, None), (31, None, Some(resolved)), (31, Some("/etc/mine"), Some("/etc/mine"))]
    {
        let mut job = default_init(Release::new(minor, 0));
        if let Some(users) = users {
            job.cluster.kubelet.insert("resolvConf".to_owned(), json!(users));
        }
        let made = files(&job.cluster, &job.node, false, Some(resolved)).unwrap();
        let config: Value = yaml::parse(&made.last().unwrap().text).unwrap();
        assert_eq!(config["resolvConf"].as_str(), expected, "1.{minor} {users:?}");
    }
}

#[test]
fn quotes_and_backslashes_survive_the_flags_file() {
    assert_eq!(quoted(r#"--a=x"y\z"#), r#""--a=x\"y\\z""#);
}
