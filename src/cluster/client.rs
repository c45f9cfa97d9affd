//! From an identity to a client: kubeconfig, bootstrap token, or nobody.
//!
//! A client for nobody without a CA accepts any certificate; what it brings is only bytes for discovery to verify.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use kubestrap_phases::world::{ClusterError, Identity};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::host::Root;

/// How API servers and their audit logs know the program.
const WHO: &str = concat!("kubestrap/", env!("CARGO_PKG_VERSION"));

/// Opens a client; connects when it is used. Kubeconfigs, and the files that they name, lie below the root.
pub(super) async fn open(identity: &Identity, root: &Root) -> Result<(String, Client), ClusterError> {
    let mut config = match identity {
        Identity::Kubeconfig(path) => {
            let fail = |source: KubeconfigError| ClusterError::Credentials {
                place: path.display().to_string(),
                source: io::Error::other(innermost(&source)),
            };
            let kubeconfig = read(path, root).map_err(fail)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(fail)?
        }
        Identity::Token { server, ca_pem, token } => {
            let mut config = with_ca(server, ca_pem)?;
            config.auth_info.token = Some(token.0.reveal().clone().into());
            config
        }
        Identity::Certificate { server, ca_pem, certificate, key } => {
            let mut config = with_ca(server, ca_pem)?;
            config.auth_info.client_certificate_data = Some(STANDARD.encode(certificate));
            config.auth_info.client_key_data = Some(STANDARD.encode(key.0.reveal()).into());
            config
        }
        Identity::CertificateFiles { server, ca, certificate, key } => {
            with_certificate(server, [ca, certificate, key], root)?
        }
        // Without a CA of its own, the client asks the host's.
        Identity::Public { server } => bare(server)?,
        Identity::Anonymous { server, ca_pem: Some(ca_pem) } => with_ca(server, ca_pem)?,
        Identity::Anonymous { server, ca_pem: None } => {
            let mut config = bare(server)?;
            config.accept_invalid_certs = true;
            // Or the host's would be read, all of them, and must be there.
            config.root_cert = Some(Vec::new());
            config
        }
    };
    config.connect_timeout = Some(Duration::from_secs(5));
    config.proxy_url = None;
    config.headers.push((USER_AGENT, HeaderValue::from_static(WHO)));
    // Waits are the phases' own: they know how long, and say what they wait for.
    config.default_retry = false;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let client = Client::try_from(config).map_err(|source| ClusterError::Credentials {
        place: place(identity),
        source: io::Error::other(innermost(&source)),
    })?;
    Ok((server, client))
}

fn read(path: &Path, root: &Root) -> Result<Kubeconfig, KubeconfigError> {
    let target = root.target(path).map_err(|error| KubeconfigError::ReadConfig(error, path.to_owned()))?;
    let mut kubeconfig = Kubeconfig::read_from(&target)?;
    if root.folder().is_some() {
        let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut());
        let of_users =
            users.flat_map(|user| [&mut user.client_certificate, &mut user.client_key, &mut user.token_file]);
        let clusters = kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut());
        let of_clusters = clusters.map(|cluster| &mut cluster.certificate_authority);
        for file in of_users.chain(of_clusters).flatten() {
            // A relative one was made absolute from the kubeconfig's folder, which lies below the root.
            let named = Path::new(file.as_str());
            let inside = if named.starts_with(target.parent().unwrap_or(named)) { root.inside(named) } else { None };
            let path = inside.unwrap_or_else(|| named.to_owned());
            let found = root.target(&path).map_err(|error| KubeconfigError::ReadConfig(error, path.clone()))?;
            *file = found.to_string_lossy().into_owned();
        }
    }
    Ok(kubeconfig)
}

fn bare(server: &str) -> Result<Config, ClusterError> {
    let url = server.parse().map_err(|source: http::uri::InvalidUri| ClusterError::Credentials {
        place: server.to_owned(),
        source: io::Error::other(source),
    })?;
    Ok(Config::new(url))
}

fn with_ca(server: &str, ca_pem: &str) -> Result<Config, ClusterError> {
    let mut config = bare(server)?;
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(ca_pem.as_bytes()).map(|found| found.map(|der| der.to_vec())).collect();
    let certificates = certificates.map_err(|source| ClusterError::Credentials {
        place: format!("the CA certificate for {server}"),
        source: io::Error::other(source.to_string()),
    })?;
    config.root_cert = Some(certificates);
    Ok(config)
}

/// Empty paths are files that nobody named.
fn with_certificate(server: &str, files: [&PathBuf; 3], root: &Root) -> Result<Config, ClusterError> {
    let [ca, certificate, key] = files.map(|path| {
        let found = root.target(path);
        found.map_err(|source| ClusterError::Credentials { place: path.display().to_string(), source })
    });
    let (ca, certificate, key) = (ca?, certificate?, key?);
    let named = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.display().to_string());
    let mut config = match named(&ca) {
        None => bare(server)?,
        Some(place) => {
            let fail = |source| ClusterError::Credentials { place, source };
            with_ca(server, &std::fs::read_to_string(&ca).map_err(fail)?)?
        }
    };
    config.auth_info.client_certificate = named(&certificate);
    config.auth_info.client_key = named(&key);
    Ok(config)
}

fn place(identity: &Identity) -> String {
    match identity {
        Identity::Kubeconfig(path) => path.display().to_string(),
        Identity::Token { server, .. }
        | Identity::Certificate { server, .. }
        | Identity::CertificateFiles { server, .. }
        | Identity::Public { server }
        | Identity::Anonymous { server, .. } => server.clone(),
    }
}

/// The deepest cause, which is the one that means something: `connection refused`, `certificate not valid for name`.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    // rustls wraps its error in an io::Error that does not give it as its source.
    if let Some(io) = deepest.downcast_ref::<io::Error>()
        && let Some(inner) = io.get_ref()
    {
        return inner.source().map_or_else(|| inner.to_string(), ToString::to_string);
    }
    deepest.to_string()
}
