//! What a run leaves behind, without what differs between two runs that are both right: keys, what is signed with them,
//! and serial numbers.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Stage;
use crate::certs::certificate::{Certificate, PrivateKey};
use crate::golden::summary;
use crate::kubeconfig::{self, Credentials, Source};
use crate::world::{Host as _, sha256_hex};

/// Files, objects, Pods and the kubelet, in comparable words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Path to mode and meaning.
    pub(crate) files: BTreeMap<String, String>,
    /// All objects of the cluster.
    pub(crate) objects: Vec<String>,
    /// Who is a member of etcd.
    etcd: Vec<String>,
    kubelet: String,
}

impl Outcome {
    /// The state of a stage now.
    pub(crate) fn of(stage: &Stage) -> Self {
        let tree = stage.machine.tree();
        let ca = tree.get(Path::new("/etc/kubernetes/pki/ca.crt")).and_then(|(_, content)| content.clone());
        let files = tree.into_iter().map(|(path, (mode, content))| {
            let path = path.display().to_string();
            let meaning = content.map_or_else(|| "folder".to_owned(), |bytes| meaning(&path, &bytes));
            (path, format!("{mode:04o} {meaning}"))
        });
        let objects = stage.machine.overlay.objects().into_iter();
        let mut objects: Vec<String> = objects.map(|object| without_signatures(object, ca.as_deref())).collect();
        // The name of a random token decides its place.
        objects.sort();
        Self {
            files: files.collect(),
            objects,
            etcd: stage.machine.overlay.etcd_members().iter().map(|member| format!("{member:?}")).collect(),
            kubelet: stage.machine.overlay.unit("kubelet.service").unwrap().active,
        }
    }

    /// Fails with the first difference.
    pub(crate) fn assert_same(&self, other: &Self, case: &str) {
        for (path, meaning) in &self.files {
            assert_eq!(Some(meaning), other.files.get(path), "{case}: {path}");
        }
        for path in other.files.keys() {
            assert!(self.files.contains_key(path), "{case}: {path} is too much");
        }
        for (ours, theirs) in self.objects.iter().zip(&other.objects) {
            assert_eq!(ours, theirs, "{case}");
        }
        assert_eq!(self, other, "{case}");
    }
}

fn meaning(path: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if path.starts_with("/etc/kubernetes/pki/") && text.contains("-----BEGIN") {
        return if path.ends_with(".crt") { summary::of(&text) } else { "a key".to_owned() };
    }
    if path.starts_with("/var/lib/kubelet/pki/") {
        return "a certificate with its key".to_owned();
    }
    if !path.ends_with(".conf") || !text.contains("-data: ") {
        return sha256_hex(bytes);
    }
    let omitted = text.lines().map(|line| line.split_once("-data: ").map_or(line, |(key, _)| key));
    omitted.collect::<Vec<_>>().join("\n")
        + &client_certificate(&text).map_or_else(String::new, |pem| summary::of(&pem))
}

fn client_certificate(kubeconfig: &str) -> Option<String> {
    match kubeconfig::parse(kubeconfig).unwrap().credentials {
        Credentials::Certificate { certificate: Source::Text(pem), .. } => Some(pem.reveal().clone()),
        _ => None,
    }
}

/// cluster-info holds the CA and is signed; both differ with the CA's key. It must hold the CA of this node.
fn without_signatures(mut object: Value, ca: Option<&[u8]>) -> String {
    if object["metadata"]["name"] == "cluster-info" {
        let data = object["data"].as_object_mut().unwrap();
        data.iter_mut().filter(|(key, _)| key.starts_with("jws-")).for_each(|(_, value)| *value = "signature".into());
        let text = data["kubeconfig"].as_str().unwrap();
        assert!(ca.is_none_or(|ca| text.contains(&STANDARD.encode(ca))), "cluster-info holds another CA");
        let omitted = text.lines().map(|line| line.split_once("-data: ").map_or(line, |(key, _)| key));
        data["kubeconfig"] = omitted.collect::<Vec<_>>().join("\n").into();
    }
    if object["kind"] == "CertificateSigningRequest" {
        // Its name is that of its key.
        return "a CertificateSigningRequest".to_owned();
    }
    if object["metadata"]["name"] == "kubeadm-certs" && object["kind"] == "Secret" {
        let entries: Vec<&String> = object["data"].as_object().unwrap().keys().collect();
        return format!("the sealed certificates {entries:?}");
    }
    if object["data"]["description"] == STANDARD.encode("Proxy for managing TTL for the kubeadm-certs secret") {
        return "the token that owns the sealed certificates".to_owned();
    }
    object.to_string()
}

/// Every certificate belongs to its key and is signed by its CA; every kubeconfig's by the CA it trusts.
pub(crate) fn assert_certificates_fit(stage: &Stage, case: &str) {
    let tree = stage.machine.tree();
    let text = |path: &str| {
        let (_, content) = tree.get(Path::new(path)).unwrap_or_else(|| panic!("{case}: no {path}"));
        String::from_utf8(content.clone().unwrap()).unwrap()
    };
    let read =
        |name: &str| Certificate::parse_all(&text(&format!("/etc/kubernetes/pki/{name}.crt"))).unwrap().remove(0);
    let ca = read("ca");
    for (name, signer) in [
        ("ca", "ca"),
        ("apiserver", "ca"),
        ("apiserver-kubelet-client", "ca"),
        ("front-proxy-ca", "front-proxy-ca"),
        ("front-proxy-client", "front-proxy-ca"),
        ("etcd/ca", "etcd/ca"),
        ("etcd/server", "etcd/ca"),
        ("etcd/peer", "etcd/ca"),
        ("etcd/healthcheck-client", "etcd/ca"),
        ("apiserver-etcd-client", "etcd/ca"),
    ] {
        let key = PrivateKey::parse(&text(&format!("/etc/kubernetes/pki/{name}.key"))).unwrap();
        assert!(read(name).belongs_to(&key), "{case}: {name}");
        assert!(read(name).is_signed_by(&read(signer)), "{case}: {name}");
    }
    let service_account = PrivateKey::parse(&text("/etc/kubernetes/pki/sa.key")).unwrap();
    assert_eq!(service_account.public_pem(), text("/etc/kubernetes/pki/sa.pub"), "{case}");
    for name in ["admin", "controller-manager", "scheduler"] {
        let config = text(&format!("/etc/kubernetes/{name}.conf"));
        let leaf = Certificate::parse_all(&client_certificate(&config).unwrap()).unwrap().remove(0);
        assert!(leaf.is_signed_by(&ca), "{case}: {name}");
        assert_eq!(kubeconfig::parse(&config).unwrap().ca_pem(), Some(ca.pem().as_str()), "{case}: {name}");
    }
}
