//! The cluster as it has stored itself: from the texts of its ConfigMaps to its configuration.

use serde_json::Map;

use super::cluster::build;
use super::defaults::check_range;
use super::wire;
use crate::config::draft::Setting;
use crate::config::findings::Findings;
use crate::config::{ClusterConfig, component};
use crate::problem::{Exit, Problem};
use crate::releases::DEFAULT;

/// The cluster's own configuration, from the texts of its ConfigMaps: `kubeadm-config` key `ClusterConfiguration`, the
/// kubelet's key `kubelet`, `kube-proxy` key `config.conf` where there is one. Unknown fields are passed over, since
/// another release's kubeadm may have written them. `{}` as the kubelet's text gives kubeadm's own choices.
///
/// # Errors
/// One problem `cluster-config-invalid` with a finding per mistake.
pub fn cluster_from_config_maps(
    kubeadm_config: &str,
    kubelet: &str,
    kube_proxy: Option<&str>,
) -> Result<ClusterConfig, Problem> {
    let findings = &mut Findings::default();
    let kind = "ClusterConfiguration";
    let documents = wire::load(kubeadm_config, "ConfigMap kube-system/kubeadm-config", &[kind], false, findings);
    let missing = |what: &str, config_map: &str| {
        Problem::new("cluster-config-missing", format!("the cluster's {what} cannot be read"))
            .at(format!("ConfigMap kube-system/{config_map}"))
            .why(format!("its text holds no {what}"))
            .fix(format!("look at it: kubectl -n kube-system get configmap {config_map} -o yaml"))
    };
    if findings.is_empty() && !documents.kinds.iter().any(|seen| seen == kind) {
        findings.add(missing(kind, "kubeadm-config"));
    }
    let draft = documents.draft;
    let release = match draft.text(Setting::KubernetesVersion) {
        Some((text, origin)) => {
            let what = ("config-bad-version", "the cluster's Kubernetes version cannot be used");
            let release = findings.keep(text.parse(), what, origin, &DEFAULT.to_string()).unwrap_or(DEFAULT);
            check_range(&release, origin, findings);
            release
        }
        None => {
            findings.add(missing("kubernetesVersion", "kubeadm-config"));
            DEFAULT
        }
    };
    // Who only wants to know the release has no text of the kubelet's yet.
    let kubelet = match kubelet.trim() {
        "{}" => Some(Map::new()),
        text => wire::load(text, "the kubelet's ConfigMap in kube-system", &[], false, findings).kubelet,
    };
    if kubelet.is_none() {
        findings.add(missing("KubeletConfiguration", &release.kubelet_config_map()));
    }
    let kube_proxy = kube_proxy
        .and_then(|text| wire::load(text, "ConfigMap kube-system/kube-proxy", &[], false, findings).kube_proxy);
    let mut cluster = build(&draft, release, None, findings);
    let mut kubelet = kubelet.unwrap_or_default();
    component::fill_kubelet(&mut kubelet, &cluster);
    cluster.kubelet = kubelet;
    cluster.kube_proxy = kube_proxy.unwrap_or_default();
    let (id, what) = ("cluster-config-invalid", "the configuration that the cluster has stored cannot be used");
    std::mem::take(findings).finish(Some(cluster), id, what).map_err(|problem| problem.exit(Exit::Failed))
}
