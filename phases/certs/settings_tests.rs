//! Where commands about certificates learn of the cluster: a file, the cluster, or kubeadm's defaults with a warning.

use std::io::Error;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::config::Etcd;
use crate::world::{Answer, ClusterError, KeyAlgorithm, ObjectChange, Overlay, Undo};

const STORED: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.2\n\
    certificatesDir: /srv/pki\nencryptionAlgorithm: ECDSA-P256\n";

const FILE: &str = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n\
    etcd: {external: {endpoints: ['http://10.0.0.1:2379']}}\n";

/// API servers that nobody reaches.
struct Away;

fn unreachable() -> ClusterError {
    ClusterError::Unreachable { server: "https://10.0.0.1:6443".to_owned(), source: Error::other("connection refused") }
}

impl Cluster for Away {
    fn get(&self, _: &Identity, _: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        Err(unreachable())
    }

    fn list(&self, _: &Identity, _: &ObjectRef, _: &str) -> Result<Vec<Value>, ClusterError> {
        Err(unreachable())
    }

    fn raw(&self, _: &Identity, _: &str) -> Result<Answer, ClusterError> {
        Err(unreachable())
    }

    fn prepare(&self, _: &ObjectChange) -> Result<Undo, ClusterError> {
        Err(unreachable())
    }

    fn apply(&self, _: &ObjectChange) -> Result<(), ClusterError> {
        Err(unreachable())
    }
}

/// A cluster that has stored this, and its administrator's machine.
fn stored(text: &str) -> Overlay<'static> {
    node().with_object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "kube-system", "name": "kubeadm-config"},
        "data": {"ClusterConfiguration": text},
    }))
}

fn node() -> Overlay<'static> {
    Overlay::default().with_file("/etc/kubernetes/admin.conf", "", 0o600).with_file("/root/cluster.yaml", FILE, 0o600)
}

fn with_file() -> CertsFlags {
    CertsFlags { config: Some(PathBuf::from("/root/cluster.yaml")), ..CertsFlags::default() }
}

#[test]
fn the_clusters_own_configuration_counts() {
    let world = stored(STORED);
    let found = settings(&CertsFlags::default(), &world, &world).unwrap();
    assert_eq!((found.layout.certificates(), &found.warning), (Path::new("/srv/pki"), &None));
    assert_eq!((found.cluster.release.minor(), found.cluster.key_algorithm), (36, KeyAlgorithm::EcdsaP256));
}

#[test]
fn with_a_file_nobody_is_asked() {
    let found = settings(&with_file(), &node(), &Away).unwrap();
    assert!(matches!(found.cluster.etcd, Etcd::External(_)) && found.warning.is_none());
    let mistaken = node().with_file("/root/cluster.yaml", &FILE.replace("etcd:", "etc:"), 0o600);
    assert_eq!(settings(&with_file(), &mistaken, &Away).unwrap_err().id, "config-invalid");
}

#[test]
fn a_flag_moves_the_folder_wherever_the_rest_comes_from() {
    let cert_dir = Some(PathBuf::from("/elsewhere"));
    for flags in
        [CertsFlags { cert_dir: cert_dir.clone(), ..with_file() }, CertsFlags { cert_dir, ..CertsFlags::default() }]
    {
        let world = stored(STORED);
        assert_eq!(settings(&flags, &world, &world).unwrap().layout.certificates(), Path::new("/elsewhere"));
    }
}

#[test]
fn defaults_stand_in_for_what_cannot_be_read_and_this_is_told() {
    let other = CertsFlags { kubeconfig: Some(PathBuf::from("/root/none.conf")), ..CertsFlags::default() };
    let (empty, damaged) = (stored(""), stored("hello"));
    let nobody = Overlay::default();
    let default = CertsFlags::default();
    for (name, flags, host, servers, why) in [
        ("down", &default, &node(), &Away as &dyn Cluster, Some("connection refused")),
        ("no ConfigMap", &default, &node(), &nobody, Some("the cluster has no ConfigMap kube-system/kubeadm-config")),
        ("empty", &default, &empty, &empty, Some("cannot be used")),
        ("damaged", &default, &damaged, &damaged, Some("cannot be used")),
        ("no such kubeconfig", &other, &node(), &nobody, Some("there is no kubeconfig /root/none.conf")),
        ("no credentials", &default, &nobody, &Away, None),
    ] {
        let found = settings(flags, host, servers).expect(name);
        assert_eq!(found.layout, Layout::default(), "{name}");
        let seen = found.warning.map(|problem| problem.why);
        assert_eq!(seen.is_some(), why.is_some(), "{name}: {seen:?}");
        assert!(seen.unwrap_or_default().contains(why.unwrap_or_default()), "{name}");
    }
}
