//! Every way in which discovery can fail has its own problem, and good answers are trusted for the right reasons.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{find, jws};
use crate::certs::found::pins;
use crate::config::{BootstrapToken, CaPin, DiscoverBy, HostPort, JoinRequest, Release, TokenDiscovery};
use crate::kubeconfig;
use crate::support::{FixedTime, NOW, jobs};
use crate::world::{Answer, Clock, Cluster, ClusterError, Identity, ObjectChange, ObjectRef, Undo};

const CA: &str = include_str!("../../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/pki/ca.crt");
const OTHER_CA: &str = include_str!("../../testdata/kubeadm/v1.36.2/cluster/files/m1/etc/kubernetes/pki/ca.crt");
const TOKEN: &str = "abcdef.0123456789abcdef";

/// Answers reads of cluster-info: what is read without verification, and what is read with it.
struct Script {
    first: Result<Value, &'static str>,
    verified: Result<Value, &'static str>,
    server_time: Option<i64>,
    reads: Cell<usize>,
}

impl Script {
    fn good() -> Self {
        let info = signed(CA, TOKEN);
        Self { first: Ok(info.clone()), verified: Ok(info), server_time: Some(NOW.0), reads: Cell::new(0) }
    }
}

fn signed(ca: &str, token: &str) -> Value {
    let text = kubeconfig::cluster_info("https://10.0.0.1:6443", ca, &Release::new(20, 2));
    let token = BootstrapToken::parse(token).unwrap();
    let mut data = json!({"kubeconfig": text});
    data[format!("jws-kubeconfig-{}", token.id())] = json!(jws::sign(&text, &token));
    json!({"data": data})
}

impl Cluster for Script {
    fn get(&self, _: &Identity, _: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        unreachable!("discovery reads cluster-info by its path")
    }

    fn list(&self, _: &Identity, _: &ObjectRef, _: &str) -> Result<Vec<Value>, ClusterError> {
        unreachable!("discovery lists nothing")
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        assert!(path.ends_with("/kube-public/configmaps/cluster-info"), "{path}");
        self.reads.set(self.reads.get() + 1);
        let Identity::Anonymous { server, ca_pem } = identity else { panic!("discovery asks without credentials") };
        let answer = if ca_pem.is_some() { &self.verified } else { &self.first };
        match answer {
            Ok(value) => Ok(Answer { status: 200, body: value.to_string(), server_time: self.server_time }),
            Err(reason) => {
                Err(ClusterError::Unreachable { server: server.clone(), source: std::io::Error::other(*reason) })
            }
        }
    }

    fn prepare(&self, _: &ObjectChange) -> Result<Undo, ClusterError> {
        unreachable!("discovery changes nothing")
    }

    fn apply(&self, _: &ObjectChange) -> Result<(), ClusterError> {
        unreachable!("discovery changes nothing")
    }
}

fn request(pins: Vec<CaPin>) -> JoinRequest {
    JoinRequest {
        control_plane: None,
        discovery: DiscoverBy::Token(TokenDiscovery {
            endpoint: HostPort::new("10.0.0.1", 6443),
            discovery_token: BootstrapToken::parse(TOKEN).unwrap(),
            tls_bootstrap_token: BootstrapToken::parse(TOKEN).unwrap(),
            pins,
            unsafe_skip_ca_verification: false,
        }),
        discovery_timeout: Duration::from_secs(60),
        tls_bootstrap_timeout: Duration::from_secs(300),
        ca_cert_path: PathBuf::from("/etc/kubernetes/pki/ca.crt"),
        node: jobs::node("w1"),
    }
}

fn id_of(script: &Script, request: &JoinRequest) -> String {
    find(request, script, &FixedTime::default()).map_or_else(|problem| problem.id, |found| found.server)
}

#[test]
fn a_signed_and_pinned_cluster_is_found_in_two_reads() {
    let script = Script::good();
    let mut pinned = vec![CaPin::of_digest("0".repeat(64))];
    pinned.extend(pins(CA).unwrap());
    assert_eq!(id_of(&script, &request(pinned)), "https://10.0.0.1:6443");
    assert_eq!(script.reads.get(), 2, "each answer is read once");
}

#[test]
fn each_way_to_fail_has_its_own_problem() {
    let own = || pins(CA).unwrap();
    let forged = signed(CA, "abcdef.ffffffffffffffff");
    let other_token = signed(CA, "ffffff.0123456789abcdef");
    let cases: [(&str, Script, Vec<CaPin>); 8] = [
        ("discovery-bad-signature", Script { first: Ok(forged), ..Script::good() }, own()),
        ("discovery-wrong-pin", Script::good(), pins(OTHER_CA).unwrap()),
        ("discovery-unknown-token", Script { first: Ok(other_token), ..Script::good() }, own()),
        ("discovery-unreachable", Script { first: Err("connection refused"), ..Script::good() }, own()),
        ("clock-skew", Script { server_time: Some(NOW.0 + 3600), ..Script::good() }, own()),
        (
            "clock-skew",
            Script { verified: Err("certificate not valid yet"), server_time: Some(NOW.0 + 120), ..Script::good() },
            own(),
        ),
        ("discovery-certificate", Script { verified: Err("certificate not valid for name"), ..Script::good() }, own()),
        ("discovery-changed", Script { verified: Ok(signed(OTHER_CA, TOKEN)), ..Script::good() }, own()),
    ];
    for (expected, script, pins) in cases {
        assert_eq!(id_of(&script, &request(pins)), expected);
    }
}

#[test]
fn no_message_contains_the_tokens_secret() {
    for script in [
        Script { first: Ok(signed(CA, "abcdef.ffffffffffffffff")), ..Script::good() },
        Script { first: Err("refused"), ..Script::good() },
    ] {
        let problem = find(&request(Vec::new()), &script, &FixedTime::default()).unwrap_err();
        assert!(!format!("{problem:?}").contains("0123456789abcdef"), "{problem:?}");
    }
}

#[test]
fn a_token_that_is_signed_for_a_little_later_is_waited_for() {
    // A cluster that has signed for nobody yet is new: its controller may need its time.
    let unsigned =
        json!({"data": {"kubeconfig": kubeconfig::cluster_info("https://10.0.0.1:6443", CA, &Release::new(20, 2))}});
    let script = Script { first: Ok(unsigned), ..Script::good() };
    let time = FixedTime::default();
    time.set(Clock(NOW.0));
    let problem = find(&request(Vec::new()), &script, &time).unwrap_err();
    assert_eq!(problem.id, "discovery-not-signed");
    assert!(script.reads.get() > 30, "it was asked again until that is certain");
}
