//! Phase `tls-bootstrap` of join: gets the kubelet's client certificate with the token, before the kubelet starts.
//!
//! ```text
//! kubelet-client.key.tmp ─► CertificateSigningRequest ─► approved ─► signed ─► kubelet-client-….pem ◄─ -current.pem ◄─ kubelet.conf
//! ```
//!
//! The kubelet could do this itself, but looks for its certificate every five seconds only, and cannot say why it has none.
//! Files, names and modes are the kubelet's own, so that it goes on from here. The key is on disk before the request is
//! sent and gives the request its name: a run that was killed finds both again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec, CertificateSigningRequestStatus,
};

use crate::certs::certificate::{Certificate, PrivateKey};
use crate::certs::issue::{self, Leaf};
use crate::config::Joining;
use crate::kubeconfig::render_for_kubelet;
use crate::objects;
use crate::plan::{Artifact, Phase, damage};
use crate::problem::Problem;
use crate::world::{
    Change, Clock, Content, FileKind, Identity, KeyAlgorithm, ObjectRef, Probe, Wait, World, sha256_hex,
};

/// How long one watch of the request lasts; a signal ends it at once.
const WATCHED_FOR: Duration = Duration::from_secs(5);

/// The phase.
pub struct TlsBootstrap;

impl<J: Joining> Phase<J> for TlsBootstrap {
    fn name(&self) -> &'static str {
        "tls-bootstrap"
    }

    fn about(&self) -> &'static str {
        "gets the kubelet's client certificate"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the cluster's CA certificate", &job.discovery().ca_cert_path)]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the kubelet's kubeconfig", job.node().layout.kubeconfig("kubelet.conf"))]
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        let files = Files::of(job, world.time().now());
        if world.host().stat(&files.kubeconfig)?.is_none() || has_lost_content(&files, world)? {
            world.put_folder(job.node().layout.kubelet(), 0o700)?;
            let key = key(&files.key, world)?;
            // Only a dry run gets none: what the cluster would issue is not known, and would be hidden with the key anyway.
            let certificate = certificate(job, &key, world)?.unwrap_or_default();
            let pair = format!("{}{}", certificate.trim_start(), key.pem().reveal());
            let path = files.of_unfinished(&key, world)?.unwrap_or_else(|| files.pair.clone());
            world.put_file(&path, Content::new(pair), 0o600)?;
            world.change(&Change::Link { path: files.current.clone(), target: path })?;
            let found = job.discovery();
            let text = render_for_kubelet(&job.kubelet_server(), &found.ca_pem, &files.current, &job.cluster().release);
            world.put_file(&files.kubeconfig, Content::new(text), 0o600)?;
            world.note(&format!("certificate for system:node:{}", job.node().name));
        }
        if world.host().stat(&files.key)?.is_some() {
            world.change(&Change::Remove { path: files.key, keep: true })?;
        }
        Ok(())
    }
}

/// What a power cut may leave of the kubeconfig, or of the certificate that it names.
fn has_lost_content(files: &Files, world: &World<'_>) -> Result<bool, Problem> {
    let host = world.host();
    let has_no_certificate = host.read(&files.current)?.is_some_and(|bytes| bytes.is_empty());
    Ok(has_no_certificate || damage::is_lost(&files.kubeconfig, &world.journal().inventory()?, host)?)
}

/// The kubelet's own names.
struct Files {
    key: PathBuf,
    pair: PathBuf,
    current: PathBuf,
    kubeconfig: PathBuf,
}

impl Files {
    fn of(job: &dyn Joining, now: Clock) -> Self {
        let current = job.node().layout.kubelet_client_certificate();
        let folder = current.parent().unwrap_or_else(|| Path::new("/"));
        let moment: String =
            now.rfc3339().chars().take(19).map(|c| if matches!(c, 'T' | ':') { '-' } else { c }).collect();
        Self {
            key: folder.join("kubelet-client.key.tmp"),
            pair: folder.join(format!("kubelet-client-{moment}.pem")),
            kubeconfig: job.node().layout.kubeconfig("kubelet.conf"),
            current,
        }
    }

    /// Where an earlier run, at another moment, has put the certificate for this key.
    fn of_unfinished(&self, key: &PrivateKey, world: &World<'_>) -> Result<Option<PathBuf>, Problem> {
        let folder = self.pair.parent().unwrap_or_else(|| Path::new("/"));
        for found in world.host().list(folder)? {
            let is_candidate = found.kind == FileKind::File && found.path != self.key;
            let holds_key = |bytes: Vec<u8>| bytes.ends_with(key.pem().reveal().as_bytes());
            if is_candidate && world.host().read(&found.path)?.is_some_and(holds_key) {
                return Ok(Some(found.path));
            }
        }
        Ok(None)
    }
}

/// The key of an unfinished request, or a new one.
fn key(path: &Path, world: &World<'_>) -> Result<PrivateKey, Problem> {
    let found = world.host().read(path)?;
    if let Some(key) = found.and_then(|bytes| PrivateKey::parse(&String::from_utf8_lossy(&bytes)).ok()) {
        return Ok(key);
    }
    let pem = world.entropy().key_pem(KeyAlgorithm::EcdsaP256);
    world.put_file(path, Content::new(pem.reveal().as_str()), 0o600)?;
    PrivateKey::parse(pem.reveal()).map_err(|error| {
        Problem::new("key-unusable", "the key that was just made cannot be used")
            .why(error.to_string())
            .fix("run the same command again")
    })
}

