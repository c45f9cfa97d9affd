//! Phases `kubelet-finalize/*`: kubelet.conf names the certificate that the kubelet renews by itself.
//!
//! Edits kubelet.conf once the kubelet has stored its client certificate. kubeadm restarts the kubelet then; there is no
//! need: with `rotateCertificates` the running kubelet has put the certificate of kubelet.conf under its own management at
//! its start and uses the stored one from then on. The file matters to its next start and to other readers.

use serde_json::{Value, json};

use super::config::client_certificate;
use crate::config::{Init, NodeConfig, Release};
use crate::plan::{Artifact, Phase, Step, Verdict};
use crate::problem::Problem;
use crate::world::{Content, World};
use crate::yaml;

impl Step<Init> {
    /// The kubelet's certificate, under its own management.
    pub const KUBELET_FINALIZE: Self = Self::Group {
        name: "kubelet-finalize",
        about: "let kubelet.conf name the certificate that the kubelet renews",
        steps: &[
            Self::Phase(&CertRotation {
                name: "experimental-cert-rotation",
                exists: Release::has_experimental_cert_rotation,
            }),
            Self::Phase(&CertRotation {
                name: "enable-client-cert-rotation",
                exists: Release::has_client_cert_rotation,
            }),
        ],
    };
}

/// The same phase under the two names that it has had; 1.31 knows both.
struct CertRotation {
    name: &'static str,
    exists: fn(&Release) -> bool,
}

impl Phase<Init> for CertRotation {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "kubelet.conf with the rotating client certificate"
    }

    fn needs(&self, job: &Init) -> Vec<Artifact> {
        vec![Artifact::file("the kubeconfig of the kubelet", job.node.layout.kubeconfig("kubelet.conf"))]
    }

    fn verdict(&self, job: &Init) -> Verdict {
        let release = &job.cluster.release;
        if (self.exists)(release) { Verdict::Run } else { Verdict::Skip(format!("{release} has another name for it")) }
    }

    fn run(&self, job: &Init, world: &World<'_>) -> Result<(), Problem> {
        use_rotated_certificate(&job.node, world).map(|_| ())
    }
}

/// Lets kubelet.conf name the certificate that the kubelet renews, once it is there. Says whether anything was changed.
///
/// # Errors
/// `kubelet-conf-unusable`; when the machine cannot be looked at or changed.
pub fn use_rotated_certificate(node: &NodeConfig, world: &World<'_>) -> Result<bool, Problem> {
    let certificate = client_certificate(node);
    if world.host().stat(&certificate)?.is_none() {
        world.note("the kubelet has not stored a certificate of its own");
        return Ok(false);
    }
    let path = node.layout.kubeconfig("kubelet.conf");
    let unusable = |why: String| {
        Problem::new("kubelet-conf-unusable", "cannot let the kubelet's kubeconfig name the certificate that it renews")
            .at(path.display().to_string())
            .why(why)
            .fix(format!("mv {0} {0}.old && kubestrap init phase kubeconfig kubelet", path.display()))
    };
    let bytes = world.host().read(&path)?.ok_or_else(|| unusable("there is no such file".to_owned()))?;
    let found: Value = yaml::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| unusable(error.to_string()))?;
    let edited = with_certificate(&found, &certificate.display().to_string())
        .ok_or_else(|| unusable("its current context has no user in it".to_owned()))?;
    if edited == found {
        return Ok(false);
    }
    world.put_file(&path, Content::new(yaml::write(&edited)), 0o600)
}

/// A kubeconfig whose current user has this file for certificate and key, and nothing embedded.
fn with_certificate(config: &Value, file: &str) -> Option<Value> {
    let mut edited = config.clone();
    let context = config["contexts"].as_array()?.iter().find(|entry| entry["name"] == config["current-context"])?;
    let users = edited["users"].as_array_mut()?;
    let user = users.iter_mut().find(|entry| entry["name"] == context["context"]["user"])?.get_mut("user")?;
    let user = user.as_object_mut()?;
    user.remove("client-certificate-data");
    user.remove("client-key-data");
    user.insert("client-certificate".to_owned(), json!(file));
    user.insert("client-key".to_owned(), json!(file));
    Some(edited)
}

#[cfg(test)]
#[path = "finalize_tests.rs"]
mod tests;
