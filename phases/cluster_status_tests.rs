//! Entries of several nodes, changed at the same time.

use std::cell::Cell;

use super::*;
use crate::plan::Journal;
use crate::support::jobs::{V1_20, default_init};
use crate::support::{Bench, MemoryStore};
use crate::world::{Answer, Cluster, ClusterError, Content, Entropy, ObjectChange, Overlay, Progress, Undo, Verb};

fn admin() -> Identity {
    Identity::Kubeconfig("/etc/kubernetes/admin.conf".into())
}

#[test]
fn other_control_plane_nodes_stay_in_the_status() {
    let status = "apiEndpoints:\n  m3:\n    advertiseAddress: 10.77.0.23\n    bindPort: 6443\nkind: ClusterStatus\n";
    let ours = "apiEndpoints:\n  m1:\n    advertiseAddress: 10.77.0.21\n    bindPort: 6443\nkind: ClusterStatus\n";
    let merged = laid_over(Some(status), ours.to_owned());
    let merged: Value = yaml::parse(&merged).unwrap();
    assert_eq!(merged["apiEndpoints"]["m1"]["advertiseAddress"], "10.77.0.21");
    assert_eq!(merged["apiEndpoints"]["m3"]["advertiseAddress"], "10.77.0.23");
    for unusable in ["", "[", "a: b", "apiEndpoints: x"] {
        assert_eq!(laid_over(Some(unusable), ours.to_owned()), ours, "{unusable:?}");
    }
    assert_eq!(laid_over(None, ours.to_owned()), ours);
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
        let mut theirs = object.clone();
        theirs["metadata"]["resourceVersion"] = json!(format!("after-{left}"));
        theirs["data"]["ClusterStatus"] = json!(laid_over(object["data"]["ClusterStatus"].as_str(), endpoint));
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
    let job = default_init(V1_20);
    let names = beside_rivals("apiEndpoints: {}\n", |world| add((&job.node.name, &job.endpoint), world, &admin()));
    assert_eq!(names, [job.node.name.as_str(), "r1", "r2"]);
}

#[test]
fn a_node_that_leaves_takes_its_own_entry_alone_with_it() {
    let name = NodeName::parse("m1").unwrap();
    let status = "apiEndpoints:\n  m1:\n    bindPort: 6443\n  m2:\n    bindPort: 6443\n";
    let names = beside_rivals(status, |world| {
        assert_eq!(remove(&name, world, &admin()), Ok(true));
        assert_eq!(remove(&name, world, &admin()), Ok(false), "a second time");
        Ok(())
    });
    assert_eq!(names, ["m2", "r1", "r2"]);
    for (what, status) in [("no status", ""), ("none that can be read", "["), ("no endpoints", "kind: ClusterStatus")] {
        assert_eq!(without(status, "m1"), None, "{what}");
    }
}

/// The nodes in the status after something was done to it while two others join.
fn beside_rivals(status: &str, act: impl FnOnce(&World<'_>) -> Result<(), Problem>) -> Vec<String> {
    let found = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "kubeadm-config", "resourceVersion": "1"},
        "data": {"ClusterConfiguration": "kept", "ClusterStatus": status}});
    let bench = Bench::over(Overlay::default().with_object(found));
    let (rival, store) = (Rival { server: &bench.overlay, writes: Cell::new(2) }, MemoryStore::default());
    let journal = Journal::new(&store);
    let ports = (&bench.entropy as &dyn Entropy, &bench.recorder as &dyn Progress);
    act(&World::new(&bench.overlay, (&rival, &bench.overlay), &bench.time, ports, &journal)).unwrap();
    let map = bench.overlay.objects().remove(0);
    assert_eq!(map["data"]["ClusterConfiguration"], "kept");
    let status: Value = yaml::parse(map["data"]["ClusterStatus"].as_str().unwrap()).unwrap();
    status["apiEndpoints"].as_object().unwrap().keys().cloned().collect()
}
