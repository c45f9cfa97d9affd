//! Hash, names per release, other keys and members that are kept, and the annotation of the Node.

use super::*;
use crate::config::Release;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::world::Overlay;

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $file))
    };
}

fn admin() -> Identity {
    Identity::Kubeconfig("/etc/kubernetes/admin.conf".into())
}

fn node(annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
           "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}, "annotations": annotations}})
}

#[test]
fn the_hash_is_that_of_kubeadm() {
    let golden: ConfigMap =
        yaml::parse(golden!("v1.20.2/cluster/kube-system/configmap-kubelet-config-1.20.yaml")).unwrap();
    let mut cluster = default_init(V1_20).cluster;
    cluster.kubelet = yaml::parse(&golden.data.as_ref().unwrap()["kubelet"]).unwrap();
    let ours = kubelet_config_map(&cluster);
    assert_eq!(ours.data, golden.data);
    assert_eq!(ours.metadata.annotations, golden.metadata.annotations);

    cluster.kubelet_from_user = true;
    assert_eq!(kubelet_config_map(&cluster).metadata.annotations, None, "what the user wrote is the user's");
}

#[test]
fn the_kubelets_role_is_named_after_its_config_map() {
    for (release, name) in [
        (V1_20, "kubelet-config-1.20"),
        (Release::new(23, 5), "kubelet-config-1.23"),
        (Release::new(24, 0), "kubelet-config"),
    ] {
        let (role, binding) = kubelet_config_rbac(&release.kubelet_config_map());
        let expected = Some(format!("kubeadm:{name}"));
        assert_eq!(role.metadata.name, expected, "{release}");
        assert_eq!(role.rules.unwrap()[0].resource_names, Some(vec![name.to_owned()]), "{release}");
        assert_eq!(binding.metadata.name, expected, "{release}");
        assert_eq!(Some(binding.role_ref.name), expected, "{release}");
    }
}

#[test]
fn other_keys_of_kubeadm_config_are_kept() {
    let found = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "kubeadm-config"},
        "data": {"ClusterConfiguration": "old", "mine": "kept"}});
    let bench = Bench::over(Overlay::default().with_object(found));
    let job = default_init(V1_36);
    bench.within(|world| upload_kubeadm_config(&job.cluster, None, world, &admin())).unwrap();
    let map: Option<ConfigMap> =
        bench.within(|world| objects::get(world, &admin(), "kube-system", "kubeadm-config")).unwrap();
    let data = map.unwrap().data.unwrap();
    assert_eq!(data["mine"], "kept");
    assert_eq!(data["ClusterConfiguration"], cluster_config_text(&job.cluster));
    assert!(!data.contains_key("ClusterStatus"), "1.36 has none");
}

#[test]
fn the_cri_socket_is_noted_where_the_release_does_so() {
    let gate = |on: bool| BTreeMap::from([("NodeLocalCRISocket".to_owned(), on)]);
    for (name, release, gates, expected) in [
        ("1.20", V1_20, BTreeMap::new(), Some("/run/containerd/containerd.sock")),
        ("1.30, as a URL", Release::new(30, 0), BTreeMap::new(), Some("unix:///run/containerd/containerd.sock")),
        ("1.32 with the gate", Release::new(32, 0), gate(true), None),
        ("1.36", V1_36, BTreeMap::new(), None),
        ("1.36 without the gate", V1_36, gate(false), Some("unix:///run/containerd/containerd.sock")),
    ] {
        let mut job = default_init(release);
        job.cluster.feature_gates = gates;
        let bench = Bench::over(Overlay::default().with_object(node(&json!({"other": "kept"}))));
        for _ in 0..2 {
            bench.within(|world| annotate_cri_socket(&job.cluster, &job.node, world, &admin())).unwrap();
        }
        let annotations = &bench.overlay.objects()[0]["metadata"]["annotations"];
        assert_eq!(annotations[CRI_SOCKET_ANNOTATION].as_str(), expected, "{name}");
        assert_eq!(annotations["other"], "kept", "{name}");
        assert_eq!(bench.overlay.changes().len(), usize::from(expected.is_some()), "{name}");
    }
}
