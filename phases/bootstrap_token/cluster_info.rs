//! cluster-info in kube-public: where the cluster is and its CA, signed with every token.
//!
//! Reads server and CA from the administrator's kubeconfig. The signatures are made here and written together with the
//! text, so that a node can join at once; the bootstrapsigner controller would make the same ones some seconds later.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use crate::config::{Init, Release, TokenSpec};
use crate::discovery::jws;
use crate::objects;
use crate::problem::Problem;
use crate::world::{Identity, World};
use crate::yaml;

const RBAC: &str = include_str!("../../templates/rbac/cluster-info.yaml");

/// Writes cluster-info with its signatures and lets everybody read it.
///
/// # Errors
/// When the kubeconfig cannot be read; when the API server cannot be asked or refuses.
pub fn put_cluster_info(job: &Init, world: &World<'_>, identity: &Identity) -> Result<(), Problem> {
    let (server, ca_data) = cluster_of(world, &job.kubeconfig)?;
    let text = cluster_info_text(&job.cluster.release, &server, &ca_data);
    let found: Option<ConfigMap> = objects::get(world, identity, "kube-public", "cluster-info")?;
    let data = signed(text, &job.tokens, found.and_then(|found| found.data).unwrap_or_default());
    objects::put(world, identity, &objects::config_map("kube-public", "cluster-info", data))?;
    objects::put_all(world, identity, RBAC)?;
    Ok(())
}

/// The kubeconfig in cluster-info: one cluster without a name, nobody who uses it.
pub fn cluster_info_text(release: &Release, server: &str, ca_data: &str) -> String {
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "", "cluster": {"certificate-authority-data": ca_data, "server": server}}],
        "contexts": null,
        "current-context": "",
        "users": null,
    });
    if release.kubeconfig_has_preferences() {
        config["preferences"] = json!({});
    }
    yaml::write(&config)
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

/// Server and CA data of the current context's cluster in a kubeconfig.
fn cluster_of(world: &World<'_>, path: &Path) -> Result<(String, String), Problem> {
    let unusable = |why: String| {
        Problem::new("kubeconfig-unusable", "cannot tell nodes where the cluster is")
            .at(path.display().to_string())
            .why(why)
            .fix("kubestrap init phase kubeconfig admin")
    };
    let bytes = world.host().read(path)?.ok_or_else(|| unusable("there is no such kubeconfig".to_owned()))?;
    let config: Value =
        yaml::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| unusable(format!("it is no YAML: {error}")))?;
    let named = |list: &str, name: &Value| {
        config[list].as_array().and_then(|all| all.iter().find(|entry| entry["name"] == *name)).cloned()
    };
    let context = named("contexts", &config["current-context"])
        .ok_or_else(|| unusable("its current-context is not among its contexts".to_owned()))?;
    let cluster = named("clusters", &context["context"]["cluster"])
        .ok_or_else(|| unusable("the cluster of its current context is not in it".to_owned()))?;
    let text = |field: &str| cluster["cluster"][field].as_str().map(str::to_owned);
    let server = text("server").ok_or_else(|| unusable("its cluster has no server".to_owned()))?;
    if let Some(data) = text("certificate-authority-data") {
        return Ok((server, data));
    }
    let file = text("certificate-authority").ok_or_else(|| unusable("its cluster has no CA certificate".to_owned()))?;
    let ca = world
        .host()
        .read(&path.parent().unwrap_or(path).join(&file))?
        .ok_or_else(|| unusable(format!("the CA certificate that it names is not there: {file}")))?;
    Ok((server, STANDARD.encode(ca)))
}
