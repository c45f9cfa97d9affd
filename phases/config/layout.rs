//! Layout: every path on a node, in one place.

use std::path::{Path, PathBuf};

/// The paths of a node. The folders of certificates and kubeconfigs can be moved; the others are kubeadm's and fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    certificates: PathBuf,
    kubeconfigs: PathBuf,
}

impl Layout {
    /// Home of everything that Kubernetes reads on a control-plane node, and of the kubeconfigs.
    pub const ETC: &'static str = "/etc/kubernetes";
    /// kubeadm's certificate folder.
    pub const CERTIFICATES: &'static str = "/etc/kubernetes/pki";
    /// Where the kubelet and kube-controller-manager look for volume drivers.
    pub const FLEX_VOLUMES: &'static str = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec";
    /// Where our own state lies.
    pub const STATE: &'static str = "/var/lib/kubestrap";

    /// The layout with this certificate folder.
    pub fn new(certificates: impl Into<PathBuf>) -> Self {
        Self { certificates: certificates.into(), kubeconfigs: PathBuf::from(Self::ETC) }
    }

    /// The same with the kubeconfigs in another folder, as for `--kubeconfig-dir`.
    #[must_use]
    pub fn with_kubeconfigs(self, folder: impl Into<PathBuf>) -> Self {
        Self { kubeconfigs: folder.into(), ..self }
    }

    /// Certificate folder.
    pub fn certificates(&self) -> &Path {
        &self.certificates
    }

    /// A file below the certificate folder, such as `etcd/ca.crt`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.certificates.join(name)
    }

    /// `/etc/kubernetes`.
    pub fn etc(&self) -> &'static Path {
        Path::new(Self::ETC)
    }

    /// A kubeconfig by file name, such as `admin.conf`.
    pub fn kubeconfig(&self, file: &str) -> PathBuf {
        self.kubeconfigs.join(file)
    }

    /// Folder of the kubeconfigs.
    pub fn kubeconfigs(&self) -> &Path {
        &self.kubeconfigs
    }

    /// Folder of the static Pods' manifests.
    pub fn manifests(&self) -> PathBuf {
        self.etc().join("manifests")
    }

    /// Manifest of a component.
    pub fn manifest(&self, component: &str) -> PathBuf {
        self.manifests().join(format!("{component}.yaml"))
    }

    /// kubelet's folder.
    pub fn kubelet(&self) -> &'static Path {
        Path::new("/var/lib/kubelet")
    }

    /// KubeletConfiguration.
    pub fn kubelet_config(&self) -> PathBuf {
        self.kubelet().join("config.yaml")
    }

    /// Where kubeadm keeps backups and writes its dry runs.
    pub fn tmp(&self) -> PathBuf {
        self.etc().join("tmp")
    }

    /// Flags that the unit reads.
    pub fn kubelet_flags(&self) -> PathBuf {
        self.kubelet().join("kubeadm-flags.env")
    }

    /// What is true for this node's kubelet only: its CRI socket.
    pub fn kubelet_instance_config(&self) -> PathBuf {
        self.kubelet().join("instance-config.yaml")
    }

    /// Folders that the kubelet makes outside its own when it starts. Made beforehand, so that it is known whose they are.
    pub fn kubelet_folders_elsewhere(&self) -> [&'static Path; 3] {
        [Path::new(Self::FLEX_VOLUMES), Path::new("/var/log/pods"), Path::new("/var/log/containers")]
    }

    /// Link to the kubelet's newest client certificate.
    pub fn kubelet_client_certificate(&self) -> PathBuf {
        self.kubelet().join("pki/kubelet-client-current.pem")
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::new(Self::CERTIFICATES)
    }
}
