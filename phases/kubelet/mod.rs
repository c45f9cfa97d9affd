//! The kubelet of this node: its files, its unit, and in the end its own certificate.

pub mod config;
mod finalize;
mod start;

pub use finalize::use_rotated_certificate;
pub use start::{KubeletStart, run_kubelet, write_kubelet_files};
