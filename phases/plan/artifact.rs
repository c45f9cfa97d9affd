//! Artifacts: files that phases need and make, which is how phases talk to each other across invocations.

use std::path::PathBuf;

/// A file on the node that one phase makes and another needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artifact {
    /// What it is, for people: `the certificate of the Kubernetes CA`.
    pub what: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether whoever makes it makes a key pair for it.
    pub takes_key: bool,
}

impl Artifact {
    /// A file with its meaning.
    pub fn file(what: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { what: what.into(), path: path.into(), takes_key: false }
    }

    /// A file that holds a private key, which is made for it and takes a while.
    pub fn with_key(what: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { takes_key: true, ..Self::file(what, path) }
    }
}
