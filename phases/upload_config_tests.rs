//! Hash, names per release, other keys and members that are kept, and the annotation of the Node.

use super::*;
use crate::config::Release;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, default_init};
use std::cell::Cell;

use crate::plan::Journal;
use crate::support::MemoryStore;
use crate::world::{Answer, Cluster, ClusterError, Content, Entropy, ObjectChange, Overlay, Progress, Undo, Verb};

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
fn other_control_plane_nodes_stay_in_the_status() {
    let status = "apiEndpoints:\n  m3:\n    advertiseAddress: 10.77.0.23\n    bindPort: 6443\nkind: ClusterStatus\n";
    let ours = "apiEndpoints:\n  m1:\n    advertiseAddress: 10.77.0.21\n    bindPort: 6443\nkind: ClusterStatus\n";
    let merged = with_member(Some(&status.to_owned()), ours.to_owned());
    let merged: Value = yaml::parse(&merged).unwrap();
    assert_eq!(merged["apiEndpoints"]["m1"]["advertiseAddress"], "10.77.0.21");
    assert_eq!(merged["apiEndpoints"]["m3"]["advertiseAddress"], "10.77.0.23");
    for unusable in ["", "[", "a: b", "apiEndpoints: x"] {
        assert_eq!(with_member(Some(&unusable.to_owned()), ours.to_owned()), ours, "{unusable:?}");
    }
    assert_eq!(with_member(None, ours.to_owned()), ours);
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

/// An API server at which another node writes its endpoint just after ours has read.
struct Rival<'a> {
    server: &'a Overlay<'static>,
    writes: Cell<usize>,
}

impl Rival<'_> {
    fn write(&self) {
        let left = self.writes.get();
        if left == 0 {
            return;
        }
        self.writes.set(left - 1);
        let object = self.server.objects().remove(0);
        let endpoint =
            format!("apiEndpoints:\n  r{left}:\n    advertiseAddress: 10.77.0.3{left}\n    bindPort: 6443\n");
        let written = object["data"]["ClusterStatus"].as_str().map(str::to_owned);
        let mut theirs = object.clone();
        theirs["metadata"]["resourceVersion"] = json!(format!("after-{left}"));
        theirs["data"]["ClusterStatus"] = json!(with_member(written.as_ref(), endpoint));
        let change = ObjectChange {
            identity: admin(),
            object: ObjectRef::of(&object),
            verb: Verb::Put,
            body: Content::new(theirs.to_string()),
        };
        Cluster::apply(self.server, &change).unwrap();
    }
}

impl Cluster for Rival<'_> {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        let found = self.server.get(identity, object);
        self.write();
        found
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        self.server.list(identity, of, query)
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        self.server.raw(identity, path)
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        Cluster::prepare(self.server, change)
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        Cluster::apply(self.server, change)
    }
}

#[test]
fn two_nodes_that_join_at_the_same_time_both_stay_in_the_status() {
    let found = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "kubeadm-config", "resourceVersion": "1"},
        "data": {"ClusterConfiguration": "kept", "ClusterStatus": "apiEndpoints: {}\n"}});
    let bench = Bench::over(Overlay::default().with_object(found));
    let (rival, store) = (Rival { server: &bench.overlay, writes: Cell::new(2) }, MemoryStore::default());
    let journal = Journal::new(&store);
    let ports = (&bench.entropy as &dyn Entropy, &bench.recorder as &dyn Progress);
    let world = World::new(&bench.overlay, (&rival, &bench.overlay), &bench.time, ports, &journal);
    let job = default_init(V1_20);
    add_api_endpoint((&job.node.name, &job.endpoint), &world, &admin()).unwrap();
    let map = bench.overlay.objects().remove(0);
    let status: Value = yaml::parse(map["data"]["ClusterStatus"].as_str().unwrap()).unwrap();
    let names: Vec<&String> = status["apiEndpoints"].as_object().unwrap().keys().collect();
    assert_eq!(names, [job.node.name.as_str(), "r1", "r2"]);
    assert_eq!(map["data"]["ClusterConfiguration"], "kept");
}
