//! What each setting is about, in one line: editors show it beside a field, and messages name what a version cannot say.

use crate::config::draft::{Setting, Upgrade};

/// What a setting is about, without a full stop.
pub(super) fn setting(setting: Setting) -> &'static str {
    use Setting::{Apply, Diff, Plan, UpgradeNode};
    match setting {
        Setting::KubernetesVersion => "release of the control plane, such as v1.20.2, or a label such as stable-1",
        Setting::ControlPlaneEndpoint => "stable address of all API servers, as host or host:port",
        Setting::CertificatesDir => "folder of the certificates; /etc/kubernetes/pki by default",
        Setting::ImageRepository => "registry and path of all images",
        Setting::ClusterName => "name of the cluster; kubernetes by default",
        Setting::FeatureGates => "kubeadm's own feature gates",
        Setting::UseHyperKubeImage => "one image for all components; no release here has it",
        Setting::ServiceSubnet => "network of Services, or one of each family; 10.96.0.0/12 by default",
        Setting::PodSubnet => "network of Pods, or one of each family",
        Setting::DnsDomain => "DNS domain of Services; cluster.local by default",
        Setting::EtcdLocal => "an etcd member on each control-plane node",
        Setting::EtcdImageRepository => "registry and path of etcd's image, where it differs",
        Setting::EtcdImageTag => "tag of etcd's image, where it differs",
        Setting::EtcdDataDir => "etcd's data folder; /var/lib/etcd by default",
        Setting::EtcdArgs => "additional flags of etcd, without dashes",
        Setting::EtcdEnvs => "additional environment of etcd",
        Setting::EtcdServerSans => "additional names in etcd's server certificate",
        Setting::EtcdPeerSans => "additional names in etcd's peer certificate",
        Setting::EtcdExternal => "an etcd that somebody else runs",
        Setting::EtcdEndpoints => "URLs of the external etcd",
        Setting::EtcdHttpEndpoints => "URLs of the external etcd for HTTP; its endpoints by default (from 1.35 on)",
        Setting::EtcdCaFile => "CA certificate of the external etcd",
        Setting::EtcdCertFile => "client certificate for the external etcd",
        Setting::EtcdKeyFile => "key of the client certificate for the external etcd",
        Setting::ApiServerArgs => "additional flags of kube-apiserver, without dashes",
        Setting::ApiServerVolumes => "host paths mounted into kube-apiserver",
        Setting::ApiServerEnvs => "additional environment of kube-apiserver",
        Setting::ApiServerSans => "additional names in the API server's certificate",
        Setting::ControllerManagerArgs => "additional flags of kube-controller-manager, without dashes",
        Setting::ControllerManagerVolumes => "host paths mounted into kube-controller-manager",
        Setting::ControllerManagerEnvs => "additional environment of kube-controller-manager",
        Setting::SchedulerArgs => "additional flags of kube-scheduler, without dashes",
        Setting::SchedulerVolumes => "host paths mounted into kube-scheduler",
        Setting::SchedulerEnvs => "additional environment of kube-scheduler",
        Setting::DnsType => "which DNS server runs in the cluster",
        Setting::DnsImageRepository => "registry and path of CoreDNS's image, where it differs",
        Setting::DnsImageTag => "tag of CoreDNS's image, where it differs",
        Setting::DnsDisabled => "whether CoreDNS is left out",
        Setting::ProxyDisabled => "whether kube-proxy is left out",
        Setting::EncryptionAlgorithm => "kind of the key pairs of certificates",
        Setting::CertificateValidity => "validity of certificates that are not of a CA; 8760h0m0s by default",
        Setting::CaValidity => "validity of CA certificates; 87600h0m0s by default",
        Setting::NodeName => "name of the Node; the host's name by default",
        Setting::CriSocket => "socket of the container runtime; detected by default",
        Setting::Taints => "taints of the Node; an empty list for none, null for those of its role",
        Setting::KubeletArgs => "additional flags of the kubelet, without dashes",
        Setting::IgnorePreflightErrors => "preflight checks that only warn; all for all of them",
        Setting::ImagePullPolicy => "when images are pulled; IfNotPresent by default",
        Setting::ImagePullSerial => "whether images are pulled one after the other; true by default",
        Setting::BootstrapTokens => "bootstrap tokens to make",
        Setting::AdvertiseAddress | Setting::JoinAdvertiseAddress => {
            "address that the API server of this node tells others; that of the default route by default"
        }
        Setting::BindPort | Setting::JoinBindPort => "port of the API server of this node; 6443 by default",
        Setting::CertificateKey | Setting::JoinCertificateKey => "key that seals uploaded certificates: 64 hex digits",
        Setting::DryRun => "whether nothing is changed",
        Setting::SkipPhases => "phases to leave out",
        Setting::PatchesDirectory => "folder with patches of manifests",
        Setting::ControlPlaneTimeout => "patience with the control plane; 4m0s by default",
        Setting::KubeletTimeout => "patience with the kubelet; 4m0s by default",
        Setting::ApiCallTimeout => "patience with a call of an API server; 1m0s by default",
        Setting::EtcdCallTimeout => "patience with a call of etcd; 2m0s by default",
        Setting::TlsBootstrapTimeout => "patience with the kubelet's certificate; 5m0s by default",
        Setting::DiscoveryTimeout => "patience with discovery; 5m0s by default",
        Setting::UpgradeTimeout => "patience with static Pods in an upgrade; 5m0s by default",
        Setting::CaCertPath => "where the cluster's CA certificate goes; /etc/kubernetes/pki/ca.crt by default",
        Setting::TokenDiscovery => "discovery by a bootstrap token",
        Setting::DiscoveryToken => "bootstrap token that signs the cluster-info",
        Setting::DiscoveryEndpoint => "API server to ask first, as host:port",
        Setting::CaPins => "hashes of public keys one of which the cluster's CA has, as sha256:…",
        Setting::UnsafeSkipCaVerification => "whether any CA is believed",
        Setting::FileDiscovery => "discovery by a file",
        Setting::DiscoveryKubeconfig => "kubeconfig with the cluster's address and CA: a path, or an https URL",
        Setting::TlsBootstrapToken => "bootstrap token that asks for the kubelet's certificate",
        Setting::ControlPlane => "makes this node a control-plane node",
        Setting::CleanupTmpDir => "whether /etc/kubernetes/tmp is removed",
        Setting::Force => "whether no question is asked",
        Setting::UnmountFlags => "flags of unmounting below /var/lib/kubelet",
        Apply(part) | UpgradeNode(part) | Plan(part) | Diff(part) => upgrade(part),
    }
}

