//! Draft: what has been said so far, each value with its origin.
//!
//! Later layers win: file, then flags. A draft is no configuration yet: nothing in it has been parsed or checked beyond
//! its shape. Every file format fills the same settings, so that no format knows another.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Everything that can be said about a cluster, a node or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Setting {
    // The cluster.
    KubernetesVersion,
    ControlPlaneEndpoint,
    CertificatesDir,
    ImageRepository,
    ClusterName,
    FeatureGates,
    UseHyperKubeImage,
    ServiceSubnet,
    PodSubnet,
    DnsDomain,
    EtcdLocal,
    EtcdImageRepository,
    EtcdImageTag,
    EtcdDataDir,
    EtcdArgs,
    EtcdEnvs,
    EtcdServerSans,
    EtcdPeerSans,
    EtcdExternal,
    EtcdEndpoints,
    EtcdHttpEndpoints,
    EtcdCaFile,
    EtcdCertFile,
    EtcdKeyFile,
    ApiServerArgs,
    ApiServerVolumes,
    ApiServerEnvs,
    ApiServerSans,
    ControllerManagerArgs,
    ControllerManagerVolumes,
    ControllerManagerEnvs,
    SchedulerArgs,
    SchedulerVolumes,
    SchedulerEnvs,
    DnsType,
    DnsImageRepository,
    DnsImageTag,
    DnsDisabled,
    ProxyDisabled,
    EncryptionAlgorithm,
    CertificateValidity,
    CaValidity,
    // The node.
    NodeName,
    CriSocket,
    Taints,
    KubeletArgs,
    IgnorePreflightErrors,
    ImagePullPolicy,
    ImagePullSerial,
    // One run of init.
    BootstrapTokens,
    AdvertiseAddress,
    BindPort,
    CertificateKey,
    DryRun,
    SkipPhases,
    PatchesDirectory,
    // Patience.
    ControlPlaneTimeout,
    KubeletTimeout,
    ApiCallTimeout,
    EtcdCallTimeout,
    TlsBootstrapTimeout,
    DiscoveryTimeout,
    UpgradeTimeout,
    // One run of join.
    CaCertPath,
    TokenDiscovery,
    DiscoveryToken,
    DiscoveryEndpoint,
    CaPins,
    UnsafeSkipCaVerification,
    FileDiscovery,
    DiscoveryKubeconfig,
    TlsBootstrapToken,
    ControlPlane,
    JoinCertificateKey,
    JoinAdvertiseAddress,
    JoinBindPort,
    // One run of reset.
    CleanupTmpDir,
    Force,
    UnmountFlags,
    // One run of upgrade, by its sub-command.
    Apply(Upgrade),
    UpgradeNode(Upgrade),
    Plan(Upgrade),
    Diff(Upgrade),
}

