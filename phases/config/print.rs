//! Default configurations as documents, to begin a file with: what kubeadm's `config print` shows for a release.
//!
//! Says nothing about this machine: name, address and token are examples, as in kubeadm.

use serde_json::{Value, json};

use super::draft::{Draft, Origin, Setting, Upgrade};
use super::resolve::{NoEntropy, nowhere, resolve_init};
use super::wire::{VERSIONS, encode};
use super::{InitFlags, Release};
use crate::problem::Problem;
use crate::world::Clock;

/// Which command's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultsOf {
    /// `init`: InitConfiguration and ClusterConfiguration.
    Init,
    /// `join`: JoinConfiguration.
    Join,
    /// `reset`: ResetConfiguration.
    Reset,
    /// `upgrade`: UpgradeConfiguration.
    Upgrade,
}

/// The configuration of a component that can be shown too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentConfig {
    /// KubeletConfiguration.
    Kubelet,
    /// KubeProxyConfiguration.
    KubeProxy,
}

/// A command's default configuration in the version of the format that the release writes. Kinds that this version does
/// not have yet are in the newest.
///
/// # Errors
/// When the release is not served.
pub fn default_documents(
    of: DefaultsOf,
    release: &Release,
    components: &[ComponentConfig],
) -> Result<Vec<Value>, Problem> {
    let kinds: &[&str] = match of {
        DefaultsOf::Init => &["InitConfiguration", "ClusterConfiguration"],
        DefaultsOf::Join => &["JoinConfiguration"],
        DefaultsOf::Reset => &["ResetConfiguration"],
        DefaultsOf::Upgrade => &["UpgradeConfiguration"],
    };
    let flags = InitFlags { kubernetes_version: Some(release.to_string()), ..InitFlags::default() };
    let cluster = resolve_init(&flags, &nowhere(), Clock(0), &NoEntropy)?.cluster;
    let draft = defaults(release, of);
    let own = kinds.iter().map(|name| {
        let mut able = VERSIONS.iter().filter(|version| version.kind(name).is_some());
        let version = able.clone().find(|version| version.api == release.config_api()).or_else(|| able.next_back());
        let version = version.expect("the newest version has every kind");
        encode(version, version.kind(name).expect("it was chosen for having the kind"), &draft)
    });
    let mut documents: Vec<Value> = own.collect();
    documents.extend(components.iter().map(|component| match component {
        ComponentConfig::Kubelet => Value::Object(cluster.kubelet.clone()),
        ComponentConfig::KubeProxy => Value::Object(cluster.kube_proxy.clone()),
    }));
    Ok(documents)
}

/// Everything that has a default, in every version; each kind takes what it can say.
fn defaults(release: &Release, of: DefaultsOf) -> Draft {
    const TOKEN: &str = "abcdef.0123456789abcdef";
    let mut draft = Draft::default();
    let mut say = |key, value: Value| draft.say(key, value, Origin::Default);
    for (key, text) in [
        (Setting::AdvertiseAddress, "1.2.3.4"),
        (Setting::ApiCallTimeout, "1m0s"),
        (Setting::CaCertPath, "/etc/kubernetes/pki/ca.crt"),
        (Setting::CaValidity, "87600h0m0s"),
        (Setting::CertificateValidity, "8760h0m0s"),
        (Setting::CertificatesDir, "/etc/kubernetes/pki"),
        (Setting::ClusterName, "kubernetes"),
        (Setting::ControlPlaneTimeout, "4m0s"),
        (Setting::CriSocket, release.cri_sockets()[0]),
        (Setting::DiscoveryEndpoint, "kube-apiserver:6443"),
        (Setting::DiscoveryTimeout, "5m0s"),
        (Setting::DiscoveryToken, TOKEN),
        (Setting::DnsDomain, "cluster.local"),
        (Setting::DnsType, "CoreDNS"),
        (Setting::EncryptionAlgorithm, "RSA-2048"),
        (Setting::EtcdCallTimeout, "2m0s"),
        (Setting::EtcdDataDir, "/var/lib/etcd"),
        (Setting::ImagePullPolicy, "IfNotPresent"),
        (Setting::ImageRepository, release.image_repository()),
        (Setting::KubeletTimeout, "4m0s"),
        (Setting::KubernetesVersion, &release.to_string()),
        (Setting::NodeName, "node"),
        (Setting::ServiceSubnet, "10.96.0.0/12"),
        (Setting::TlsBootstrapTimeout, "5m0s"),
        (Setting::TlsBootstrapToken, TOKEN),
        (Setting::UpgradeTimeout, "5m0s"),
        (Setting::Apply(Upgrade::ImagePullPolicy), "IfNotPresent"),
        (Setting::UpgradeNode(Upgrade::ImagePullPolicy), "IfNotPresent"),
    ] {
        say(key, json!(text));
    }
    for key in [
        Setting::EtcdLocal,
        Setting::ImagePullSerial,
        Setting::TokenDiscovery,
        Setting::UnsafeSkipCaVerification,
        Setting::Apply(Upgrade::CertificateRenewal),
        Setting::Apply(Upgrade::Etcd),
        Setting::Apply(Upgrade::ImagePullSerial),
        Setting::UpgradeNode(Upgrade::CertificateRenewal),
        Setting::UpgradeNode(Upgrade::Etcd),
        Setting::UpgradeNode(Upgrade::ImagePullSerial),
        Setting::Plan(Upgrade::Etcd),
    ] {
        say(key, json!(true));
    }
    say(Setting::BindPort, json!(6443));
    let token = json!({
        "token": TOKEN, "ttl": "24h0m0s", "usages": ["signing", "authentication"],
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
    });
    say(Setting::BootstrapTokens, json!([token]));
    // From v1beta3 on kubeadm leaves the role's taints open here.
    let taint = |key: &&str| json!({"key": key, "effect": "NoSchedule"});
    let says_taints = of == DefaultsOf::Init && release.config_api() == VERSIONS[0].api;
    let taints = says_taints.then(|| release.control_plane_taints().iter().map(taint).collect::<Vec<_>>());
    say(Setting::Taints, json!(taints));
    draft
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
