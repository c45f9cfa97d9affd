//! The text of kubeconfigs: writing them as kubeadm does, and reading what matters of any.
//!
//! Pure: touches no file. A reference to a file is handed back as such.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Release;
use crate::problem::Problem;
use crate::world::Secret;
use crate::yaml;

/// The cluster a kubeconfig leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Name of the cluster.
    pub cluster_name: &'a str,
    /// `https://host:port`.
    pub server: String,
    /// CA certificates in PEM.
    pub ca_pem: &'a str,
}

/// A kubeconfig for somebody with a certificate; context `<user>@<cluster>`.
pub fn render_with_certificate(
    target: &Target<'_>,
    user: &str,
    (certificate_pem, key_pem): (&str, &Secret<String>),
    release: &Release,
) -> String {
    let credentials = json!({
        "client-certificate-data": STANDARD.encode(certificate_pem),
        "client-key-data": STANDARD.encode(key_pem.reveal()),
    });
    write(target, user, &credentials, release)
}

/// A kubeconfig for somebody with a bearer token; context `<user>@<cluster>`.
pub fn render_with_token(target: &Target<'_>, user: &str, token: &Secret<String>, release: &Release) -> String {
    write(target, user, &json!({ "token": token.reveal() }), release)
}

fn write(target: &Target<'_>, user: &str, credentials: &Value, release: &Release) -> String {
    let mut config = config(target, user, &format!("{user}@{}", target.cluster_name), credentials);
    if release.kubeconfig_has_preferences() {
        config["preferences"] = json!({});
    }
    yaml::write(&config)
}

/// A kubeconfig for somebody whose certificate is still to be signed. The CA is left out where it is not known yet.
pub fn render_with_key(target: &Target<'_>, user: &str, key_pem: &Secret<String>, release: &Release) -> String {
    let credentials = json!({ "client-key-data": STANDARD.encode(key_pem.reveal()) });
    let mut config = config(target, user, &format!("{user}@{}", target.cluster_name), &credentials);
    if target.ca_pem.is_empty() {
        config["clusters"][0]["cluster"] = json!({ "server": target.server });
    }
    if release.kubeconfig_has_preferences() {
        config["preferences"] = json!({});
    }
    yaml::write(&config)
}

/// The kubeconfig that a kubelet makes for itself: its certificate and key lie in one file, which it renews.
pub fn render_for_kubelet(server: &str, ca_pem: &str, certificate_file: &Path, release: &Release) -> String {
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster(server, ca_pem)}],
        "contexts": [{
            "name": "default-context",
            "context": {"cluster": "default-cluster", "namespace": "default", "user": "default-auth"},
        }],
        "current-context": "default-context",
        "users": [{
            "name": "default-auth",
            "user": {"client-certificate": certificate_file, "client-key": certificate_file},
        }],
    });
    if release.kubeconfig_has_preferences() {
        config["preferences"] = json!({});
    }
    yaml::write(&config)
}

fn config(target: &Target<'_>, user: &str, context: &str, credentials: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": target.cluster_name, "cluster": cluster(&target.server, target.ca_pem)}],
        "contexts": [{"name": context, "context": {"cluster": target.cluster_name, "user": user}}],
        "current-context": context,
        "users": [{"name": user, "user": credentials}],
    })
}

/// The kubeconfig inside the ConfigMap `cluster-info`; tokens sign exactly these bytes.
pub fn cluster_info(server: &str, ca_pem: &str, release: &Release) -> String {
    let mut config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "", "cluster": cluster(server, ca_pem)}],
        "contexts": null,
        "current-context": "",
        "users": null,
    });
    if release.kubeconfig_has_preferences() {
        config["preferences"] = json!({});
    }
    yaml::write(&config)
}

fn cluster(server: &str, ca_pem: &str) -> Value {
    json!({"certificate-authority-data": STANDARD.encode(ca_pem), "server": server})
}

/// A PEM text in a kubeconfig, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The text itself.
    Text(Secret<String>),
    /// A file; a relative path counts from the kubeconfig's folder.
    File(PathBuf),
}

/// How somebody proves who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A client certificate with its key.
    Certificate {
        /// The certificate.
        certificate: Source,
        /// Its key.
        key: Source,
    },
    /// A bearer token.
    Token(Source),
    /// Something else, or nothing.
    None,
}

