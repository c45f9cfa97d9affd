//! Who makes the binding of admin.conf's group, and when.

use std::io;

use serde_json::Value;

use super::*;
use crate::plan::Journal;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::support::{FixedEntropy, FixedTime, MemoryStore, Recorder};
use crate::world::{Answer, Change, Cluster, ClusterError, ObjectChange, Overlay, Undo};

/// An API server that knows the group of admin.conf only once it is bound.
#[derive(Default)]
struct Strict(Overlay<'static>);

impl Strict {
    fn check(&self, identity: &Identity) -> Result<(), ClusterError> {
        let is_super = matches!(identity, Identity::Kubeconfig(path) if path.ends_with("super-admin.conf"));
        if is_super || !self.0.objects().is_empty() {
            return Ok(());
        }
        Err(ClusterError::Refused {
            server: "https://10.77.0.11:6443".to_owned(),
            action: "get".to_owned(),
            status: 403,
            source: io::Error::other("forbidden"),
        })
    }
}

impl Cluster for Strict {
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        self.check(identity)?;
        Cluster::get(&self.0, identity, object)
    }

    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError> {
        Cluster::list(&self.0, identity, of, query)
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        self.0.raw(identity, path)
    }

    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError> {
        self.check(&change.identity)?;
        Cluster::prepare(&self.0, change)
    }

    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError> {
        self.check(&change.identity)?;
        Cluster::apply(&self.0, change)
    }
}

/// Asks twice for the administrator; the identities by whom something was changed.
fn changed_by(host: &Overlay<'_>, job: &Init) -> Result<Vec<Identity>, Problem> {
    let (cluster, time, entropy, progress, store) =
        (Strict::default(), FixedTime::default(), FixedEntropy::default(), Recorder::default(), MemoryStore::default());
    let journal = Journal::new(&store);
    let world = World::new(host, (&cluster, host), &time, (&entropy, &progress), &journal);
    for _ in 0..2 {
        assert_eq!(administrator(job, &world)?, Identity::Kubeconfig(job.kubeconfig.clone()));
    }
    let identity = |change: Change| match change {
        Change::Object(change) => change.identity,
        other => panic!("{other:?}"),
    };
    Ok(cluster.0.changes().into_iter().map(identity).collect())
}

#[test]
fn super_admin_binds_the_group_once() {
    let host = Overlay::default().with_file("/etc/kubernetes/super-admin.conf", "", 0o600);
    let super_admin = Identity::Kubeconfig("/etc/kubernetes/super-admin.conf".into());
    assert_eq!(changed_by(&host, &default_init(V1_36)).unwrap(), [super_admin]);
}

#[test]
fn old_releases_and_other_kubeconfigs_need_no_binding() {
    let mut other = default_init(V1_36);
    other.kubeconfig = "/root/.kube/config".into();
    for (name, job) in [("1.20", default_init(V1_20)), ("other kubeconfig", other)] {
        assert_eq!(changed_by(&Overlay::default(), &job).unwrap(), [], "{name}");
    }
}

#[test]
fn without_super_admin_the_phase_that_makes_it_is_named() {
    let problem = changed_by(&Overlay::default(), &default_init(V1_36)).unwrap_err();
    assert_eq!(problem.id, "super-admin-missing");
    assert_eq!(problem.fixes, ["kubestrap init phase kubeconfig super-admin"]);
}