fn upgrade(part: Upgrade) -> &'static str {
    match part {
        Upgrade::KubernetesVersion => "release to upgrade to",
        Upgrade::Experimental => "whether alpha and beta releases may be chosen",
        Upgrade::ReleaseCandidates => "whether release candidates may be chosen",
        Upgrade::CertificateRenewal => "whether certificates are renewed; true by default",
        Upgrade::DryRun => "whether nothing is changed",
        Upgrade::Etcd => "whether etcd is upgraded; true by default",
        Upgrade::Force => "whether it goes on where requirements are not met, without a question",
        Upgrade::IgnorePreflightErrors => "preflight checks that only warn; all for all of them",
        Upgrade::Patches => "folder with patches of manifests",
        Upgrade::PrintConfig => "whether the configuration is printed",
        Upgrade::SkipPhases => "phases to leave out",
        Upgrade::ImagePullPolicy => "when images are pulled; IfNotPresent by default",
        Upgrade::ImagePullSerial => "whether images are pulled one after the other; true by default",
        Upgrade::ContextLines => "lines around a difference",
    }
}

/// The words that a setting takes, where there are few.
pub(super) fn words(setting: Setting) -> Option<&'static [&'static str]> {
    match setting {
        Setting::ImagePullPolicy
        | Setting::Apply(Upgrade::ImagePullPolicy)
        | Setting::UpgradeNode(Upgrade::ImagePullPolicy) => Some(&["", "Always", "IfNotPresent", "Never"]),
        Setting::EncryptionAlgorithm => Some(&["", "RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"]),
        Setting::DnsType => Some(&["", "CoreDNS", "kube-dns"]),
        Setting::UnmountFlags => Some(&["MNT_FORCE", "MNT_DETACH", "MNT_EXPIRE", "UMOUNT_NOFOLLOW"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::wire::ALGORITHMS;

    #[test]
    fn the_schema_knows_the_algorithms_that_are_served() {
        let served: Vec<&str> = std::iter::once("").chain(ALGORITHMS.map(|(name, _)| name)).collect();
        assert_eq!(words(Setting::EncryptionAlgorithm), Some(served.as_slice()));
    }
}
