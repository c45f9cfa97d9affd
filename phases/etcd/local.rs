//! Phase `etcd/local`: data folder and manifest of the etcd member on this node.
//!
//! Decides flags, volumes and probes from the job; makes the data folder (0700) and writes `manifests/etcd.yaml`.

use std::net::IpAddr;

use serde_json::Value;

use crate::config::{Etcd, HostPathMount, HostPort, LocalEtcd, OnControlPlane};
use crate::control_plane::pod::{self, ProbeTarget, StaticPod};
use crate::plan::{Artifact, Phase, Verdict};
use crate::problem::Problem;
use crate::releases::Image;
use crate::rootless;
use crate::world::World;

const NAME: &str = "etcd";
const TEMPLATE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/static-pods/etcd.yaml"));
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
const METRICS_PORT: u16 = 2381;

/// Phase `etcd/local`.
pub struct LocalMember;

impl<J: OnControlPlane> Phase<J> for LocalMember {
    fn name(&self) -> &'static str {
        "local"
    }

    fn about(&self) -> &'static str {
        "manifest of the etcd member on this node"
    }

    fn needs(&self, job: &J) -> Vec<Artifact> {
        let layout = &job.node().layout;
        vec![
            Artifact::file("the certificate with which etcd serves", layout.certificate("etcd/server.crt")),
            Artifact::file("the certificate with which etcd's members talk", layout.certificate("etcd/peer.crt")),
        ]
    }

    fn makes(&self, job: &J) -> Vec<Artifact> {
        vec![Artifact::file("the manifest of etcd", job.node().layout.manifest(NAME))]
    }

    fn verdict(&self, job: &J) -> Verdict {
        match job.cluster().etcd {
            Etcd::Local(_) => Verdict::Run,
            Etcd::External(_) => Verdict::Skip("etcd is external".to_owned()),
        }
    }

    fn run(&self, job: &J, world: &World<'_>) -> Result<(), Problem> {
        put(job, &[], world)
    }
}

/// A member of the etcd cluster that a node joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, which is its node's.
    pub name: String,
    /// `https://address:2380`.
    pub peer_url: String,
}

/// Makes the data folder and writes the manifest; `members` are all members of a cluster that is joined, this one
/// included, and empty for the first member. Does nothing when etcd is external.
///
/// # Errors
/// When folder or file cannot be written, or an environment variable of the configuration is none.
pub fn put(job: &dyn OnControlPlane, members: &[Member], world: &World<'_>) -> Result<(), Problem> {
    let Etcd::Local(etcd) = &job.cluster().etcd else { return Ok(()) };
    world.put_folder(&etcd.data_dir, 0o700)?;
    rootless::hand_over(job, NAME, world)?;
    pod::put(world, job.node(), NAME, manifest(job, etcd, members)?)
}

/// The text of the manifest.
///
/// # Errors
/// When an environment variable of the configuration is none.
pub fn manifest(job: &dyn OnControlPlane, etcd: &LocalEtcd, members: &[Member]) -> Result<String, Problem> {
    let pod = StaticPod::from_template(TEMPLATE, &job.cluster().release);
    Ok(fill(pod, job, etcd, members)?.finish(&etcd.component))
}

pub(crate) fn fill<'j>(
    mut pod: StaticPod<'j>,
    job: &'j dyn OnControlPlane,
    etcd: &LocalEtcd,
    members: &[Member],
) -> Result<StaticPod<'j>, Problem> {
    let (cluster, layout) = (job.cluster(), &job.node().layout);
    pod.image(Image::Etcd.reference(cluster));
    pod.annotation("kubeadm.kubernetes.io/etcd.advertise-client-urls", client_url(job));
    if cluster.release.etcd_requests_storage() {
        pod.request("ephemeral-storage", "100Mi");
    }
    flags(&mut pod, job, etcd, members);
    for (name, path) in [("etcd-data", etcd.data_dir.as_path()), ("etcd-certs", &layout.certificate("etcd"))] {
        let mount = pod::read_only(name, path.display().to_string(), "DirectoryOrCreate");
        pod.mount(&HostPathMount { read_only: false, ..mount });
    }
    for mount in &etcd.component.extra_volumes {
        pod.mount(mount);
    }
    pod.run_as(job.node(), NAME);
    pod.environment(&[], &etcd.component)?;
    pod.probes(&probe_target(job, etcd));
    Ok(pod)
}