/// What matters of a kubeconfig: the current context's cluster and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Name of the cluster; empty in `cluster-info`.
    pub cluster_name: String,
    /// `https://host:port`.
    pub server: String,
    /// CA certificates; `None` where the host's own are meant.
    pub ca: Option<Source>,
    /// Name of the user entry; empty when there is none.
    pub user: String,
    /// The user's credentials.
    pub credentials: Credentials,
}

impl Kubeconfig {
    /// The CA certificates in PEM, where they are embedded.
    pub fn ca_pem(&self) -> Option<&str> {
        match &self.ca {
            Some(Source::Text(pem)) => Some(pem.reveal()),
            _ => None,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    clusters: Option<Vec<NamedCluster>>,
    contexts: Option<Vec<NamedContext>>,
    users: Option<Vec<NamedUser>>,
    current_context: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NamedCluster {
    name: String,
    cluster: ClusterEntry,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct ClusterEntry {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NamedContext {
    name: String,
    context: ContextEntry,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContextEntry {
    cluster: String,
    user: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NamedUser {
    name: String,
    user: UserEntry,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct UserEntry {
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
}

/// Reads the current context of a kubeconfig; without one, its unnamed or only cluster.
///
/// # Errors
/// When the text is no kubeconfig, names no cluster, or embeds something that is no base64. Does not say which file it
/// was: add that with `Problem::at`.
pub fn parse(text: &str) -> Result<Kubeconfig, Problem> {
    let damaged = |why: String| {
        Problem::new("kubeconfig-damaged", "cannot use the kubeconfig")
            .why(why)
            .fix("put a valid kubeconfig in its place, or remove it and run the same command again")
    };
    if text.trim().is_empty() {
        return Err(damaged("it is empty".to_owned()));
    }
    let file: File = yaml::parse(text).map_err(|error| damaged(format!("it is no kubeconfig: {error}")))?;
    let (clusters, contexts) = (file.clusters.unwrap_or_default(), file.contexts.unwrap_or_default());
    let current = file.current_context.unwrap_or_default();
    let context = contexts.into_iter().find(|context| context.name == current && !current.is_empty());
    if context.is_none() && !current.is_empty() {
        return Err(damaged(format!("its current context {current} is not in it")));
    }
    let context = context.map(|context| context.context).unwrap_or_default();
    let only = clusters.len() == 1;
    let cluster = clusters.into_iter().find(|cluster| cluster.name == context.cluster || (only && current.is_empty()));
    let Some(NamedCluster { name: cluster_name, cluster }) = cluster else {
        return Err(damaged(format!("it has no cluster {:?}", context.cluster)));
    };
    let users = file.users.unwrap_or_default();
    let user = users.into_iter().find(|user| user.name == context.user && !context.user.is_empty()).unwrap_or_default();
    Ok(Kubeconfig {
        cluster_name,
        ca: source(cluster.certificate_authority_data, cluster.certificate_authority).map_err(damaged)?,
        server: cluster.server,
        credentials: credentials(user.user).map_err(damaged)?,
        user: user.name,
    })
}

fn credentials(user: UserEntry) -> Result<Credentials, String> {
    let certificate = source(user.client_certificate_data, user.client_certificate)?;
    let key = source(user.client_key_data, user.client_key)?;
    Ok(match (certificate, key, user.token, user.token_file) {
        (Some(certificate), Some(key), _, _) => Credentials::Certificate { certificate, key },
        // Where both are given, the file counts.
        (_, _, _, Some(file)) if !file.is_empty() => Credentials::Token(Source::File(file.into())),
        (_, _, Some(token), _) if !token.is_empty() => Credentials::Token(Source::Text(Secret::new(token))),
        _ => Credentials::None,
    })
}

/// Embedded data counts before a file.
fn source(data: Option<String>, file: Option<String>) -> Result<Option<Source>, String> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let decoded =
            STANDARD.decode(data.trim()).map_err(|error| format!("its embedded data is no base64: {error}"))?;
        let text = String::from_utf8(decoded).map_err(|_| "its embedded data is no PEM".to_owned())?;
        return Ok(Some(Source::Text(Secret::new(text))));
    }
    Ok(file.filter(|file| !file.is_empty()).map(|file| Source::File(file.into())))
}
