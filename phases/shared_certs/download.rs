//! Phase `control-plane-prepare/download-certs` of join: opens what `upload-certs` has kept in the cluster.
//!
//! Reads the Secret `kubeadm-certs` as the holder of the bootstrap token; writes the files that all control-plane nodes
//! share: keys and `sa.pub` with 0600, certificates with 0644. A Secret that is gone does not matter once they are here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{SECRET, Sealer, SharedFile, UPLOAD, needed, shared_files};
use crate::certs::found::pins;
use crate::config::JoinControlPlane;
use crate::objects;
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::rootless;
use crate::world::{ClusterError, Content, ObjectRef, Secret, World};

/// The phase.
pub struct DownloadCerts;

impl Phase<JoinControlPlane> for DownloadCerts {
    fn name(&self) -> &'static str {
        "download-certs"
    }

    fn about(&self) -> &'static str {
        "the certificates and keys that all control-plane nodes share"
    }

    fn makes(&self, job: &JoinControlPlane) -> Vec<Artifact> {
        needed(&job.worker.cluster, &job.worker.node.layout)
    }

    fn verdict(&self, job: &JoinControlPlane) -> Verdict {
        match job.certificate_key {
            Some(_) => Verdict::Run,
            None => Verdict::Skip("no certificate key: the files on this node are used".to_owned()),
        }
    }

    fn run(&self, job: &JoinControlPlane, world: &World<'_>) -> Result<(), Problem> {
        let Some(sealer) = job.certificate_key.as_ref().and_then(Sealer::parse) else { return Ok(()) };
        let files = shared_files(&job.worker.cluster, &job.worker.node.layout);
        let Some(secret) = uploaded(job, world)? else {
            for file in files.iter().filter(|file| file.is_needed) {
                if world.host().stat(&file.path)?.is_none() {
                    return world.refuse(not_uploaded());
                }
            }
            world.note("they are here already");
            return Ok(());
        };
        let opened = open(&files, &secret, &sealer)?;
        check_ca(&opened, &job.worker.discovery.ca_pem)?;
        for (file, bytes) in opened {
            let mode = rootless::mode(&job.worker.node, &file.path).unwrap_or(file.mode);
            world.put_file(&file.path, Content::new(bytes.reveal().as_slice()), mode)?;
        }
        world.note(&format!("from Secret kube-system/{SECRET}"));
        Ok(())
    }
}

/// The Secret's data; `None` when it is gone, or was never there: then nobody has the right to look either.
fn uploaded(job: &JoinControlPlane, world: &World<'_>) -> Result<Option<Value>, Problem> {
    let identity = job.worker.discovery.identity();
    let reference = ObjectRef::new("v1", "Secret", "kube-system", SECRET);
    let ask = || match world.cluster().get(&identity, &reference) {
        Ok(found) => Ok(found.map(|secret| secret["data"].clone())),
        Err(ClusterError::Refused { status: 403, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    };
    objects::insist(world, "the API server to hand out the uploaded certificates", ask)
}

/// A file with what belongs into it.
type Opened<'f> = (&'f SharedFile, Secret<Vec<u8>>);

/// The files that were there when they were uploaded.
fn open<'f>(files: &'f [SharedFile], data: &Value, sealer: &Sealer) -> Result<Vec<Opened<'f>>, Problem> {
    let mut opened = Vec::new();
    for file in files {
        let Some(sealed) = data[file.entry].as_str().and_then(|text| STANDARD.decode(text).ok()) else {
            return Err(incomplete(file, "it was uploaded for another kind of etcd, or somebody has changed it"));
        };
        if sealed.is_empty() {
            if file.is_needed {
                return Err(incomplete(file, "the file was not there when the others were uploaded"));
            }
            continue;
        }
        opened.push((file, sealer.open(&sealed).ok_or_else(wrong_key)?));
    }
    Ok(opened)
}

/// A node that serves with another CA than the one its kubelet trusts would never be Ready.
fn check_ca(opened: &[Opened<'_>], verified: &str) -> Result<(), Problem> {
    let Some((_, pem)) = opened.iter().find(|(file, _)| file.entry == "ca.crt") else { return Ok(()) };
    let trusted = pins(verified)?;
    if pins(&String::from_utf8_lossy(pem.reveal()))?.iter().any(|pin| trusted.contains(pin)) {
        return Ok(());
    }
    Err(Problem::new("certificates-other-ca", "the uploaded CA is not the one that discovery has verified")
        .at(format!("Secret kube-system/{SECRET}"))
        .why("the CA was replaced since the upload, or the Secret comes from another cluster")
        .fix(UPLOAD))
}

fn not_uploaded() -> Problem {
    Problem::new("certificates-not-uploaded", "the cluster keeps no certificates for this node")
        .at(format!("Secret kube-system/{SECRET}"))
        .why("they were never uploaded, or more than two hours ago, after which the cluster removes them")
        .fix(UPLOAD)
        .fix("then run the same command again with the certificate key that it prints: --certificate-key")
}

fn wrong_key() -> Problem {
    Problem::new("certificate-key-wrong", "the certificate key does not open the uploaded certificates")
        .at(format!("Secret kube-system/{SECRET}"))
        .why("they were sealed with another key: each upload has its own, and only the newest counts")
        .fix(UPLOAD)
        .fix("then run the same command again with the certificate key that it prints: --certificate-key")
}

fn incomplete(file: &SharedFile, why: &str) -> Problem {
    Problem::new("certificates-incomplete", format!("the uploaded certificates lack {}", file.about))
        .at(format!("Secret kube-system/{SECRET}, key {}", file.entry))
        .why(why)
        .fix(UPLOAD)
        .fix(format!("or copy it from a control-plane node and leave --certificate-key out: {}", file.path.display()))
}
