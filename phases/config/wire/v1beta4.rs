//! kubeadm.k8s.io/v1beta4, written by kubeadm from 1.31 on: flags of components are lists, environment can be set, all
//! patience stands in `timeouts`, and reset and upgrade have kinds of their own.

use super::super::draft::{Setting, Upgrade};
use super::blocks::{CLUSTER, INIT, JOIN, NODE};
use super::table::Shape::{self, ArgList, Bool, Duration, Items, Number, Opaque, Text, Texts};
use super::table::{Kind, Row, Version};

/// The version.
pub(super) const VERSION: Version = Version {
    api: "kubeadm.k8s.io/v1beta4",
    kinds: &[
        Kind {
            name: "ClusterConfiguration",
            blocks: &[CLUSTER, OWN_CLUSTER],
            sections: &["apiServer", "controllerManager", "dns", "networking", "proxy", "scheduler"],
        },
        Kind { name: "InitConfiguration", blocks: &[INIT, NODE, OWN_NODE, TIMEOUTS], sections: &[] },
        Kind { name: "JoinConfiguration", blocks: &[JOIN, NODE, OWN_NODE, TIMEOUTS], sections: &[] },
        Kind { name: "ResetConfiguration", blocks: &[RESET, TIMEOUTS], sections: &[] },
        Kind {
            name: "UpgradeConfiguration",
            blocks: &[APPLY, DIFF, NODE_UPGRADE, PLAN, TIMEOUTS],
            sections: &["apply", "diff", "node", "plan"],
        },
    ],
};

/// A core EnvVar.
const ENV: Shape = Items(&[("name", Text), ("value", Text), ("valueFrom", Opaque)]);

const OWN_CLUSTER: &[Row] = &[
    Row("apiServer.extraArgs", ArgList, Setting::ApiServerArgs),
    Row("apiServer.extraEnvs", ENV, Setting::ApiServerEnvs),
    Row("controllerManager.extraArgs", ArgList, Setting::ControllerManagerArgs),
    Row("controllerManager.extraEnvs", ENV, Setting::ControllerManagerEnvs),
    Row("scheduler.extraArgs", ArgList, Setting::SchedulerArgs),
    Row("scheduler.extraEnvs", ENV, Setting::SchedulerEnvs),
    Row("etcd.local.extraArgs", ArgList, Setting::EtcdArgs),
    Row("etcd.local.extraEnvs", ENV, Setting::EtcdEnvs),
    Row("etcd.external.httpEndpoints", Texts, Setting::EtcdHttpEndpoints),
    Row("dns.disabled", Bool, Setting::DnsDisabled),
    Row("proxy.disabled", Bool, Setting::ProxyDisabled),
    Row("encryptionAlgorithm", Text, Setting::EncryptionAlgorithm),
    Row("certificateValidityPeriod", Duration, Setting::CertificateValidity),
    Row("caCertificateValidityPeriod", Duration, Setting::CaValidity),
];

const OWN_NODE: &[Row] = &[
    Row("dryRun", Bool, Setting::DryRun),
    Row("nodeRegistration.kubeletExtraArgs", ArgList, Setting::KubeletArgs),
    Row("nodeRegistration.imagePullPolicy", Text, Setting::ImagePullPolicy),
    Row("nodeRegistration.imagePullSerial", Bool, Setting::ImagePullSerial),
    Row("skipPhases", Texts, Setting::SkipPhases),
    Row("patches.directory", Text, Setting::PatchesDirectory),
];

const TIMEOUTS: &[Row] = &[
    Row("timeouts.controlPlaneComponentHealthCheck", Duration, Setting::ControlPlaneTimeout),
    Row("timeouts.kubeletHealthCheck", Duration, Setting::KubeletTimeout),
    Row("timeouts.kubernetesAPICall", Duration, Setting::ApiCallTimeout),
    Row("timeouts.etcdAPICall", Duration, Setting::EtcdCallTimeout),
    Row("timeouts.tlsBootstrap", Duration, Setting::TlsBootstrapTimeout),
    Row("timeouts.discovery", Duration, Setting::DiscoveryTimeout),
    Row("timeouts.upgradeManifests", Duration, Setting::UpgradeTimeout),
];

