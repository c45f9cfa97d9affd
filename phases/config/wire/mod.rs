//! File formats: kubeadm.k8s.io v1beta2, v1beta3 and v1beta4, each a table of rows to and from the draft.
//!
//! Loading has two steps: read `apiVersion` and `kind`, then check the document against the rows of that kind. No version
//! knows another.

mod blocks;
mod check;
mod encode;
mod load;
mod source;
mod table;
mod v1beta2;
mod v1beta3;
mod v1beta4;

pub(crate) use encode::ALGORITHMS;
pub use encode::{encode_cluster_config, encode_cluster_status};
pub(crate) use load::{Documents, load};

use table::Version;

/// The versions that are read and written, oldest first.
static VERSIONS: [Version; 3] = [v1beta2::VERSION, v1beta3::VERSION, v1beta4::VERSION];

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
