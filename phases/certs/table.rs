//! The table of certificates: ten rows, each a phase, with name, subject, usage and signer.
//!
//! Decides what each certificate says for a job; reads and writes nothing.

use super::found::Ca;
use super::issue::{Leaf, Names, Usage};
use crate::config::{Etcd, OnControlPlane, Release};

/// One certificate with its key: a phase of the group `certs`.
pub struct CertSpec {
    /// Name of the phase.
    pub name: &'static str,
    /// Its one line.
    pub about: &'static str,
    /// Its files below the certificate folder, without ending.
    pub file: &'static str,
    /// The CA that signs it, or that it is.
    pub ca: Ca,
    /// What it says; `None` for a CA's own certificate.
    subject: Option<Subject>,
}

/// What a leaf certificate says, where that depends on the job.
struct Subject {
    common_name: fn(&dyn OnControlPlane) -> String,
    organization: fn(&Release) -> Option<&'static str>,
    usage: Usage,
    names: fn(&dyn OnControlPlane) -> Vec<String>,
}

impl Subject {
    fn leaf(&self, job: &dyn OnControlPlane) -> Leaf {
        Leaf {
            common_name: (self.common_name)(job),
            organization: (self.organization)(&job.cluster().release).map(str::to_owned),
            usage: self.usage,
            names: Names::of((self.names)(job)),
        }
    }
}

impl CertSpec {
    /// Whether it is a CA's own.
    pub(super) fn is_authority(&self) -> bool {
        self.subject.is_none()
    }

    /// The whole request for a job; `None` for a CA's own certificate.
    pub(super) fn leaf(&self, job: &dyn OnControlPlane) -> Option<Leaf> {
        self.subject.as_ref().map(|subject| subject.leaf(job))
    }

    const fn authority(name: &'static str, ca: Ca, file: &'static str, about: &'static str) -> Self {
        Self { name, about, file, ca, subject: None }
    }
}

/// The leaf certificates, in the order in which they are made.
pub static LEAVES: [&CertSpec; 7] = [
    &APISERVER,
    &APISERVER_KUBELET_CLIENT,
    &FRONT_PROXY_CLIENT,
    &ETCD_SERVER,
    &ETCD_PEER,
    &ETCD_HEALTHCHECK_CLIENT,
    &APISERVER_ETCD_CLIENT,
];

/// The CA of the cluster.
pub static CA: CertSpec =
    CertSpec::authority("ca", Ca::Kubernetes, "ca", "the Kubernetes CA, which all components trust");

/// What the API server shows its clients.
pub static APISERVER: CertSpec = CertSpec {
    name: "apiserver",
    about: "the certificate with which the API server serves",
    file: "apiserver",
    ca: Ca::Kubernetes,
    subject: Some(Subject {
        common_name: |_| "kube-apiserver".to_owned(),
        organization: |_| None,
        usage: Usage::Server,
        names: api_server_names,
    }),
};

/// What the API server shows kubelets.
pub static APISERVER_KUBELET_CLIENT: CertSpec = CertSpec {
    name: "apiserver-kubelet-client",
    about: "the certificate with which the API server talks to kubelets",
    file: "apiserver-kubelet-client",
    ca: Ca::Kubernetes,
    subject: Some(Subject {
        common_name: |_| "kube-apiserver-kubelet-client".to_owned(),
        organization: Release::kubelet_client_organization,
        usage: Usage::Client,
        names: |_| Vec::new(),
    }),
};

/// The CA of the aggregation layer.
pub static FRONT_PROXY_CA: CertSpec = CertSpec::authority(
    "front-proxy-ca",
    Ca::FrontProxy,
    "front-proxy-ca",
    "the front-proxy CA, which extension API servers trust",
);

/// What the API server shows extension API servers.
pub static FRONT_PROXY_CLIENT: CertSpec = CertSpec {
    name: "front-proxy-client",
    about: "the certificate with which the API server talks to extension API servers",
    file: "front-proxy-client",
    ca: Ca::FrontProxy,
    subject: Some(Subject {
        common_name: |_| "front-proxy-client".to_owned(),
        organization: |_| None,
        usage: Usage::Client,
        names: |_| Vec::new(),
    }),
};

/// The CA of etcd.
pub static ETCD_CA: CertSpec =
    CertSpec::authority("etcd-ca", Ca::Etcd, "etcd/ca", "the etcd CA, which etcd's members and clients trust");

/// What an etcd member shows its clients.
pub static ETCD_SERVER: CertSpec = CertSpec {
    name: "etcd-server",
    about: "the certificate with which etcd serves",
    file: "etcd/server",
    ca: Ca::Etcd,
    subject: Some(Subject {
        common_name: |job| job.node().name.to_string(),
        organization: |_| None,
        usage: Usage::ServerAndClient,
        names: |job| etcd_names(job, |etcd| &etcd.server_cert_sans),
    }),
};

/// What an etcd member shows other members.
pub static ETCD_PEER: CertSpec = CertSpec {
    name: "etcd-peer",
    about: "the certificate with which etcd's members talk to each other",
    file: "etcd/peer",
    ca: Ca::Etcd,
    subject: Some(Subject {
        common_name: |job| job.node().name.to_string(),
        organization: |_| None,
        usage: Usage::ServerAndClient,
        names: |job| etcd_names(job, |etcd| &etcd.peer_cert_sans),
    }),
};

/// What those who look after etcd show it.
pub static ETCD_HEALTHCHECK_CLIENT: CertSpec = CertSpec {
    name: "etcd-healthcheck-client",
    about: "the certificate with which etcd is looked after",
    file: "etcd/healthcheck-client",
    ca: Ca::Etcd,
    subject: Some(Subject {
        common_name: |_| "kube-etcd-healthcheck-client".to_owned(),
        organization: Release::etcd_client_organization,
        usage: Usage::Client,
        names: |_| Vec::new(),
    }),
};

/// What the API server shows etcd.
pub static APISERVER_ETCD_CLIENT: CertSpec = CertSpec {
    name: "apiserver-etcd-client",
    about: "the certificate with which the API server talks to etcd",
    file: "apiserver-etcd-client",
    ca: Ca::Etcd,
    subject: Some(Subject {
        common_name: |_| "kube-apiserver-etcd-client".to_owned(),
        organization: Release::etcd_client_organization,
        usage: Usage::Client,
        names: |_| Vec::new(),
    }),
};

fn api_server_names(job: &dyn OnControlPlane) -> Vec<String> {
    let cluster = job.cluster();
    let mut names = vec![
        job.node().name.to_string(),
        "kubernetes".to_owned(),
        "kubernetes.default".to_owned(),
        "kubernetes.default.svc".to_owned(),
        format!("kubernetes.default.svc.{}", cluster.networking.dns_domain),
        cluster.networking.api_service_address().to_string(),
        job.endpoint().address.to_string(),
    ];
    names.extend(cluster.control_plane_endpoint.iter().map(|stable| stable.host().to_owned()));
    names.extend(cluster.api_server_cert_sans.iter().cloned());
    names
}

fn etcd_names(job: &dyn OnControlPlane, extra: fn(&crate::config::LocalEtcd) -> &Vec<String>) -> Vec<String> {
    let address = job.endpoint().address.to_string();
    let mut names =
        vec![job.node().name.to_string(), "localhost".to_owned(), address, "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Etcd::Local(etcd) = &job.cluster().etcd {
        names.extend(extra(etcd).iter().cloned());
    }
    names
}
