//! A cluster whose CAs are elsewhere: their keys never come to the node. What they sign is requested there with
//! `certs generate-csr`, signed on this machine with openssl, and taken by `init` as it is.

use crate::{only_kubestrap, scenario};
use kubestrap_e2e::cluster::{Cluster, SETTLES, is_ready};
use kubestrap_e2e::command::here;
use kubestrap_e2e::failure::{Failure, expect};
use kubestrap_e2e::nodes::Node;
use kubestrap_e2e::run::Run;
use kubestrap_e2e::tool::{JoinCommand, PATIENCE, Tool};
use kubestrap_e2e::wait::wait_for;
use std::fs;
use std::path::PathBuf;

const AUTHORITIES: [(&str, &str); 3] =
    [("ca", "company-kubernetes"), ("front-proxy-ca", "company-front-proxy"), ("etcd/ca", "company-etcd")];

/// What is requested, by its path below /etc/kubernetes, and who signs it.
const REQUESTS: [(&str, &str); 11] = [
    ("pki/apiserver", "ca"),
    ("pki/apiserver-kubelet-client", "ca"),
    ("pki/front-proxy-client", "front-proxy-ca"),
    ("pki/etcd/server", "etcd/ca"),
    ("pki/etcd/peer", "etcd/ca"),
    ("pki/etcd/healthcheck-client", "etcd/ca"),
    ("pki/apiserver-etcd-client", "etcd/ca"),
    ("admin.conf", "ca"),
    ("kubelet.conf", "ca"),
    ("controller-manager.conf", "ca"),
    ("scheduler.conf", "ca"),
];

#[test]
#[ignore = "needs root and real nodes; e2e/test runs it"]
fn a_cluster_comes_up_on_certificates_that_were_signed_elsewhere() {
    if !only_kubestrap() {
        return;
    }
    scenario("a_cluster_comes_up_on_certificates_that_were_signed_elsewhere", |run| {
        let node = Node::create(run, "outside-ca")?;
        let company = Company::found(run)?;
        for (file, _) in AUTHORITIES {
            node.write(&format!("/etc/kubernetes/pki/{file}.crt"), &company.read(&format!("{file}.crt"))?, "0644")?;
        }
        let flags = Tool::Kubestrap.init_flags(&node)?;
        refusal_names_every_file(&node, &flags)?;

        let generate = ["kubestrap", "certs", "generate-csr"];
        node.run_with(&generate, b"", PATIENCE)?.success()?;
        for (name, authority) in REQUESTS {
            let certificate = company.sign(&node.read(&format!("/etc/kubernetes/{name}.csr"))?, name, authority)?;
            match name.strip_suffix(".conf") {
                Some(_) => complete(&node, name, &certificate)?,
                None => node.write(&format!("/etc/kubernetes/{name}.crt"), &certificate, "0644")?,
            }
        }
        let sums = "cd /etc/kubernetes && sha256sum pki/*.crt pki/etcd/*.crt admin.conf scheduler.conf";
        let before = node.script(sums)?.stdout;
        let output = Tool::Kubestrap.init(&node, &[])?.success()?;
        expect(node.script(sums)?.stdout == before, "init changed what was signed elsewhere", &output)?;
        let keys = node.script("ls /etc/kubernetes/pki/ca.key /etc/kubernetes/pki/etcd/ca.key 2>/dev/null || true")?;
        expect(keys.stdout.is_empty(), "a CA's key is on the node", keys)?;

        let cluster = Cluster::adopt(run, node, JoinCommand::parse(&output.stdout)?)?;
        expect(cluster.kubectl(&["get", "--raw", "/readyz"])?.stdout == "ok", "/readyz does not say ok", "")?;
        cluster.lay_pod_network()?;
        cluster.wait_nodes_ready()?;
        for component in ["kube-controller-manager", "kube-scheduler", "etcd"] {
            let pod = format!("{component}-{}", cluster.control_plane.name);
            wait_for(&format!("Pod {pod} to be Ready"), SETTLES, || {
                let found = cluster.object(&["--namespace", "kube-system", "get", "pod", &pod])?;
                expect(is_ready(&found), "it is not", &found["status"])
            })?;
        }
        let renewal = cluster.control_plane.run(&["kubestrap", "certs", "renew", "all"])?;
        let is_refused = renewal.code == Some(1) && renewal.stderr.contains("renewal-elsewhere");
        expect(is_refused, "renewing without the CA's key is not refused", renewal)?;
        let checked = cluster.control_plane.ok(&["kubestrap", "certs", "check-expiration"])?;
        let external = checked.stdout.lines().filter(|line| line.ends_with("yes")).count();
        expect(external == 13, "not all of ten certificates and three CAs are managed elsewhere", checked)?;
        cluster.destroy()
    });
}

