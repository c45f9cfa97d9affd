//! The certificates that are watched and renewed: seven files and four kubeconfigs, under the names kubeadm gives them.
//!
//! Reads a certificate where it lies, writes nothing. The CAs, the service account's keys and the kubelet's kubeconfig are
//! not among them: a CA is replaced by other means, and the kubelet renews its own certificate.

use std::path::PathBuf;

use super::certificate::Certificate;
use super::found::{self, Ca, PairFiles};
use super::table::{self, CertSpec};
use crate::config::{ClusterConfig, Etcd, Layout};
use crate::kubeconfig::{self, KubeconfigSpec};
use crate::problem::Problem;
use crate::world::Host;

/// A certificate that has an end and can have a successor.
pub enum Managed {
    /// A pair of files in the certificate folder.
    Pair(&'static CertSpec),
    /// The one in a kubeconfig.
    Kubeconfig(&'static KubeconfigSpec),
}

/// All of them, by name.
pub static ALL: [Managed; 11] = [
    Managed::Kubeconfig(&kubeconfig::ADMIN),
    Managed::Pair(&table::APISERVER),
    Managed::Pair(&table::APISERVER_ETCD_CLIENT),
    Managed::Pair(&table::APISERVER_KUBELET_CLIENT),
    Managed::Kubeconfig(&kubeconfig::CONTROLLER_MANAGER),
    Managed::Pair(&table::ETCD_HEALTHCHECK_CLIENT),
    Managed::Pair(&table::ETCD_PEER),
    Managed::Pair(&table::ETCD_SERVER),
    Managed::Pair(&table::FRONT_PROXY_CLIENT),
    Managed::Kubeconfig(&kubeconfig::SCHEDULER),
    Managed::Kubeconfig(&kubeconfig::SUPER_ADMIN),
];

impl Managed {
    /// Name in commands: that of the phase, or the kubeconfig's file name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pair(spec) => spec.name,
            Self::Kubeconfig(spec) => spec.file,
        }
    }

    /// Its one line.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Pair(spec) => spec.about,
            Self::Kubeconfig(spec) => spec.about,
        }
    }

    /// The CA that signs it.
    pub fn ca(&self) -> Ca {
        match self {
            Self::Pair(spec) => spec.ca,
            Self::Kubeconfig(_) => Ca::Kubernetes,
        }
    }

    /// Why a cluster has none, where that is so.
    pub fn is_left_out(&self, cluster: &ClusterConfig) -> Option<String> {
        let release = &cluster.release;
        match self {
            Self::Pair(spec) if spec.ca == Ca::Etcd && matches!(cluster.etcd, Etcd::External(_)) => {
                Some("etcd is external".to_owned())
            }
            Self::Kubeconfig(spec) if !(spec.is_made)(release) => {
                Some(format!("Kubernetes {release} has no {}", spec.file))
            }
            _ => None,
        }
    }

    /// The file that holds it.
    pub fn path(&self, layout: &Layout) -> PathBuf {
        match self {
            Self::Pair(spec) => PairFiles::of(layout, spec.file).certificate,
            Self::Kubeconfig(spec) => layout.kubeconfig(spec.file),
        }
    }

    /// Reads it; `None` when its file is not there.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no certificate.
    pub fn found(&self, layout: &Layout, host: &dyn Host) -> Result<Option<Certificate>, Problem> {
        match self {
            Self::Pair(spec) => {
                let chain = found::certificates(host, &PairFiles::of(layout, spec.file))?;
                Ok(chain.and_then(|chain| chain.into_iter().next()))
            }
            Self::Kubeconfig(spec) => spec.client_certificate(layout, host),
        }
    }

    /// The static Pod that has to start again before a successor is used.
    pub(super) fn component(&self) -> Option<&'static str> {
        match self.name() {
            "apiserver" | "apiserver-etcd-client" | "apiserver-kubelet-client" | "front-proxy-client" => {
                Some("kube-apiserver")
            }
            "controller-manager.conf" => Some("kube-controller-manager"),
            "scheduler.conf" => Some("kube-scheduler"),
            "etcd-peer" | "etcd-server" => Some("etcd"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kubeadms_and_sorted() {
        let names: Vec<&str> = ALL.iter().map(Managed::name).collect();
        assert!(names.is_sorted());
        let golden = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../testdata/kubeadm/v1.36.2/cluster/certs-check-expiration.txt"
        ));
        let rows = golden.lines().skip_while(|line| !line.starts_with("CERTIFICATE ")).skip(1);
        let expected: Vec<&str> =
            rows.take_while(|line| !line.is_empty()).filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, expected);
    }
}
