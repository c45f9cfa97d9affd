//! The two addons: cluster DNS and kube-proxy. Both go through the API server and are not waited for: they start once a
//! Pod network is there.

pub mod coredns;
pub mod kube_proxy;

use crate::config::Init;
use crate::plan::Step;

impl Step<Init> {
    /// CoreDNS and kube-proxy.
    pub const ADDON: Self = Self::Group {
        name: "addon",
        about: "cluster DNS and kube-proxy",
        steps: &[Self::Phase(&coredns::CoreDns), Self::Phase(&kube_proxy::KubeProxy)],
    };
}
