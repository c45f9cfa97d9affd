//! Token discovery: anonymous read of `kube-public/cluster-info`, signature, pins, second read over the verified CA.
//!
//! ```text
//! anyone's answer ── JWS with the token ──► nobody changed it ── pin ──► this is the CA meant ── TLS with it ──► same text
//! ```
//!
//! Reads only. Every way to fail has a problem of its own, and none of them leaves a trace on the node.

use std::time::Duration;

use serde_json::Value;

use super::{Found, jws};
use crate::certs::found::pins;
use crate::config::{Bootstrap, TokenDiscovery};
use crate::kubeconfig;
use crate::problem::Problem;
use crate::world::{Answer, Clock, Cluster, ClusterError, Identity, Probe, Time, Wait, WaitError};

const PATH: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
/// How long a cluster that has signed for other tokens is given to sign for ours.
const SIGNATURE_GRACE: Duration = Duration::from_secs(10);
/// How long a cluster without cluster-info, or with one that nobody has signed, is taken for one that is being made.
const BEGINNING_GRACE: Duration = Duration::from_secs(30);
/// Certificates of a new cluster are valid from its own now on; token expiry and leases bear a few minutes.
const TOLERATED_SKEW_SECONDS: i64 = 300;

/// Finds the cluster behind an endpoint.
///
/// # Errors
/// One problem each for: an endpoint that does not answer, no cluster-info, an unknown or expired token, a forged
/// signature, a wrong pin, a clock that is wrong, and an answer that changes once the server is verified.
pub(super) fn find(
    request: &TokenDiscovery,
    within: Duration,
    (cluster, time): (&dyn Cluster, &dyn Time),
) -> Result<Found, Problem> {
    let first = first_read(request, within, (cluster, time))?;
    let text = &first.kubeconfig;
    if !jws::verify(text, &request.discovery_token, &first.signature) {
        return Err(forged(request));
    }
    let found = kubeconfig::parse(text)?;
    let ca_pem = found.ca_pem().unwrap_or_default().to_owned();
    check_pins(request, &ca_pem)?;
    check_clock(request, first.server_time, time.now())?;
    let verified = Identity::Anonymous { server: url(request), ca_pem: Some(ca_pem.clone()) };
    let second =
        cluster.raw(&verified, PATH).map_err(|error| not_verified(request, &error, first.server_time, time.now()))?;
    if cluster_info(&second).map(|info| info.kubeconfig).as_ref() != Some(text) {
        return Err(Problem::new(
            "discovery-changed",
            "the cluster-info read over the verified connection is another one",
        )
        .at(url(request))
        .why("the first answer came from somebody else, or cluster-info was rewritten in this moment")
        .fix("run the same command again; if it stays so, somebody stands between this machine and the API server"));
    }
    Ok(Found { server: found.server, ca_pem, bootstrap: Bootstrap::Token(request.tls_bootstrap_token.clone()) })
}

struct FirstRead {
    kubeconfig: String,
    signature: String,
    server_time: Option<i64>,
}

/// Until the endpoint answers with a cluster-info that is signed for our token.
fn first_read(
    request: &TokenDiscovery,
    within: Duration,
    (cluster, time): (&dyn Cluster, &dyn Time),
) -> Result<FirstRead, Problem> {
    let identity = Identity::Anonymous { server: url(request), ca_pem: None };
    let key = format!("jws-kubeconfig-{}", request.discovery_token.id());
    let mut found = None;
    let mut answered_since: Option<Clock> = None;
    let mut missing_since: Option<Clock> = None;
    let wait = Wait { what: "the signed cluster-info", within, every: Duration::from_millis(100) };
    let outcome = time.wait(&wait, &mut || {
        let answer = match cluster.raw(&identity, PATH) {
            Ok(answer) => answer,
            Err(error) => return Ok(Probe::NotYet(error.reason())),
        };
        let Some(info) = cluster_info(&answer) else {
            let since = *missing_since.get_or_insert_with(|| time.now());
            if answer.status == 404 && time.now() >= since.plus(BEGINNING_GRACE) {
                return Err(no_cluster_info(request));
            }
            return Ok(Probe::NotYet(match answer.status {
                404 => "the cluster has no cluster-info yet".to_owned(),
                status => format!("the API server answers {status} to an anonymous read of cluster-info"),
            }));
        };
        if let Some(signature) = info.signatures.get(&key).and_then(Value::as_str) {
            found = Some(FirstRead {
                kubeconfig: info.kubeconfig,
                signature: signature.to_owned(),
                server_time: answer.server_time,
            });
            return Ok(Probe::Yes);
        }
        let since = *answered_since.get_or_insert_with(|| time.now());
        let has_others = info.signatures.keys().any(|key| key.starts_with("jws-kubeconfig-"));
        if has_others && time.now() >= since.plus(SIGNATURE_GRACE) {
            return Err(unknown_token(request));
        }
        if !has_others && time.now() >= since.plus(BEGINNING_GRACE) {
            return Err(not_signed(request));
        }
        Ok(Probe::NotYet(format!("cluster-info is not signed for token {}", request.discovery_token.id())))
    });
    match (outcome, found) {
        (Ok(()), Some(found)) => Ok(found),
        (Err(WaitError::TimeUp { last, after }), _) => Err(time_up(request, answered_since.is_some(), last, after)),
        (Err(error), _) => Err(error.into_problem("discovery", "discovery failed")),
        (Ok(()), None) => Err(time_up(request, false, "nothing was read".to_owned(), Duration::ZERO)),
    }
}

