//! API servers, as phases see them: objects by reference, and who asks.
//!
//! Works on JSON underneath, so that one port serves every kind of object; phases use the typed k8s-openapi structs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{HostError, ObjectChange, Secret, Undo};
use crate::problem::Explain;

/// The port to API servers.
pub trait Cluster {
    /// One object; `None` when there is no such object.
    fn get(&self, identity: &Identity, object: &ObjectRef) -> Result<Option<Value>, ClusterError>;
    /// The objects of a kind, in one namespace or (with an empty one) in all; `query` narrows them, as in `labelSelector=a%3Db`.
    fn list(&self, identity: &Identity, of: &ObjectRef, query: &str) -> Result<Vec<Value>, ClusterError>;
    /// The same objects one after the other, as the server hands them out in parts: where there may be many, of which
    /// little is kept.
    fn each(
        &self,
        identity: &Identity,
        of: &ObjectRef,
        query: &str,
        take: &mut dyn FnMut(Value),
    ) -> Result<(), ClusterError> {
        self.list(identity, of, query).map(|found| found.into_iter().for_each(take))
    }
    /// Shows an object as it is and each time it changes, until `enough` says so or the time is over; nothing is shown where
    /// there is no such object. A port that cannot wait shows what is there.
    fn watch(
        &self,
        identity: &Identity,
        object: &ObjectRef,
        _within: Duration,
        enough: &mut dyn FnMut(Value) -> bool,
    ) -> Result<(), ClusterError> {
        if let Some(found) = self.get(identity, object)? {
            enough(found);
        }
        Ok(())
    }
    /// A plain GET of a path such as `/readyz`.
    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError>;
    /// Works out what would take a change back.
    fn prepare(&self, change: &ObjectChange) -> Result<Undo, ClusterError>;
    /// Makes a change.
    fn apply(&self, change: &ObjectChange) -> Result<(), ClusterError>;
}

/// Status and body of a plain request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    pub body: String,
    /// The server's clock, from its `Date` header, in seconds since 1970.
    pub server_time: Option<i64>,
}

/// Who asks an API server, and which.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The current context of a kubeconfig file.
    Kubeconfig(PathBuf),
    /// Somebody who holds a bootstrap token.
    Token {
        /// `https://host:port`.
        server: String,
        /// CA certificates in PEM.
        ca_pem: String,
        /// The token.
        token: HiddenToken,
    },
    /// Somebody who holds a client certificate that is in no file of ours.
    Certificate {
        /// `https://host:port`.
        server: String,
        /// CA certificates in PEM.
        ca_pem: String,
        /// The certificate in PEM.
        certificate: String,
        /// Its key in PEM.
        key: HiddenToken,
    },
    /// Nobody; the server is any on the internet, and verified with the CAs that this host trusts.
    Public {
        /// `https://host:port`.
        server: String,
    },
    /// Somebody who holds a client certificate in files: how external etcd is asked.
    CertificateFiles {
        /// `https://host:port`, or `http://…` for a server without TLS.
        server: String,
        /// File with CA certificates; empty for the host's own.
        ca: PathBuf,
        /// File with the client certificate; empty for none.
        certificate: PathBuf,
        /// File with its key; empty for none.
        key: PathBuf,
    },
    /// Nobody in particular; the server is verified with this CA, or not at all before the CA is known.
    Anonymous {
        /// `https://host:port`.
        server: String,
        /// CA certificates in PEM; `None`: any certificate is accepted and nothing that is answered may be trusted.
        ca_pem: Option<String>,
    },
}

/// A token or a key inside an identity; prints as `<hidden>`.
#[derive(Clone, PartialEq, Eq)]
pub struct HiddenToken(pub Secret<String>);

impl std::hash::Hash for HiddenToken {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.reveal().hash(state);
    }
}

impl fmt::Debug for HiddenToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

impl Identity {
    /// Who holds this bootstrap token.
    pub fn token(server: impl Into<String>, ca_pem: impl Into<String>, token: impl Into<String>) -> Self {
        Self::Token { server: server.into(), ca_pem: ca_pem.into(), token: HiddenToken(Secret::new(token.into())) }
    }
}

/// Names an object, or (with an empty name) a kind of objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Such as `v1` or `rbac.authorization.k8s.io/v1`.
    pub api_version: String,
    /// Such as `ConfigMap`.
    pub kind: String,
    /// Empty for objects of the cluster as a whole.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace; of the cluster as a whole when the namespace is empty.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The reference of an object as it would be sent.
    pub fn of(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// A request to an API server that failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No connection: refused, timed out, name not found, certificate not accepted.
    #[error("cannot reach the API server at {server}")]
    Unreachable {
        /// `https://host:port`.
        server: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The server answered with an error.
    #[error("the API server at {server} refuses to {action}")]
    Refused {
        /// `https://host:port`.
        server: String,
        /// Verb and object.
        action: String,
        /// HTTP status.
        status: u16,
        /// The server's words.
        source: std::io::Error,
    },
    /// The kubeconfig or the certificates for the connection cannot be used.
    #[error("cannot use {place} to talk to the cluster")]
    Credentials {
        /// The file, or what stands for it.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// What an object was before a change could not be kept beside the journal.
    #[error("cannot keep what {object} was before the change")]
    NotKept {
        /// Which.
        object: String,
        /// Why.
        source: HostError,
    },
}

impl ClusterError {
    /// HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The reason without the frame around it, for a live line.
    pub fn reason(&self) -> String {
        let mut text = match self {
            Self::Unreachable { source, .. } | Self::Refused { source, .. } | Self::Credentials { source, .. } => {
                source.to_string()
            }
            Self::NotKept { source, .. } => source.to_string(),
        };
        if let Some(end) = text.find('\n') {
            text.truncate(end);
        }
        text
    }
}

impl Explain for ClusterError {
    fn id(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "api-unreachable",
            Self::Refused { status: 403, .. } => "api-forbidden",
            Self::Refused { status: 401, .. } => "api-unauthorized",
            Self::Refused { status: 400 | 422, .. } => "api-invalid",
            Self::Refused { .. } => "api-refused",
            Self::Credentials { .. } => "api-credentials",
            Self::NotKept { source, .. } => source.id(),
        }
    }

    fn place(&self) -> Option<String> {
        match self {
            Self::Unreachable { server, .. } | Self::Refused { server, .. } => Some(server.clone()),
            Self::Credentials { place, .. } => Some(place.clone()),
            Self::NotKept { source, .. } => source.place(),
        }
    }

    fn fixes(&self) -> Vec<String> {
        match self {
            Self::Unreachable { server, .. } => {
                vec![format!("see whether it answers: curl -k {server}/livez, and check address, port and firewall")]
            }
            Self::Refused { status: 401 | 403, .. } => {
                vec!["use credentials that may do this: --kubeconfig /etc/kubernetes/admin.conf".to_owned()]
            }
            Self::Refused { .. } => {
                vec!["look at the API server's log: /var/log/pods/kube-system_kube-apiserver-*".to_owned()]
            }
            Self::Credentials { place, .. } => vec![format!("look at the file: {place}")],
            Self::NotKept { source, .. } => source.fixes(),
        }
    }
}
