//! Looks at journal, files, units, API server and etcd, at each once.

use std::path::PathBuf;

use serde_json::Value;

use super::{Api, Inventory, Kubelet, Member, Role, Status};
use crate::certs::certificate::Certificate;
use crate::config::{NodeConfig, Reset};
use crate::diagnosis;
use crate::etcd::members;
use crate::kubeconfig::cluster_of;
use crate::plan::damage;
use crate::problem::Problem;
use crate::world::{Answer, Clock, FileKind, Host, Identity, ObjectRef, World};

const KUBELET: &str = "kubelet.service";
const COMPONENTS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Looks at this machine; `job` says where things lie on it.
///
/// # Errors
/// When the machine's own files cannot be looked at.
pub fn look(job: &Reset, world: &World<'_>) -> Result<Status, Problem> {
    let host = world.host();
    let node = &job.node;
    let role = role(node, host)?;
    let credentials = credentials(node, host)?;
    let api = credentials.as_ref().map(|path| api(path, world));
    let is_up = api.as_ref().is_some_and(|api| api.release.is_ok());
    let unit = host.unit(KUBELET)?;
    let registered = credentials.as_ref().filter(|_| is_up).map(|path| is_ready(node, path, world));
    let unfinished = world.journal().unfinished().ok().flatten();
    let mut status = Status {
        name: node.name.to_string(),
        role,
        now: world.time().now(),
        since: world.journal().made_node_at().ok().flatten(),
        at_work: unfinished.as_ref().and_then(|_| world.journal().at_work()),
        unfinished,
        etcd: etcd(node, role, world)?,
        api,
        kubelet: Kubelet { state: if unit.exists { unit.active } else { String::new() }, node: registered },
        first_to_expire: first_to_expire(job, host)?,
        inventory: inventory(world),
        troubles: Vec::new(),
    };
    status.troubles = troubles(&status, node, world)?;
    Ok(status)
}

fn role(node: &NodeConfig, host: &dyn Host) -> Result<Role, Problem> {
    Ok(if host.stat(&node.layout.manifest("kube-apiserver"))?.is_some() {
        Role::ControlPlane
    } else if host.stat(&node.layout.kubeconfig("kubelet.conf"))?.is_some() {
        Role::Worker
    } else {
        Role::None
    })
}

/// The node's own kubeconfigs, the one that may do most first.
fn credentials(node: &NodeConfig, host: &dyn Host) -> Result<Option<PathBuf>, Problem> {
    for file in ["admin.conf", "kubelet.conf"] {
        let path = node.layout.kubeconfig(file);
        if host.stat(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn api(kubeconfig: &std::path::Path, world: &World<'_>) -> Api {
    let server = cluster_of(world.host(), kubeconfig).map_or_else(|problem| problem.what, |known| known.server);
    let release = match world.cluster().raw(&Identity::Kubeconfig(kubeconfig.to_owned()), "/version") {
        Ok(Answer { status: 200, body, .. }) => {
            let version: Value = serde_json::from_str(&body).unwrap_or_default();
            Ok(version["gitVersion"].as_str().unwrap_or("of an unknown release").to_owned())
        }
        Ok(Answer { status, .. }) => Err(format!("it answers with {status}")),
        Err(error) => Err(error.reason()),
    };
    Api { server, release }
}

fn is_ready(node: &NodeConfig, kubeconfig: &std::path::Path, world: &World<'_>) -> Result<bool, String> {
    let own = ObjectRef::new("v1", "Node", "", node.name.as_str());
    match world.cluster().get(&Identity::Kubeconfig(kubeconfig.to_owned()), &own) {
        Ok(Some(found)) => {
            let conditions = found["status"]["conditions"].as_array().into_iter().flatten();
            Ok(conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True"))
        }
        Ok(None) => Err("the cluster has no such Node".to_owned()),
        Err(error) => Err(error.reason()),
    }
}

fn etcd(node: &NodeConfig, role: Role, world: &World<'_>) -> Result<Option<Result<Vec<Member>, String>>, Problem> {
    if role != Role::ControlPlane || world.host().stat(&node.layout.manifest("etcd"))?.is_none() {
        return Ok(None);
    }
    let access = members::access(&node.layout, vec!["https://127.0.0.1:2379".to_owned()]);
    Ok(Some(match world.etcd().members(&access) {
        Ok(members) => Ok(members.iter().map(|member| health(member, &access, world)).collect()),
        Err(error) => Err(error.reason()),
    }))
}

fn health(member: &crate::world::EtcdMember, access: &crate::world::EtcdAccess, world: &World<'_>) -> Member {
    let name = if member.name.is_empty() { member.peer_urls.join(",") } else { member.name.clone() };
    let ailment = match member.client_urls.first() {
        None => Some("it was added and has not started".to_owned()),
        Some(_) if member.is_learner => Some("it has no vote yet".to_owned()),
        Some(url) => match world.etcd().status(access, url) {
            Ok(status) => status.ailment(),
            Err(error) => Some(error.reason()),
        },
    };
    Member { name, ailment }
}

/// Of the leaves in the certificate folder, and of the kubelet's own.
fn first_to_expire(job: &Reset, host: &dyn Host) -> Result<Option<(PathBuf, Clock)>, Problem> {
    let mut files = vec![job.node.layout.kubelet().join("pki/kubelet-client-current.pem")];
    for folder in [job.certificates_dir.clone(), job.certificates_dir.join("etcd")] {
        let entries = host.list(&folder)?.into_iter().filter(|entry| entry.kind == FileKind::File);
        files.extend(entries.map(|entry| entry.path).filter(|path| path.extension().is_some_and(|end| end == "crt")));
    }
    let mut ends = Vec::new();
    for path in files {
        let Ok(Some(bytes)) = host.read(&path) else { continue };
        let chain = Certificate::parse_all(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
        ends.extend(chain.first().map(|leaf| (path, leaf.not_after)));
    }
    Ok(ends.into_iter().min_by_key(|(_, end)| end.0))
}

fn inventory(world: &World<'_>) -> Result<Inventory, String> {
    let told = |problem: Problem| problem.to_string();
    let ours = world.journal().inventory().map_err(told)?;
    let damages = damage::look(&ours, world.host()).map_err(|error| told(error.into()))?;
    Ok(Inventory { files: ours.files().count(), folders: ours.folders().count(), damages })
}

/// What is wrong: the end of the unfinished run, and what diagnosis sees where a kubelet should be at work.
fn troubles(status: &Status, node: &NodeConfig, world: &World<'_>) -> Result<Vec<Problem>, Problem> {
    let mut found = Vec::new();
    let has_kubelet = world.host().stat(&node.layout.kubeconfig("kubelet.conf"))?.is_some();
    if has_kubelet && world.host().rootfs().is_none() {
        let answer = match &status.api {
            Some(Api { release: Err(reason), .. }) => reason.as_str(),
            _ => "",
        };
        let local: &[&str] = if status.etcd.is_some() { &COMPONENTS } else { &COMPONENTS[1..] };
        let sight = match status.role {
            Role::ControlPlane => diagnosis::control_plane(node, local, answer, world)?,
            _ => diagnosis::worker(node, world)?,
        };
        found.extend(sight.certain);
    }
    Ok(found)
}