struct ClusterInfo {
    kubeconfig: String,
    signatures: serde_json::Map<String, Value>,
}

fn cluster_info(answer: &Answer) -> Option<ClusterInfo> {
    if answer.status != 200 {
        return None;
    }
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    let data = value.get("data")?.as_object()?.clone();
    Some(ClusterInfo { kubeconfig: data.get("kubeconfig")?.as_str()?.to_owned(), signatures: data })
}

fn url(request: &TokenDiscovery) -> String {
    format!("https://{}", request.endpoint)
}

fn check_pins(request: &TokenDiscovery, ca_pem: &str) -> Result<(), Problem> {
    if request.pins.is_empty() {
        return Ok(());
    }
    let actual = pins(ca_pem)?;
    if actual.iter().any(|pin| request.pins.contains(pin)) {
        return Ok(());
    }
    let list = |pins: &[crate::config::CaPin]| pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(Problem::new("discovery-wrong-pin", "the cluster's CA is not the one that was pinned")
        .saw(format!("the cluster at {} has {}", request.endpoint, list(&actual)))
        .at(format!("--discovery-token-ca-cert-hash {}", list(&request.pins)))
        .why("the endpoint is another cluster's, the hash is another cluster's, or somebody stands in between")
        .fix("on a control-plane node of the cluster meant, get a fresh line: kubestrap token create --print-join-command"))
}

fn check_clock(request: &TokenDiscovery, server_time: Option<i64>, now: Clock) -> Result<(), Problem> {
    match server_time {
        Some(server) if (server - now.0).abs() > TOLERATED_SKEW_SECONDS => Err(skewed(request, server, now)),
        _ => Ok(()),
    }
}

fn skewed(request: &TokenDiscovery, server: i64, now: Clock) -> Problem {
    let (seconds, word) = if server > now.0 { (server - now.0, "behind") } else { (now.0 - server, "ahead of") };
    Problem::new("clock-skew", format!("this machine's clock is {seconds} s {word} the API server's"))
        .saw(format!("here {}, there {}", now.rfc3339(), Clock(server).rfc3339()))
        .at(url(request))
        .why("certificates and tokens would be taken for expired or not yet valid")
        .fix("set the clock: systemctl restart systemd-timesyncd (or chrony), and look: timedatectl")
}

fn forged(request: &TokenDiscovery) -> Problem {
    Problem::new("discovery-bad-signature", "the cluster-info is not signed with this token's secret")
        .at(url(request))
        .why("the token's second half is wrong, or somebody stands between this machine and the API server")
        .fix("on a control-plane node, get a fresh line: kubestrap token create --print-join-command")
}

fn unknown_token(request: &TokenDiscovery) -> Problem {
    Problem::new(
        "discovery-unknown-token",
        format!("the cluster does not know the token {}", request.discovery_token.id()),
    )
    .saw("cluster-info is signed for other tokens, not for this one")
    .at(url(request))
    .why("the token has expired or was deleted, or belongs to another cluster")
    .fix("on a control-plane node, get a fresh line: kubestrap token create --print-join-command")
}

fn not_signed(request: &TokenDiscovery) -> Problem {
    Problem::new("discovery-not-signed", "the cluster's cluster-info is signed for no token at all")
        .saw("ConfigMap kube-public/cluster-info has no key that begins with jws-kubeconfig-")
        .at(url(request))
        .why("every bootstrap token has expired or was deleted, or kube-controller-manager, which signs, does not run")
        .fix("on a control-plane node, get a fresh line: kubestrap token create --print-join-command")
        .fix("see whether the signer runs: kubectl -n kube-system get pods -l component=kube-controller-manager")
}

fn no_cluster_info(request: &TokenDiscovery) -> Problem {
    Problem::new("discovery-no-cluster-info", "the cluster has no cluster-info")
        .saw("404 to the read of ConfigMap kube-public/cluster-info")
        .at(url(request))
        .why("it was deleted, or the cluster was not made by kubestrap or kubeadm")
        .fix("on the first control-plane node: kubestrap init phase bootstrap-token")
        .fix("or join with --discovery-file and a kubeconfig of the cluster")
}

fn time_up(request: &TokenDiscovery, has_answered: bool, last: String, after: Duration) -> Problem {
    if has_answered {
        return unknown_token(request).saw(last);
    }
    Problem::new(
        "discovery-unreachable",
        format!("no cluster-info from {} within {} s", request.endpoint, after.as_secs()),
    )
    .saw(last)
    .at(url(request))
    .why("the address or port is wrong, nothing listens there, or a firewall or proxy is in the way")
    .fix(format!("see whether it answers: curl -k {}/livez", url(request)))
    .fix("check the endpoint in the join command against `kubectl cluster-info` on a control-plane node")
}

fn not_verified(request: &TokenDiscovery, error: &ClusterError, server_time: Option<i64>, now: Clock) -> Problem {
    let reason = error.reason();
    let is_about_time = reason.contains("not valid yet") || reason.contains("NotValidYet") || reason.contains("xpired");
    if let (true, Some(server)) = (is_about_time, server_time)
        && (server - now.0).abs() > 1
    {
        return skewed(request, server, now).saw(reason);
    }
    Problem::new(
        "discovery-certificate",
        format!("the API server's certificate at {} is not accepted", request.endpoint),
    )
    .saw(reason)
    .at(url(request))
    .why("it is signed by another CA than the cluster's, does not name this address, or is out of date")
    .fix("use an address that the certificate names: openssl s_client -connect <endpoint> | openssl x509 -noout -text")
}