/// What can be said about a sub-command of `upgrade`; none of them takes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Upgrade {
    KubernetesVersion,
    Experimental,
    ReleaseCandidates,
    CertificateRenewal,
    DryRun,
    Etcd,
    Force,
    IgnorePreflightErrors,
    Patches,
    PrintConfig,
    SkipPhases,
    ImagePullPolicy,
    ImagePullSerial,
    ContextLines,
}

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag, or the argument in capital letters.
    Flag(&'static str),
    /// A field of a file or of a ConfigMap's text.
    Field {
        /// Path with dots.
        path: String,
        /// The file as given on the command line.
        file: String,
        /// Line of the field or of the nearest one around it.
        line: Option<usize>,
    },
    /// What this machine is.
    Host(&'static str),
    /// Nobody: kubeadm's default.
    Default,
}

impl Origin {
    /// How to say something else, as an order. A list is written as in YAML; flags take its items alone.
    pub(crate) fn order(&self, value: &str) -> String {
        match self {
            Self::Flag(flag) if flag.starts_with("--") => {
                let items = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                format!("{flag} {}", items.map_or_else(|| value.to_owned(), |items| items.replace(", ", ",")))
            }
            Self::Flag(argument) => format!("give {value} as {argument}"),
            Self::Field { path, file, .. } => format!("set {path} to {value} in {file}"),
            Self::Host(_) | Self::Default => value.to_owned(),
        }
    }

    /// A part of the value that was said, where the origin is a field.
    pub(crate) fn part(&self, part: &str) -> Self {
        match self {
            Self::Field { path, file, line } => {
                Self::Field { path: format!("{path}{part}"), file: file.clone(), line: *line }
            }
            other => other.clone(),
        }
    }

    /// The path of the field, where it is one.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Self::Field { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Where it was said; nothing for defaults.
    pub(crate) fn place(&self) -> Option<String> {
        (*self != Self::Default).then(|| self.to_string())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Field { path, file, line: Some(line) } => write!(f, "{path} in {file}, line {line}"),
            Self::Field { path, file, line: None } => write!(f, "{path} in {file}"),
            Self::Host(what) => write!(f, "{what} of this host"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value and who said it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    /// The value, in the shape that its row in the tables of `wire` has.
    pub(crate) value: Value,
    /// Who said it.
    pub(crate) origin: Origin,
}

/// What has been said so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Draft {
    said: BTreeMap<Setting, Said>,
}

impl Draft {
    /// Lays a value over what was said before.
    pub(crate) fn say(&mut self, key: Setting, value: impl Into<Value>, origin: Origin) {
        self.said.insert(key, Said { value: value.into(), origin });
    }

    /// Lays a value over, where the flag was given at all.
    pub(crate) fn say_flag(&mut self, key: Setting, flag: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.say(key, value, Origin::Flag(flag));
        }
    }

    /// Takes a value out, as if it had not been said.
    pub(crate) fn take(&mut self, key: Setting) -> Option<Said> {
        self.said.remove(&key)
    }

    /// Lays all of another draft over.
    pub(crate) fn lay_over(&mut self, other: Self) {
        self.said.extend(other.said);
    }

    /// Everything that was said.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Setting, &Said)> {
        self.said.iter().map(|(key, said)| (*key, said))
    }

    /// What was said, be it empty.
    pub(crate) fn get(&self, key: Setting) -> Option<&Said> {
        self.said.get(&key)
    }

    /// A text; an empty one counts as not said, as in Kubernetes' own types.
    pub(crate) fn text(&self, key: Setting) -> Option<(&str, &Origin)> {
        let said = self.get(key)?;
        said.value.as_str().filter(|text| !text.is_empty()).map(|text| (text, &said.origin))
    }

    /// A list of texts with their common origin; empty when nothing was said.
    pub(crate) fn texts(&self, key: Setting) -> (Vec<&str>, Origin) {
        match self.get(key) {
            Some(said) => {
                (said.value.as_array().into_iter().flatten().filter_map(Value::as_str).collect(), said.origin.clone())
            }
            None => (Vec::new(), Origin::Default),
        }
    }

    /// Whether this was said to be so.
    pub(crate) fn is_true(&self, key: Setting) -> bool {
        self.get(key).is_some_and(|said| said.value == Value::Bool(true))
    }

    /// Who said it, or nobody.
    pub(crate) fn origin(&self, key: Setting) -> Origin {
        self.get(key).map_or(Origin::Default, |said| said.origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_last_wins_and_keeps_its_origin() {
        let mut draft = Draft::default();
        let file = Origin::Field { path: "networking.podSubnet".into(), file: "cluster.yaml".into(), line: Some(7) };
        draft.say(Setting::PodSubnet, "10.0.0.0/16", file);
        assert_eq!(draft.origin(Setting::PodSubnet).to_string(), "networking.podSubnet in cluster.yaml, line 7");
        draft.say_flag(Setting::PodSubnet, "--pod-network-cidr", None::<String>);
        assert_eq!(draft.text(Setting::PodSubnet).map(|(text, _)| text), Some("10.0.0.0/16"));
        draft.say_flag(Setting::PodSubnet, "--pod-network-cidr", Some("10.1.0.0/16"));
        assert_eq!(draft.text(Setting::PodSubnet), Some(("10.1.0.0/16", &Origin::Flag("--pod-network-cidr"))));
    }
}
