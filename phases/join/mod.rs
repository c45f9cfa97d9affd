//! Joining a worker: the phases after discovery, and what is read from the cluster before.

mod resolve;
mod start;
mod tls_bootstrap;
mod wait_bootstrap;

pub(crate) use resolve::is_this_machine;
pub use resolve::read_cluster;
pub use start::KubeletStart;
pub use tls_bootstrap::TlsBootstrap;
pub use wait_bootstrap::KubeletWaitBootstrap;
