//! The two addons: cluster DNS and kube-proxy. Both go through the API server and are not waited for: they start once a
//! Pod network is there.

pub mod coredns;
pub mod kube_dns;
pub mod kube_proxy;

use crate::config::Init;
use crate::plan::Step;

impl Step<Init> {
    /// CoreDNS and kube-proxy.
    pub const ADDON: Self = Self::Group {
        name: "addon",
        about: "cluster DNS and kube-proxy",
        steps: &[Self::Phase(&coredns::CoreDns), Self::Phase(&kube_proxy::KubeProxy)],
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::jobs::{V1_36, default_init};

    #[test]
    fn objects_to_print_come_in_kubeadms_order() {
        let job = default_init(V1_36);
        let kinds = |objects: Vec<serde_json::Value>| -> Vec<String> {
            objects.iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            kinds(coredns::manifests(&job.cluster)),
            ["Deployment", "ConfigMap", "Service", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"]
        );
        assert_eq!(
            kinds(kube_proxy::manifests(&job.cluster, &job.endpoint)),
            ["ServiceAccount", "ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "DaemonSet"]
        );
    }
}
