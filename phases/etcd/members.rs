//! What the phases about etcd's membership share: how etcd is reached, who is well, and trying again what may pass.
//!
//! Endpoints are read from the annotations of etcd's Pods, as kubeadm writes and reads them, and beside the API servers.

use std::time::Duration;

use super::local;
use crate::config::{Layout, OnControlPlane};
use crate::objects;
use crate::plan::Artifact;
use crate::problem::Problem;
use crate::world::{EtcdAccess, EtcdError, EtcdMember, Identity, ObjectRef, Probe, Wait, WaitError, World};

/// Where kubeadm, and this program, write the client URL of a member.
pub(crate) const CLIENT_URL_ANNOTATION: &str = "kubeadm.kubernetes.io/etcd.advertise-client-urls";
/// How long etcd's Pods may take to show their addresses.
const ENDPOINTS_LIMIT: Duration = Duration::from_secs(60);
/// How long the members may take to be well, as in kubeadm: 8 looks, 5 s apart.
const HEALTH_LIMIT: Duration = Duration::from_secs(40);
/// Pause between two looks or attempts.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// The files with which a node may ask etcd.
pub(super) fn needs(layout: &Layout) -> Vec<Artifact> {
    vec![
        Artifact::file("the administrator's kubeconfig", layout.kubeconfig("admin.conf")),
        Artifact::file("the certificate of etcd's CA", layout.certificate("etcd/ca.crt")),
        Artifact::file("the certificate with which etcd is asked", layout.certificate("etcd/healthcheck-client.crt")),
        Artifact::file("the key with which etcd is asked", layout.certificate("etcd/healthcheck-client.key")),
    ]
}

/// These endpoints, with this node's certificate.
pub(crate) fn access(layout: &Layout, endpoints: Vec<String>) -> EtcdAccess {
    EtcdAccess {
        endpoints,
        ca: layout.certificate("etcd/ca.crt"),
        certificate: layout.certificate("etcd/healthcheck-client.crt"),
        key: layout.certificate("etcd/healthcheck-client.key"),
    }
}

/// The client URLs that etcd's Pods show, sorted; Pods without the annotation show none.
///
/// # Errors
/// When the API server cannot be asked.
pub(crate) fn shown_endpoints(identity: &Identity, world: &World<'_>) -> Result<Vec<String>, Problem> {
    let query = "labelSelector=component%3Detcd,tier%3Dcontrol-plane";
    let pods = world.cluster().list(identity, &ObjectRef::new("v1", "Pod", "kube-system", ""), query)?;
    let of_etcd = pods.iter().filter(|pod| pod["metadata"]["labels"]["component"] == "etcd");
    let urls = of_etcd.filter_map(|pod| pod["metadata"]["annotations"][CLIENT_URL_ANNOTATION].as_str());
    let urls = urls.flat_map(|urls| urls.split(',')).map(|url| url.trim().to_owned());
    let mut urls: Vec<String> = urls.filter(|url| !url.is_empty()).collect();
    urls.sort();
    urls.dedup();
    Ok(urls)
}

/// How this node reaches the cluster's etcd: members of other nodes first, since its own may have no vote yet.
///
/// # Errors
/// `etcd-no-endpoint` when no Pod shows an address in time; when the API server refuses the question.
pub(super) fn found(job: &dyn OnControlPlane, world: &World<'_>) -> Result<EtcdAccess, Problem> {
    let layout = &job.node().layout;
    let (identity, own) = (Identity::Kubeconfig(layout.kubeconfig("admin.conf")), local::client_url(job));
    let mut endpoints = Vec::new();
    let wait = Wait { what: "the addresses of etcd's members", within: ENDPOINTS_LIMIT, every: PAUSE };
    let outcome = world.time().wait(&wait, &mut || match shown_endpoints(&identity, world) {
        Ok(shown) => {
            endpoints = shown;
            let beside = beside_api_servers(&identity, world).unwrap_or_default();
            let unknown: Vec<String> = beside.into_iter().filter(|url| !endpoints.contains(url)).collect();
            endpoints.extend(unknown);
            Ok(if endpoints.is_empty() {
                Probe::NotYet("no Pod of etcd shows its address".to_owned())
            } else {
                Probe::Yes
            })
        }
        Err(problem) if objects::may_pass(&problem) => Ok(Probe::NotYet(problem.why)),
        Err(problem) => Err(problem),
    });
    outcome.map_err(|error| {
        let get = "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get pods -l component=etcd -o wide";
        in_time(error, "etcd-no-endpoint", "etcd's members cannot be found", |problem| {
            problem.fix(format!("look for etcd's Pods: {get}")).fix("then run the same command again")
        })
    })?;
    endpoints.sort_by_key(|endpoint| *endpoint == own);
    Ok(access(layout, endpoints))
}

/// Where a stacked etcd is: beside each API server. A kubelet shows its static Pods up to 75 s after their start, if it
/// started before the API server did; a node that joins right after `init` would wait for that, and one that joins again
/// would see only the Pod that its earlier life has left.
fn beside_api_servers(identity: &Identity, world: &World<'_>) -> Result<Vec<String>, Problem> {
    let reference = ObjectRef::new("v1", "Endpoints", "default", "kubernetes");
    let found = world.cluster().get(identity, &reference)?.unwrap_or_default();
    let subsets = found["subsets"].as_array().into_iter().flatten();
    let addresses = subsets.flat_map(|subset| subset["addresses"].as_array().into_iter().flatten());
    let addresses = addresses.filter_map(|address| address["ip"].as_str()?.parse().ok());
    Ok(addresses.map(local::client_url_at).collect())
}