const RESET: &[Row] = &[
    Row("certificatesDir", Text, Setting::CertificatesDir),
    Row("cleanupTmpDir", Bool, Setting::CleanupTmpDir),
    Row("criSocket", Text, Setting::CriSocket),
    Row("dryRun", Bool, Setting::DryRun),
    Row("force", Bool, Setting::Force),
    Row("ignorePreflightErrors", Texts, Setting::IgnorePreflightErrors),
    Row("skipPhases", Texts, Setting::SkipPhases),
    Row("unmountFlags", Texts, Setting::UnmountFlags),
];

const APPLY: &[Row] = &[
    Row("apply.kubernetesVersion", Text, Setting::Apply(Upgrade::KubernetesVersion)),
    Row("apply.allowExperimentalUpgrades", Bool, Setting::Apply(Upgrade::Experimental)),
    Row("apply.allowRCUpgrades", Bool, Setting::Apply(Upgrade::ReleaseCandidates)),
    Row("apply.certificateRenewal", Bool, Setting::Apply(Upgrade::CertificateRenewal)),
    Row("apply.dryRun", Bool, Setting::Apply(Upgrade::DryRun)),
    Row("apply.etcdUpgrade", Bool, Setting::Apply(Upgrade::Etcd)),
    Row("apply.forceUpgrade", Bool, Setting::Apply(Upgrade::Force)),
    Row("apply.ignorePreflightErrors", Texts, Setting::Apply(Upgrade::IgnorePreflightErrors)),
    Row("apply.patches.directory", Text, Setting::Apply(Upgrade::Patches)),
    Row("apply.printConfig", Bool, Setting::Apply(Upgrade::PrintConfig)),
    Row("apply.skipPhases", Texts, Setting::Apply(Upgrade::SkipPhases)),
    Row("apply.imagePullPolicy", Text, Setting::Apply(Upgrade::ImagePullPolicy)),
    Row("apply.imagePullSerial", Bool, Setting::Apply(Upgrade::ImagePullSerial)),
];

const NODE_UPGRADE: &[Row] = &[
    Row("node.certificateRenewal", Bool, Setting::UpgradeNode(Upgrade::CertificateRenewal)),
    Row("node.dryRun", Bool, Setting::UpgradeNode(Upgrade::DryRun)),
    Row("node.etcdUpgrade", Bool, Setting::UpgradeNode(Upgrade::Etcd)),
    Row("node.ignorePreflightErrors", Texts, Setting::UpgradeNode(Upgrade::IgnorePreflightErrors)),
    Row("node.skipPhases", Texts, Setting::UpgradeNode(Upgrade::SkipPhases)),
    Row("node.patches.directory", Text, Setting::UpgradeNode(Upgrade::Patches)),
    Row("node.imagePullPolicy", Text, Setting::UpgradeNode(Upgrade::ImagePullPolicy)),
    Row("node.imagePullSerial", Bool, Setting::UpgradeNode(Upgrade::ImagePullSerial)),
];

const PLAN: &[Row] = &[
    Row("plan.kubernetesVersion", Text, Setting::Plan(Upgrade::KubernetesVersion)),
    Row("plan.allowExperimentalUpgrades", Bool, Setting::Plan(Upgrade::Experimental)),
    Row("plan.allowRCUpgrades", Bool, Setting::Plan(Upgrade::ReleaseCandidates)),
    Row("plan.dryRun", Bool, Setting::Plan(Upgrade::DryRun)),
    Row("plan.etcdUpgrade", Bool, Setting::Plan(Upgrade::Etcd)),
    Row("plan.ignorePreflightErrors", Texts, Setting::Plan(Upgrade::IgnorePreflightErrors)),
    Row("plan.printConfig", Bool, Setting::Plan(Upgrade::PrintConfig)),
];

const DIFF: &[Row] = &[
    Row("diff.kubernetesVersion", Text, Setting::Diff(Upgrade::KubernetesVersion)),
    Row("diff.contextLines", Number, Setting::Diff(Upgrade::ContextLines)),
];