/// Asks for the certificate and waits for it. `None` when the wait was none, as in a dry run.
fn certificate(job: &dyn Joining, key: &PrivateKey, world: &World<'_>) -> Result<Option<String>, Problem> {
    let identity = job.discovery().identity();
    let name = format!("node-csr-{}", &sha256_hex(key.public_pem().as_bytes())[..43]);
    if status(&name, &identity, world)?.is_none() {
        let user = format!("system:node:{}", job.node().name);
        let request = issue::request(&Leaf::client(user, Some("system:nodes")), key)?;
        objects::put(world, &identity, &signing_request(&name, request))?;
    }
    let wait = Wait {
        what: "the kubelet's certificate",
        within: job.discovery().tls_bootstrap_timeout,
        // Between two watches.
        every: Duration::from_millis(20),
    };
    let reference = ObjectRef::of(&objects::value(&signing_request(&name, String::new())));
    let mut issued = None;
    let outcome = world.time().wait(&wait, &mut || {
        let mut answer = Ok(Probe::NotYet(format!("there is no {name}")));
        let watched = world.cluster().watch(&identity, &reference, WATCHED_FOR, &mut |found| {
            answer = objects::read(&reference, found).and_then(|request| judge(request, &mut issued));
            !matches!(answer, Ok(Probe::NotYet(_)))
        });
        match watched.map_err(Problem::from) {
            Ok(()) => answer,
            Err(problem) if objects::may_pass(&problem) => Ok(Probe::NotYet(problem.why)),
            Err(problem) => Err(problem),
        }
    });
    outcome.map_err(|error| pending(&name, error.into_problem("csr-pending", "the kubelet gets no certificate")))?;
    let Some(issued) = issued else { return Ok(None) };
    let is_ours =
        Certificate::parse_all(&issued).is_ok_and(|found| found.first().is_some_and(|leaf| leaf.belongs_to(key)));
    if is_ours {
        Ok(Some(issued))
    } else {
        Err(Problem::new("csr-mismatch", "the certificate that was issued does not belong to the kubelet's key")
            .at(format!("CertificateSigningRequest {name}"))
            .fix(format!("kubectl delete csr {name}, then run the same command again")))
    }
}

/// Whether a request has been answered, and with which certificate.
fn judge(request: CertificateSigningRequest, issued: &mut Option<String>) -> Result<Probe, Problem> {
    let name = request.metadata.name.unwrap_or_default();
    let status = request.status.unwrap_or_default();
    if let Some(ByteString(bytes)) = &status.certificate {
        *issued = Some(String::from_utf8_lossy(bytes).into_owned());
        return Ok(Probe::Yes);
    }
    let conditions = status.conditions.unwrap_or_default();
    if let Some(refused) = conditions.iter().find(|condition| matches!(&*condition.type_, "Denied" | "Failed")) {
        return Err(denied(&name, refused.message.as_deref().unwrap_or_default()));
    }
    let is_approved = conditions.iter().any(|condition| condition.type_ == "Approved");
    Ok(Probe::NotYet(format!("{name} is {}", if is_approved { "approved, not signed" } else { "not approved" })))
}

fn status(
    name: &str,
    identity: &Identity,
    world: &World<'_>,
) -> Result<Option<CertificateSigningRequestStatus>, Problem> {
    let found: Option<CertificateSigningRequest> = objects::get(world, identity, "", name)?;
    Ok(found.map(|request| request.status.unwrap_or_default()))
}

fn signing_request(name: &str, pem: String) -> CertificateSigningRequest {
    CertificateSigningRequest {
        metadata: objects::metadata("", name),
        spec: CertificateSigningRequestSpec {
            request: ByteString(pem.into_bytes()),
            signer_name: "kubernetes.io/kube-apiserver-client-kubelet".to_owned(),
            usages: Some(["digital signature", "key encipherment", "client auth"].map(str::to_owned).to_vec()),
            ..CertificateSigningRequestSpec::default()
        },
        status: None,
    }
}

fn denied(name: &str, message: &str) -> Problem {
    Problem::new("csr-denied", "the cluster denies the kubelet a certificate")
        .saw(message)
        .at(format!("CertificateSigningRequest {name}"))
        .why("an approver of the cluster has refused it")
        .fix(format!("on a control-plane node, see why: kubectl describe csr {name}"))
}

fn pending(name: &str, problem: Problem) -> Problem {
    if problem.id != "csr-pending" {
        return problem;
    }
    problem
        .at(format!("CertificateSigningRequest {name}"))
        .why("kube-controller-manager does not run, or approves and signs nothing by itself")
        .fix(format!("on a control-plane node: kubectl certificate approve {name}; then run the same command again"))
        .fix("or see why nobody did: kubectl -n kube-system logs -l component=kube-controller-manager")
}
