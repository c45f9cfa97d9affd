//! The cluster ports for real: API servers over kube's client, and etcd over tonic.

mod client;
mod etcd;
mod etcd_api;
mod kube;
mod paths;

pub(crate) use etcd::EtcdServers;
pub(crate) use kube::ApiServers;
