//! Rows that stand in every version of the format at the same place with the same meaning.

use super::super::draft::Setting;
use super::table::Row;
use super::table::Shape::{self, Bool, Duration, Gates, Items, Number, Section, Text, Texts};

const TOKEN: Shape = Items(&[
    ("token", Text),
    ("description", Text),
    ("ttl", Duration),
    ("expires", Text),
    ("usages", Texts),
    ("groups", Texts),
]);

/// A core Taint.
const TAINT: Shape = Items(&[("key", Text), ("value", Text), ("effect", Text), ("timeAdded", Text)]);

const VOLUME: Shape =
    Items(&[("name", Text), ("hostPath", Text), ("mountPath", Text), ("readOnly", Bool), ("pathType", Text)]);

/// ClusterConfiguration.
pub(super) const CLUSTER: &[Row] = &[
    Row("kubernetesVersion", Text, Setting::KubernetesVersion),
    Row("controlPlaneEndpoint", Text, Setting::ControlPlaneEndpoint),
    Row("certificatesDir", Text, Setting::CertificatesDir),
    Row("imageRepository", Text, Setting::ImageRepository),
    Row("clusterName", Text, Setting::ClusterName),
    Row("featureGates", Gates, Setting::FeatureGates),
    Row("networking.serviceSubnet", Text, Setting::ServiceSubnet),
    Row("networking.podSubnet", Text, Setting::PodSubnet),
    Row("networking.dnsDomain", Text, Setting::DnsDomain),
    Row("etcd.local", Section, Setting::EtcdLocal),
    Row("etcd.local.imageRepository", Text, Setting::EtcdImageRepository),
    Row("etcd.local.imageTag", Text, Setting::EtcdImageTag),
    Row("etcd.local.dataDir", Text, Setting::EtcdDataDir),
    Row("etcd.local.serverCertSANs", Texts, Setting::EtcdServerSans),
    Row("etcd.local.peerCertSANs", Texts, Setting::EtcdPeerSans),
    Row("etcd.external", Section, Setting::EtcdExternal),
    Row("etcd.external.endpoints", Texts, Setting::EtcdEndpoints),
    Row("etcd.external.caFile", Text, Setting::EtcdCaFile),
    Row("etcd.external.certFile", Text, Setting::EtcdCertFile),
    Row("etcd.external.keyFile", Text, Setting::EtcdKeyFile),
    Row("apiServer.certSANs", Texts, Setting::ApiServerSans),
    Row("apiServer.extraVolumes", VOLUME, Setting::ApiServerVolumes),
    Row("controllerManager.extraVolumes", VOLUME, Setting::ControllerManagerVolumes),
    Row("scheduler.extraVolumes", VOLUME, Setting::SchedulerVolumes),
    Row("dns.imageRepository", Text, Setting::DnsImageRepository),
    Row("dns.imageTag", Text, Setting::DnsImageTag),
];

/// `nodeRegistration` of InitConfiguration and JoinConfiguration.
pub(super) const NODE: &[Row] = &[
    Row("nodeRegistration.name", Text, Setting::NodeName),
    Row("nodeRegistration.criSocket", Text, Setting::CriSocket),
    Row("nodeRegistration.taints", TAINT, Setting::Taints),
    Row("nodeRegistration.ignorePreflightErrors", Texts, Setting::IgnorePreflightErrors),
];

/// InitConfiguration.
pub(super) const INIT: &[Row] = &[
    Row("bootstrapTokens", TOKEN, Setting::BootstrapTokens),
    Row("localAPIEndpoint.advertiseAddress", Text, Setting::AdvertiseAddress),
    Row("localAPIEndpoint.bindPort", Number, Setting::BindPort),
    Row("certificateKey", Text, Setting::CertificateKey),
];

/// JoinConfiguration.
pub(super) const JOIN: &[Row] = &[
    Row("caCertPath", Text, Setting::CaCertPath),
    Row("discovery.bootstrapToken", Section, Setting::TokenDiscovery),
    Row("discovery.bootstrapToken.token", Text, Setting::DiscoveryToken),
    Row("discovery.bootstrapToken.apiServerEndpoint", Text, Setting::DiscoveryEndpoint),
    Row("discovery.bootstrapToken.caCertHashes", Texts, Setting::CaPins),
    Row("discovery.bootstrapToken.unsafeSkipCAVerification", Bool, Setting::UnsafeSkipCaVerification),
    Row("discovery.file", Section, Setting::FileDiscovery),
    Row("discovery.file.kubeConfigPath", Text, Setting::DiscoveryKubeconfig),
    Row("discovery.tlsBootstrapToken", Text, Setting::TlsBootstrapToken),
    Row("controlPlane", Section, Setting::ControlPlane),
    Row("controlPlane.localAPIEndpoint.advertiseAddress", Text, Setting::JoinAdvertiseAddress),
    Row("controlPlane.localAPIEndpoint.bindPort", Number, Setting::JoinBindPort),
    Row("controlPlane.certificateKey", Text, Setting::JoinCertificateKey),
];
