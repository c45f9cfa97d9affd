//! kubeadm.k8s.io/v1beta2, written by kubeadm 1.15 to 1.21: flags of components are maps.

use super::super::draft::Setting;
use super::blocks::{CLUSTER, INIT, JOIN, NODE};
use super::table::Shape::{ArgMap, Bool, Duration, Text};
use super::table::{Kind, Row, Version};

/// The version.
pub(super) const VERSION: Version = Version {
    api: "kubeadm.k8s.io/v1beta2",
    kinds: &[
        Kind {
            name: "ClusterConfiguration",
            blocks: &[CLUSTER, OWN_CLUSTER],
            sections: &["apiServer", "controllerManager", "dns", "networking", "scheduler"],
        },
        Kind { name: "InitConfiguration", blocks: &[INIT, NODE, OWN_NODE], sections: &[] },
        Kind { name: "JoinConfiguration", blocks: &[JOIN, NODE, OWN_NODE, OWN_JOIN], sections: &[] },
    ],
};

const OWN_CLUSTER: &[Row] = &[
    Row("useHyperKubeImage", Bool, Setting::UseHyperKubeImage),
    Row("apiServer.extraArgs", ArgMap, Setting::ApiServerArgs),
    Row("apiServer.timeoutForControlPlane", Duration, Setting::ControlPlaneTimeout),
    Row("controllerManager.extraArgs", ArgMap, Setting::ControllerManagerArgs),
    Row("scheduler.extraArgs", ArgMap, Setting::SchedulerArgs),
    Row("etcd.local.extraArgs", ArgMap, Setting::EtcdArgs),
    Row("dns.type", Text, Setting::DnsType),
];

const OWN_NODE: &[Row] = &[Row("nodeRegistration.kubeletExtraArgs", ArgMap, Setting::KubeletArgs)];

const OWN_JOIN: &[Row] = &[Row("discovery.timeout", Duration, Setting::DiscoveryTimeout)];
