//! cluster-info in kube-public: where the cluster is and its CA, signed with every token.
//!
//! Reads server and CA from the administrator's kubeconfig. The signatures are made here and written together with the
//! text, so that a node can join at once; the bootstrapsigner controller would make the same ones some seconds later.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use crate::config::{Init, TokenSpec};
use crate::discovery::jws;
use crate::kubeconfig;
use crate::objects;
use crate::problem::Problem;
use crate::world::{Identity, World};

const RBAC: &str = include_str!("../../templates/rbac/cluster-info.yaml");

/// Writes cluster-info with its signatures and lets everybody read it.
///
/// # Errors
/// When the kubeconfig cannot be read; when the API server cannot be asked or refuses.
pub fn put_cluster_info(job: &Init, world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    let admin = kubeconfig::cluster_of(world.host(), &job.kubeconfig)?;
    let text = kubeconfig::cluster_info(&admin.server, &admin.ca_pem, &job.cluster.release);
    let found: Option<ConfigMap> = objects::get(world, identity, "kube-public", "cluster-info")?;
    let data = signed(text, &job.tokens, found.and_then(|found| found.data).unwrap_or_default());
    objects::put(world, identity, &objects::config_map("kube-public", "cluster-info", data))?;
    objects::put_all(world, identity, RBAC)?;
    Ok(())
}

/// The text with a signature of each token that may sign. Signatures with other tokens are kept while the text is the
/// same; those of another text prove nothing any more.
fn signed(text: String, tokens: &[TokenSpec], found: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut data = if found.get("kubeconfig") == Some(&text) { found } else { BTreeMap::new() };
    for spec in tokens.iter().filter(|spec| spec.usages.iter().any(|usage| usage == "signing")) {
        data.insert(jws::data_key(&spec.token), jws::sign(&text, &spec.token));
    }
    data.insert("kubeconfig".to_owned(), text);
    data
}
