//! File formats: kubeadm.k8s.io v1beta2, v1beta3 and v1beta4, each a table of rows to and from the draft.
//!
//! Loading has two steps: read `apiVersion` and `kind`, then check the document against the rows of that kind. No version
//! knows another. `migrate` writes what was read in another version, `schema` says the tables for editors.

mod about;
mod blocks;
mod check;
mod encode;
mod load;
mod migrate;
mod schema;
mod source;
mod table;
mod v1beta2;
mod v1beta3;
mod v1beta4;

pub(crate) use encode::{ALGORITHMS, encode};
pub use encode::{documents_text, encode_cluster_config, encode_cluster_status};
pub(crate) use load::{Documents, Part, load, load_all};
pub use migrate::{MigrateOrder, Migrated, migrate};
pub use schema::schema;

use table::Version;

/// The versions that are read and written, oldest first.
pub(crate) static VERSIONS: [Version; 3] = [v1beta2::VERSION, v1beta3::VERSION, v1beta4::VERSION];

/// The placeholder in kubeadm 1.37: a copy of v1beta4 under another name, never written.
static EXPERIMENTAL: Version = Version { api: "kubeadm.k8s.io/v1", kinds: v1beta4::VERSION.kinds };

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