fn refusal_names_every_file(node: &Node, flags: &[&str]) -> Result<(), Failure> {
    let words = [&["kubestrap", "init", "phase", "certs", "all"], flags].concat();
    let refused = node.run_with(&words, b"", PATIENCE)?;
    let names_all = REQUESTS.iter().all(|(name, _)| {
        let file = if name.ends_with(".conf") { (*name).to_owned() } else { format!("{name}.crt") };
        refused.stderr.contains(&format!("/etc/kubernetes/{file} is not there"))
    });
    let is_refused = refused.code == Some(1) && refused.stderr.contains("kubestrap certs generate-csr");
    expect(is_refused && names_all, "the refusal does not name every file and the way on", refused)
}

/// Puts the certificate into a kubeconfig, as the user is told to.
fn complete(node: &Node, name: &str, certificate: &str) -> Result<(), Failure> {
    node.write("/run/kubestrap-e2e/certificate", certificate, "0600")?;
    let script = r#"data=$(base64 -w0 /run/kubestrap-e2e/certificate)
        sed -i "s|^\( *\)client-key-data:|\1client-certificate-data: $data\n&|" /etc/kubernetes/"#;
    node.script(&format!("{script}{name}"))?;
    Ok(())
}

/// The company's CAs, on this machine.
struct Company {
    folder: PathBuf,
}

impl Company {
    fn found(run: &Run) -> Result<Self, Failure> {
        let company = Self { folder: run.record.state().join("company") };
        fs::create_dir_all(company.folder.join("etcd"))
            .map_err(|error| Failure::new(format!("cannot make {}", company.folder.display()), error))?;
        for (file, name) in AUTHORITIES {
            let (key, certificate) = (company.file(&format!("{file}.key")), company.file(&format!("{file}.crt")));
            let subject = format!("/O=Company/CN={name}");
            let usage = "keyUsage=critical,keyCertSign,cRLSign";
            let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
            let how = ["req", "-x509", "-nodes", "-days", "30", "-addext", usage, "-subj", &subject];
            here("openssl", &[&how[..], &curve, &["-keyout", &key, "-out", &certificate]].concat())?;
        }
        Ok(company)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.file(name)).map_err(|error| Failure::new(format!("cannot read {name}"), error))
    }

    fn write(&self, name: &str, text: &str) -> Result<String, Failure> {
        let path = self.file(name);
        fs::write(&path, text).map_err(|error| Failure::new(format!("cannot write {name}"), error))?;
        Ok(path)
    }

    /// Signs for 30 days, with the names that were asked for and the usages that this certificate needs.
    fn sign(&self, request: &str, name: &str, authority: &str) -> Result<String, Failure> {
        let usages = match name {
            "pki/apiserver" => "serverAuth",
            "pki/etcd/server" | "pki/etcd/peer" => "serverAuth,clientAuth",
            _ => "clientAuth",
        };
        let usages = format!("keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage={usages}\n");
        let (request, usages) = (self.write("request", request)?, self.write("usages", &usages)?);
        let (ca, key) = (self.file(&format!("{authority}.crt")), self.file(&format!("{authority}.key")));
        let how = ["x509", "-req", "-days", "30", "-copy_extensions", "copyall", "-CAcreateserial"];
        let what = ["-in", &request, "-extfile", &usages, "-CA", &ca, "-CAkey", &key];
        Ok(here("openssl", &[&how[..], &what].concat())?.stdout)
    }
}