/// The problem of a wait; where time is up, with what is to be done then.
pub(super) fn in_time(error: WaitError, id: &str, what: &str, fix: impl FnOnce(Problem) -> Problem) -> Problem {
    let is_late = matches!(error, WaitError::TimeUp { .. });
    let problem = error.into_problem(id, what);
    if is_late { fix(problem) } else { problem }
}

/// Answers of etcd that pass: a majority or a connection just being made, the one place for a learner taken, or a member
/// that the one who was asked has not heard of yet.
const PASSING: [&str; 10] = [
    "in sync with leader",
    "too many learner members",
    "not enough started members",
    "unhealthy cluster",
    "no leader",
    "leader changed",
    "leader transfer",
    "request timed out",
    "too many requests",
    "Peer URLs already exists",
];

/// Whether the same call of etcd may succeed a moment later.
pub(crate) fn may_pass(problem: &Problem) -> bool {
    match problem.id.as_str() {
        "etcd-unreachable" => true,
        "etcd-refused" => PASSING.iter().any(|words| problem.why.contains(words)),
        _ => false,
    }
}

/// Tries until it works, while what keeps it from working may pass.
///
/// # Errors
/// The last problem, when time is up or it will not pass.
pub(crate) fn insist<T>(
    world: &World<'_>,
    wait: &Wait<'_>,
    mut attempt: impl FnMut() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut outcome = attempt();
    if !outcome.as_ref().is_err_and(may_pass) {
        return outcome;
    }
    let waited = world.time().wait(wait, &mut || {
        outcome = attempt();
        match &outcome {
            Err(problem) if may_pass(problem) => Ok(Probe::NotYet(problem.why.clone())),
            _ => Ok(Probe::Yes),
        }
    });
    match waited {
        Err(error @ WaitError::Interrupted) => Err(error.into_problem("interrupted", wait.what)),
        // The last answer says more than that time is up.
        _ => outcome,
    }
}

/// A member that is not well, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sick {
    pub(crate) member: EtcdMember,
    pub(crate) reason: String,
}

/// Which of these members are not well. One that has not started yet has no address to be asked at, and is passed over.
///
/// # Errors
/// When this node's credentials cannot be used.
pub(crate) fn sick<'m>(
    members: impl IntoIterator<Item = &'m EtcdMember>,
    access: &EtcdAccess,
    world: &World<'_>,
) -> Result<Vec<Sick>, Problem> {
    let mut found = Vec::new();
    for member in members {
        let Some(url) = member.client_urls.first() else { continue };
        let reason = match world.etcd().status(access, url) {
            Ok(status) => status.ailment(),
            Err(error @ EtcdError::Credentials { .. }) => return Err(error.into()),
            Err(error) => Some(error.reason()),
        };
        found.extend(reason.map(|reason| Sick { member: member.clone(), reason }));
    }
    Ok(found)
}

/// `n2 (connection refused), n3 (it knows no leader)`.
pub(crate) fn names(sick: &[Sick]) -> String {
    sick.iter().map(|sick| format!("{} ({})", sick.member.name, sick.reason)).collect::<Vec<_>>().join(", ")
}

/// Waits until all members that have started are well, `except` for the one at this peer URL. Gives their number.
///
/// # Errors
/// `etcd-unhealthy` with the members that are not, and what to do about them.
pub(super) fn wait_until_well(access: &EtcdAccess, except: Option<&str>, world: &World<'_>) -> Result<usize, Problem> {
    let mut last: Vec<Sick> = Vec::new();
    let mut count = 0;
    let wait = Wait { what: "etcd's members to be well", within: HEALTH_LIMIT, every: PAUSE };
    let outcome = world.time().wait(&wait, &mut || {
        let members = match world.etcd().members(access).map_err(Problem::from) {
            Ok(members) => members,
            Err(problem) if may_pass(&problem) => return Ok(Probe::NotYet(problem.why)),
            Err(problem) => return Err(problem),
        };
        let asked = || members.iter().filter(|member| !except.is_some_and(|peer_url| member.is_at(peer_url)));
        count = asked().filter(|member| member.has_started()).count();
        last = sick(asked(), access, world)?;
        Ok(if last.is_empty() { Probe::Yes } else { Probe::NotYet(names(&last)) })
    });
    outcome.map(|()| count).map_err(|error| {
        in_time(error, "etcd-unhealthy", "not all members of etcd are well", |problem| {
            let problem = last.iter().take(2).fold(problem, |problem, Sick { member, .. }| {
                problem.fix(format!(
                    "bring {0} back; if it is gone for good, on another control-plane node: {1}",
                    member.name,
                    etcdctl(&format!("member remove {}", member.id))
                ))
            });
            problem.fix("then run the same command again: it goes on from here")
        })
    })
}

/// An order for etcd that can be copied to any control-plane node, whose etcd Pod has the program.
pub(crate) fn etcdctl(order: &str) -> String {
    format!(
        "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system exec etcd-$(hostname) -- etcdctl \
         --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt \
         --key /etc/kubernetes/pki/etcd/server.key {order}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_refuses_for_a_while_is_told_from_what_it_refuses_for_good() {
        for (id, words, expected) in [
            ("etcd-refused", "etcdserver: can only promote a learner member which is in sync with leader", true),
            ("etcd-refused", "etcdserver: too many learner members in cluster", true),
            ("etcd-refused", "etcdserver: re-configuration failed due to not enough started members", true),
            ("etcd-refused", "etcdserver: unhealthy cluster", true),
            ("etcd-refused", "etcdserver: member not found", false),
            ("etcd-refused", "etcdserver: permission denied", false),
            ("etcd-unreachable", "connection refused", true),
            ("etcd-credentials", "no such file", false),
            ("interrupted", "a signal asked for it", false),
        ] {
            assert_eq!(may_pass(&Problem::new(id, "add").why(words)), expected, "{words}");
        }
    }
}
