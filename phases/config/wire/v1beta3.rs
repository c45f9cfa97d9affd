//! kubeadm.k8s.io/v1beta3, written by kubeadm 1.22 to 1.30: as v1beta2 with phases to skip, patches and a pull policy, and
//! without the choice of a DNS server.

use super::super::draft::Setting;
use super::blocks::{CLUSTER, INIT, JOIN, NODE};
use super::table::Shape::{ArgMap, Duration, Text, Texts};
use super::table::{Kind, Row, Version};

/// The version.
pub(super) const VERSION: Version = Version {
    api: "kubeadm.k8s.io/v1beta3",
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
    Row("apiServer.extraArgs", ArgMap, Setting::ApiServerArgs),
    Row("apiServer.timeoutForControlPlane", Duration, Setting::ControlPlaneTimeout),
    Row("controllerManager.extraArgs", ArgMap, Setting::ControllerManagerArgs),
    Row("scheduler.extraArgs", ArgMap, Setting::SchedulerArgs),
    Row("etcd.local.extraArgs", ArgMap, Setting::EtcdArgs),
];

const OWN_NODE: &[Row] = &[
    Row("nodeRegistration.kubeletExtraArgs", ArgMap, Setting::KubeletArgs),
    Row("nodeRegistration.imagePullPolicy", Text, Setting::ImagePullPolicy),
    Row("skipPhases", Texts, Setting::SkipPhases),
    Row("patches.directory", Text, Setting::PatchesDirectory),
];

const OWN_JOIN: &[Row] = &[Row("discovery.timeout", Duration, Setting::DiscoveryTimeout)];
