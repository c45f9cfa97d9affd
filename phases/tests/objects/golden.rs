//! Golden: the phases of `init` that talk to the API server make the objects that kubeadm made in a real cluster, and a
//! second run changes nothing.
//!
//! Compares in meaning with `testdata/kubeadm/*/cluster`: all that we send is there with that value, and all that is there
//! is sent by us, filled in by the API server (`SERVER_DEFAULTS`), or written by somebody else (`left_out`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::bootstrap_token::BootstrapTokens;
use crate::config::{ApiEndpoint, BootstrapToken, Cidr, Init, NodeName, Release};
use crate::mark_control_plane::MarkControlPlane;
use crate::plan::Step;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::world::{Clock, Overlay};
use crate::yaml;

/// Field, and the value that the API server fills in; `*` for any.
const SERVER_DEFAULTS: &[(&str, &str)] = &[
    // Of every object.
    ("creationTimestamp", "*"),
    ("generation", "*"),
    ("managedFields", "*"),
    ("resourceVersion", "*"),
    ("status", "*"),
    ("uid", "*"),
    // Of Deployments and DaemonSets, partly set by their controllers.
    ("deployment.kubernetes.io/revision", "*"),
    ("deprecated.daemonset.template.generation", "*"),
    ("maxSurge", "0"),
    ("maxSurge", r#""25%""#),
    ("progressDeadlineSeconds", "600"),
    ("revisionHistoryLimit", "10"),
    ("rollingUpdate", r#"{"maxUnavailable":1}"#),
    // Of Pods.
    ("apiVersion", r#""v1""#),
    ("defaultMode", "420"),
    ("dnsPolicy", r#""ClusterFirst""#),
    ("failureThreshold", "3"),
    ("periodSeconds", "10"),
    ("protocol", r#""TCP""#),
    ("resources", "{}"),
    ("restartPolicy", r#""Always""#),
    ("scheme", r#""HTTP""#),
    ("schedulerName", r#""default-scheduler""#),
    ("securityContext", "{}"),
    ("serviceAccount", "*"),
    ("successThreshold", "1"),
    ("terminationGracePeriodSeconds", "30"),
    ("terminationMessagePath", "*"),
    ("terminationMessagePolicy", "*"),
    ("timeoutSeconds", "1"),
    ("type", r#""""#),
    // Of Services.
    ("clusterIPs", "*"),
    ("internalTrafficPolicy", "*"),
    ("ipFamilies", "*"),
    ("ipFamilyPolicy", "*"),
    ("sessionAffinity", r#""None""#),
    ("type", r#""ClusterIP""#),
    // Of ServiceAccounts, up to 1.23.
    ("secrets", "*"),
];

macro_rules! golden {
    ($release:literal: $($file:literal)*) => {
        [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $release, "/cluster/", $file))),*]
    };
}

struct Golden {
    release: Release,
    objects: Vec<&'static str>,
    node: &'static str,
    admin_conf: &'static str,
    /// Which of the cluster's tokens is init's own.
    token: &'static str,
    expires: &'static str,
}

fn v1_20() -> Golden {
    Golden {
        release: V1_20,
        objects: golden!["v1.20.2":
            "kube-public/configmap-cluster-info.yaml"
            "kube-public/role-kubeadm_bootstrap-signer-clusterinfo.yaml"
            "kube-public/rolebinding-kubeadm_bootstrap-signer-clusterinfo.yaml"
            "kube-system/configmap-coredns.yaml"
            "kube-system/configmap-kube-proxy.yaml"
            "kube-system/configmap-kubeadm-config.yaml"
            "kube-system/configmap-kubelet-config-1.20.yaml"
            "kube-system/daemonset-kube-proxy.yaml"
            "kube-system/deployment-coredns.yaml"
            "kube-system/role-kube-proxy.yaml"
            "kube-system/role-kubeadm_kubelet-config-1.20.yaml"
            "kube-system/role-kubeadm_nodes-kubeadm-config.yaml"
            "kube-system/rolebinding-kube-proxy.yaml"
            "kube-system/rolebinding-kubeadm_kubelet-config-1.20.yaml"
            "kube-system/rolebinding-kubeadm_nodes-kubeadm-config.yaml"
            "kube-system/secret-bootstrap-token-dtizca.yaml"
            "kube-system/service-kube-dns.yaml"
            "kube-system/serviceaccount-coredns.yaml"
            "kube-system/serviceaccount-kube-proxy.yaml"
            "cluster-scope/clusterrole-kubeadm_get-nodes.yaml"
            "cluster-scope/clusterrole-system_coredns.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_get-nodes.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_kubelet-bootstrap.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-autoapprove-bootstrap.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-autoapprove-certificate-rotation.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-proxier.yaml"
            "cluster-scope/clusterrolebinding-system_coredns.yaml"
        ]
        .to_vec(),
        node: golden!["v1.20.2": "cluster-scope/node-m1.yaml"][0],
        admin_conf: golden!["v1.20.2": "files/m1/etc/kubernetes/admin.conf"][0],
        token: "dtizca.w7f1eufw02q4alcc",
        expires: "2026-11-23T20:53:51Z",
    }
}

fn v1_36() -> Golden {
    Golden {
        release: V1_36,
        objects: golden!["v1.36.2":
            "kube-public/configmap-cluster-info.yaml"
            "kube-public/role-kubeadm_bootstrap-signer-clusterinfo.yaml"
            "kube-public/rolebinding-kubeadm_bootstrap-signer-clusterinfo.yaml"
            "kube-system/configmap-coredns.yaml"
            "kube-system/configmap-kube-proxy.yaml"
            "kube-system/configmap-kubeadm-config.yaml"
            "kube-system/configmap-kubelet-config.yaml"
            "kube-system/daemonset-kube-proxy.yaml"
            "kube-system/deployment-coredns.yaml"
            "kube-system/role-kube-proxy.yaml"
            "kube-system/role-kubeadm_kubelet-config.yaml"
            "kube-system/role-kubeadm_nodes-kubeadm-config.yaml"
            "kube-system/rolebinding-kube-proxy.yaml"
            "kube-system/rolebinding-kubeadm_kubelet-config.yaml"
            "kube-system/rolebinding-kubeadm_nodes-kubeadm-config.yaml"
            "kube-system/secret-bootstrap-token-ebg1u3.yaml"
            "kube-system/service-kube-dns.yaml"
            "kube-system/serviceaccount-coredns.yaml"
            "kube-system/serviceaccount-kube-proxy.yaml"
            "cluster-scope/clusterrole-kubeadm_get-nodes.yaml"
            "cluster-scope/clusterrole-system_coredns.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_apiserver-kubelet-client.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_cluster-admins.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_get-nodes.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_kubelet-bootstrap.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-autoapprove-bootstrap.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-autoapprove-certificate-rotation.yaml"
            "cluster-scope/clusterrolebinding-kubeadm_node-proxier.yaml"
            "cluster-scope/clusterrolebinding-system_coredns.yaml"
        ]
        .to_vec(),
        node: golden!["v1.36.2": "cluster-scope/node-m1.yaml"][0],
        admin_conf: golden!["v1.36.2": "files/m1/etc/kubernetes/admin.conf"][0],
        token: "ebg1u3.bd335zlng3glq8yr",
        expires: "2026-11-23T20:35:17Z",
    }
}

const STEPS: [Step<Init>; 4] =
    [Step::UPLOAD_CONFIG, Step::Phase(&MarkControlPlane), Step::Phase(&BootstrapTokens), Step::ADDON];

#[test]
fn objects_are_those_of_kubeadm() {
    for golden in [v1_20(), v1_36()] {
        let bench = bench(&golden);
        let job = job(&golden);
        for step in &STEPS {
            bench.run(step, &job).unwrap();
        }
        let mut expected: BTreeMap<String, Value> = golden
            .objects
            .iter()
            .copied()
            .chain([golden.node])
            .map(|text| left_out(yaml::parse(text).unwrap(), &job))
            .map(|object| (name_of(&object), object))
            .collect();
        for sent in bench.overlay.objects() {
            let name = format!("{} {}", golden.release, name_of(&sent));
            let expected = expected.remove(&name_of(&sent)).unwrap_or_else(|| panic!("{name} is not one of kubeadm's"));
            assert_eq!(missing_in(&expected, &sent, ""), Vec::<String>::new(), "{name}: sent, and not in kubeadm's");
            assert_eq!(significant(&sent), significant(&expected), "{name}");
        }
        assert!(expected.is_empty(), "{}: not sent: {:?}", golden.release, expected.keys());
    }
}

#[test]
fn a_second_run_changes_nothing() {
    for golden in [v1_20(), v1_36()] {
        let bench = bench(&golden);
        let job = job(&golden);
        for step in &STEPS {
            bench.run(step, &job).unwrap();
        }
        let first = bench.overlay.changes().len();
        for step in &STEPS {
            bench.run(step, &job).unwrap();
        }
        let again = &bench.overlay.changes()[first..];
        assert!(again.is_empty(), "{}: {again:?}", golden.release);
    }
}

#[test]
fn a_run_over_objects_as_an_api_server_returns_them_changes_nothing() {
    for golden in [v1_20(), v1_36()] {
        let mut bench = bench(&golden);
        let job = job(&golden);
        for text in &golden.objects {
            let mut object: Value = yaml::parse(text).unwrap();
            if object["metadata"]["name"] == "kubeadm-config" {
                object = left_out(object, &job);
            }
            bench.overlay = bench.overlay.with_object(object);
        }
        bench.overlay = bench.overlay.with_object(yaml::parse(golden.node).unwrap());
        for step in &STEPS {
            bench.run(step, &job).unwrap();
        }
        assert!(bench.overlay.changes().is_empty(), "{}: {:?}", golden.release, bench.overlay.changes());
    }
}

/// A Node as its kubelet registers it, and the kubeconfig.
fn bench(golden: &Golden) -> Bench {
    let mut node: Value = yaml::parse(golden.node).unwrap();
    node["metadata"]["annotations"].as_object_mut().unwrap().remove("kubeadm.alpha.kubernetes.io/cri-socket");
    let is_ours = |label: &String| label.starts_with("node-role.") || label.starts_with("node.kubernetes.io/exclude");
    node["metadata"]["labels"].as_object_mut().unwrap().retain(|label, _| !is_ours(label));
    node["spec"].as_object_mut().unwrap().remove("taints");
    Bench::over(
        Overlay::default()
            .with_file("/etc/kubernetes/admin.conf", &golden.admin_conf.replace("REDACTED", ""), 0o600)
            .with_object(node),
    )
}

fn job(golden: &Golden) -> Init {
    let mut job = default_init(golden.release.clone());
    job.node.name = NodeName::parse("m1").unwrap();
    job.endpoint = ApiEndpoint { address: [10, 77, 0, 21].into(), port: 6443 };
    job.tokens[0].token = BootstrapToken::parse(golden.token).unwrap();
    job.tokens[0].expires = Some(Clock::parse_rfc3339(golden.expires).unwrap().0);
    job.cluster.networking.pod_subnets = Cidr::parse_list("10.244.0.0/16").unwrap();
    job.cluster.kubelet = component(golden, "kubelet-config", "kubelet");
    // Set by hand in these clusters: the cgroup driver in 1.36, conntrack in both.
    job.cluster.kubelet_from_user = golden.release == V1_36;
    job.cluster.kube_proxy = component(golden, "kube-proxy", "config.conf");
    job.cluster.kube_proxy_from_user = true;
    job
}

/// The configuration of a component, out of the ConfigMap that carries it.
fn component(golden: &Golden, map: &str, key: &str) -> Map<String, Value> {
    let objects = golden.objects.iter().map(|text| yaml::parse::<Value>(text).unwrap());
    let is_map =
        |object: &Value| object["kind"] == "ConfigMap" && object["metadata"]["name"].as_str().unwrap().starts_with(map);
    let found = objects.into_iter().find(is_map).unwrap();
    yaml::parse(found["data"][key].as_str().unwrap()).unwrap()
}

/// kubeadm's object without what others wrote: the signature with a token that was made later. The text of the cluster's
/// configuration is the encoder's own affair.
fn left_out(mut object: Value, job: &Init) -> Value {
    match object["metadata"]["name"].as_str().unwrap() {
        "cluster-info" => {
            let ours = crate::discovery::jws::data_key(&job.tokens[0].token);
            object["data"].as_object_mut().unwrap().retain(|key, _| key == "kubeconfig" || *key == ours);
        }
        "kubeadm-config" => {
            object["data"]["ClusterConfiguration"] = json!(crate::config::encode_cluster_config(&job.cluster));
            if let Some(status) = object["data"].get_mut("ClusterStatus") {
                *status = json!(crate::config::encode_cluster_status(&job.node.name, &job.endpoint));
            }
        }
        _ => {}
    }
    object
}

pub(crate) fn name_of(object: &Value) -> String {
    crate::world::ObjectRef::of(object).to_string()
}

/// An object without what an API server fills in, and without empty fields.
pub(crate) fn significant(value: &Value) -> Value {
    let is_default = |field: &str, value: &Value| {
        let value = value.to_string();
        SERVER_DEFAULTS.iter().any(|&(name, default)| name == field && (default == "*" || default == value))
    };
    match value {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(field, value)| !is_default(field, value))
                .map(|(field, value)| (field.clone(), significant(value)))
                .filter(|(field, value)| !is_default(field, value) && !value.is_null() && *value != json!({}));
            Value::Object(kept.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(significant).collect()),
        other => other.clone(),
    }
}

/// Paths of what is sent and not found with that value.
pub(crate) fn missing_in(found: &Value, sent: &Value, path: &str) -> Vec<String> {
    match (found, sent) {
        (Value::Object(found), Value::Object(sent)) => {
            let missing = |(field, sent): (&String, &Value)| {
                missing_in(found.get(field).unwrap_or(&Value::Null), sent, &format!("{path}/{field}"))
            };
            sent.iter().flat_map(missing).collect()
        }
        (Value::Array(found), Value::Array(sent)) if found.len() == sent.len() => {
            found.iter().zip(sent).flat_map(|(found, sent)| missing_in(found, sent, &format!("{path}/-"))).collect()
        }
        _ if found == sent => Vec::new(),
        _ => vec![format!("{path}: {sent}, found {found}")],
    }
}