fn flags(pod: &mut StaticPod<'_>, job: &dyn OnControlPlane, etcd: &LocalEtcd, members: &[Member]) {
    let (release, layout) = (&job.cluster().release, &job.node().layout);
    let (name, loopback) = (job.node().name.as_str(), loopback(job));
    pod.flag("name", name);
    pod.flag("data-dir", etcd.data_dir.display().to_string());
    pod.flag("advertise-client-urls", client_url(job));
    pod.flag("listen-client-urls", format!("{},{}", url("https", loopback, CLIENT_PORT), client_url(job)));
    pod.flag("listen-metrics-urls", url("http", loopback, METRICS_PORT));
    pod.flag("initial-advertise-peer-urls", peer_url(job));
    pod.flag("listen-peer-urls", peer_url(job));
    if members.is_empty() {
        pod.flag("initial-cluster", format!("{name}={}", peer_url(job)));
    } else {
        let mut members: Vec<String> =
            members.iter().map(|member| format!("{}={}", member.name, member.peer_url)).collect();
        // etcd tells its members in the order of their random IDs: a run that goes on would write another manifest.
        members.sort();
        pod.flag("initial-cluster", members.join(","));
        pod.flag("initial-cluster-state", "existing");
    }
    for (flag, file) in [
        ("cert-file", "etcd/server.crt"),
        ("key-file", "etcd/server.key"),
        ("peer-cert-file", "etcd/peer.crt"),
        ("peer-key-file", "etcd/peer.key"),
        ("peer-trusted-ca-file", "etcd/ca.crt"),
        ("trusted-ca-file", "etcd/ca.crt"),
    ] {
        pod.path_flag(flag, &layout.certificate(file));
    }
    let tag = etcd.image_tag.as_deref().unwrap_or_else(|| release.etcd_tag());
    for (flag, value) in release.etcd_flags(tag) {
        pod.flag(flag, *value);
    }
}

/// The value of a flag in a manifest of etcd.
pub(crate) fn flag_of(pod: &Value, name: &str) -> Option<String> {
    let words = pod.pointer("/spec/containers/0/command")?.as_array()?.iter().filter_map(Value::as_str);
    let mut values = words.filter_map(|word| word.strip_prefix("--")?.split_once('='));
    values.find(|(flag, _)| *flag == name).map(|(_, value)| value.to_owned())
}

/// URL under which clients on other nodes reach this node's member.
pub fn client_url(job: &dyn OnControlPlane) -> String {
    client_url_at(job.endpoint().address)
}

/// URL under which clients reach the member on the node with this address.
pub(super) fn client_url_at(address: IpAddr) -> String {
    url("https", &address.to_string(), CLIENT_PORT)
}

/// URL under which other members reach this node's member.
pub fn peer_url(job: &dyn OnControlPlane) -> String {
    url("https", &job.endpoint().address.to_string(), PEER_PORT)
}

fn url(scheme: &str, host: &str, port: u16) -> String {
    format!("{scheme}://{}", HostPort::new(host, port))
}

/// Of the same family as the advertise address.
fn loopback(job: &dyn OnControlPlane) -> &'static str {
    if job.endpoint().address.is_ipv6() { "::1" } else { "127.0.0.1" }
}

/// Probes ask the first metrics URL that the user gives, as it stands, else the loopback address.
fn probe_target(job: &dyn OnControlPlane, etcd: &LocalEtcd) -> ProbeTarget {
    let cluster = job.cluster();
    let given = pod::user_flag(&etcd.component, "listen-metrics-urls").and_then(|urls| {
        let (scheme, rest) = urls.split(',').next()?.trim().split_once("://")?;
        let authority = rest.split('/').next()?;
        Some((scheme == "https", HostPort::parse(authority, Some(METRICS_PORT)).ok()?))
    });
    let (is_tls, address) = given.unwrap_or_else(|| (false, HostPort::new(loopback(job), METRICS_PORT)));
    ProbeTarget {
        host: address.host().to_owned(),
        port: address.port(),
        scheme: if is_tls { "HTTPS" } else { "HTTP" },
        paths: cluster.release.etcd_probes(),
        startup_within: cluster.control_plane_timeout,
    }
}
