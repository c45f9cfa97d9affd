//! Certificates of the control plane as openssl reads them: who signed them, for whom and what, with which keys, the
//! same as in testdata/kubeadm/v1.20.2/default; and as the real components take them.

use crate::{scenario, shared_cluster};
use kubestrap_e2e::cluster::Cluster;
use kubestrap_e2e::command::here;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::meaning::golden_text;
use kubestrap_e2e::run::Run;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Leaf, its authority, and what openssl must accept it as.
const LEAVES: [(&str, &str, &[&str]); 7] = [
    ("apiserver", "ca", &["sslserver"]),
    ("apiserver-kubelet-client", "ca", &["sslclient"]),
    ("front-proxy-client", "front-proxy-ca", &["sslclient"]),
    ("etcd/server", "etcd/ca", &["sslserver", "sslclient"]),
    ("etcd/peer", "etcd/ca", &["sslserver", "sslclient"]),
    ("etcd/healthcheck-client", "etcd/ca", &["sslclient"]),
    ("apiserver-etcd-client", "etcd/ca", &["sslclient"]),
];

const AUTHORITIES: [&str; 3] = ["ca", "front-proxy-ca", "etcd/ca"];

/// Kubeconfig and whom its certificate names, see testdata/kubeadm/v1.20.2/default/kubeconfigs.txt.
const KUBECONFIGS: [(&str, &str); 3] = [
    ("admin.conf", "subject=O = system:masters, CN = kubernetes-admin"),
    ("controller-manager.conf", "subject=CN = system:kube-controller-manager"),
    ("scheduler.conf", "subject=CN = system:kube-scheduler"),
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn openssl_verifies_every_certificate_against_its_authority() {
    scenario("openssl_verifies_every_certificate_against_its_authority", |run| {
        let pki = copied(run, shared_cluster(run)?)?;
        for (leaf, authority, purposes) in LEAVES {
            for purpose in purposes {
                let authority = pki.file(&format!("{authority}.crt"));
                let leaf = pki.file(&format!("{leaf}.crt"));
                here("openssl", &["verify", "-x509_strict", "-purpose", purpose, "-CAfile", &authority, &leaf])?;
            }
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_certificate_says_what_kubeadms_say() {
    scenario("every_certificate_says_what_kubeadms_say", |run| {
        let cluster = shared_cluster(run)?;
        let pki = copied(run, cluster)?;
        let address = cluster.control_plane.address.to_string();
        let names = [("n1", cluster.control_plane.name.as_str()), ("10.77.0.11", &address)];
        let expected = certificates(&golden_text("default/certificates.txt", &names)?);
        expect(expected.len() == LEAVES.len() + AUTHORITIES.len(), "the golden file names others", expected.len())?;
        for (name, lines) in expected {
            let found = described(&pki.file(&name))?;
            expect(found == lines, format!("{name} differs"), format!("kubeadm: {lines:#?}\nhere: {found:#?}"))?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_key_belongs_to_its_certificate() {
    scenario("every_key_belongs_to_its_certificate", |run| {
        let pki = copied(run, shared_cluster(run)?)?;
        for name in LEAVES.iter().map(|(leaf, ..)| *leaf).chain(AUTHORITIES) {
            let public = here("openssl", &["x509", "-noout", "-pubkey", "-in", &pki.file(&format!("{name}.crt"))])?;
            expect(public.stdout == pki.public_half(name)?, format!("{name}.key is of another certificate"), "")?;
        }
        let public = fs::read_to_string(pki.file("sa.pub")).unwrap_or_default();
        expect(public == pki.public_half("sa")?, "sa.pub is not the public half of sa.key", public)
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn every_kubeconfigs_certificate_is_signed_for_its_user() {
    scenario("every_kubeconfigs_certificate_is_signed_for_its_user", |run| {
        let pki = copied(run, shared_cluster(run)?)?;
        let kubelet = format!("subject=O = system:nodes, CN = system:node:{}", pki.node);
        let current = [("kubelet-client-current.pem", kubelet.as_str())];
        for (file, subject) in KUBECONFIGS.into_iter().chain(current) {
            let path = pki.file(file);
            here("openssl", &["verify", "-purpose", "sslclient", "-CAfile", &pki.file("ca.crt"), &path])?;
            let found = here("openssl", &["x509", "-noout", "-subject", "-in", &path])?;
            expect(found.line() == subject, format!("{file} is another user's"), found)?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn the_api_server_shows_its_certificate_for_all_its_names() {
    scenario("the_api_server_shows_its_certificate_for_all_its_names", |run| {
        let cluster = shared_cluster(run)?;
        let (pki, address) = (copied(run, cluster)?, cluster.control_plane.address.to_string());
        for name in [["-verify_ip", &address], ["-verify_ip", "10.96.0.1"], ["-verify_hostname", "kubernetes.default"]]
        {
            let (server, ca) = (format!("{address}:6443"), pki.file("ca.crt"));
            let connect = ["s_client", "-connect", &server, "-CAfile", &ca, "-verify_return_error", "-brief"];
            here("openssl", &[&connect[..], &name].concat())?;
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn etcd_takes_the_health_check_clients_certificate_and_no_stranger() {
    scenario("etcd_takes_the_health_check_clients_certificate_and_no_stranger", |run| {
        let node = &shared_cluster(run)?.control_plane;
        let etcd = "/etc/kubernetes/pki/etcd";
        let curl = format!("curl --silent --show-error --cacert {etcd}/ca.crt https://127.0.0.1:2379/health");
        let health =
            node.script(&format!("{curl} --cert {etcd}/healthcheck-client.crt --key {etcd}/healthcheck-client.key"))?;
        expect(health.stdout.contains(r#""health":"true""#), "etcd is not healthy", &health)?;
        let stranger = node.run(&["sh", "-c", &curl])?;
        expect(stranger.code != Some(0), "etcd answers without a certificate", stranger)
    });
}

/// The control plane's certificates and keys, copied to this machine.
struct Pki {
    folder: PathBuf,
    node: String,
}

impl Pki {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn public_half(&self, name: &str) -> Result<String, Failure> {
        Ok(here("openssl", &["pkey", "-pubout", "-in", &self.file(&format!("{name}.key"))])?.stdout)
    }
}

/// Copies everything in one go; a kubeconfig becomes the certificate in it.
fn copied(run: &Run, cluster: &Cluster) -> Result<Pki, Failure> {
    let script = r#"cd /etc/kubernetes/pki
        for file in *.* etcd/*.*; do echo "== $file"; cat $file; done
        for file in admin.conf controller-manager.conf scheduler.conf; do
            echo "== $file"; sed -n 's/.*client-certificate-data: //p' ../$file | base64 -d
        done
        echo "== kubelet-client-current.pem"; cat /var/lib/kubelet/pki/kubelet-client-current.pem"#;
    let node = &cluster.control_plane;
    let folder = run.record.state().join(format!("{}-pki", node.name));
    for file in node.script(script)?.stdout.split("== ").skip(1) {
        let (name, text) = file.split_once('\n').unwrap_or_default();
        let path = folder.join(name);
        let made =
            fs::create_dir_all(path.parent().unwrap_or_else(|| Path::new("/"))).and_then(|()| fs::write(&path, text));
        made.map_err(|error| Failure::new(format!("cannot write {}", path.display()), error))?;
    }
    Ok(Pki { folder, node: node.name.clone() })
}

/// What openssl says of one certificate, in the words of certificates.txt; the order of extensions means nothing.
pub(crate) fn described(path: &str) -> Result<Vec<String>, Failure> {
    let extensions = "keyUsage,extendedKeyUsage,basicConstraints,subjectAltName";
    let names = here("openssl", &["x509", "-noout", "-subject", "-issuer", "-ext", extensions, "-in", path])?.stdout;
    let text = here("openssl", &["x509", "-noout", "-text", "-in", path])?.stdout;
    let kinds = ["Public-Key:", "Public Key Algorithm:", "Signature Algorithm:"];
    let more = text.lines().filter(|line| kinds.iter().any(|kind| line.contains(kind)));
    Ok(facts(names.lines().chain(more)))
}

/// The golden file's certificates by name.
fn certificates(text: &str) -> BTreeMap<String, Vec<String>> {
    let parts = text.split("== ./pki/").skip(1).filter_map(|part| part.split_once('\n'));
    parts.map(|(name, text)| (name.to_owned(), facts(text.lines()))).collect()
}

/// Joins an extension's name with its value; neither facts nor alternative names have an order that means anything.
fn facts<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    for line in lines {
        match facts.last_mut() {
            Some(last) if last.starts_with("X509v3") && last.ends_with([':', 'l']) => {
                let mut values: Vec<&str> = line.trim().split(", ").collect();
                values.sort_unstable();
                *last = format!("{last} = {}", values.join(", "));
            }
            _ => facts.push(line.trim().to_owned()),
        }
    }
    facts.sort();
    facts
}
