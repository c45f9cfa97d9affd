//! Discovery by file and by URL: what is believed, who joins, and every way to fail.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::Value;

use super::find;
use crate::config::{Bootstrap, JoinFlags, JoinRequest, resolve_join};
use crate::kubeconfig;
use crate::problem::Problem;
use crate::support::FixedTime;
use crate::support::jobs::V1_36;
use crate::world::{Answer, Cluster, ClusterError, Facts, Identity, ObjectChange, ObjectRef, Overlay, Undo};

const CA: &str = include_str!("../../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/pki/ca.crt");
const TOKEN: &str = "abcdef.0123456789abcdef";

/// Answers every read of a server, and keeps who asked.
struct Server {
    status: u16,
    body: String,
    asked: RefCell<Vec<(Identity, String)>>,
}

impl Server {
    fn answering(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), asked: RefCell::default() }
    }
}

impl Cluster for Server {
    fn get(&self, _: &Identity, _: &ObjectRef) -> Result<Option<Value>, ClusterError> {
        unreachable!("discovery reads paths")
    }

    fn list(&self, _: &Identity, _: &ObjectRef, _: &str) -> Result<Vec<Value>, ClusterError> {
        unreachable!("discovery lists nothing")
    }

    fn raw(&self, identity: &Identity, path: &str) -> Result<Answer, ClusterError> {
        self.asked.borrow_mut().push((identity.clone(), path.to_owned()));
        Ok(Answer { status: self.status, body: self.body.clone(), server_time: None })
    }

    fn prepare(&self, _: &ObjectChange) -> Result<Undo, ClusterError> {
        unreachable!("discovery changes nothing")
    }

    fn apply(&self, _: &ObjectChange) -> Result<(), ClusterError> {
        unreachable!("discovery changes nothing")
    }
}

fn info() -> String {
    kubeconfig::cluster_info("https://10.0.0.1:6443", CA, &V1_36)
}

/// The same with a user.
fn with_user(user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: k, cluster: {{server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    )
}

fn request(file: &str, text: &str, flags: JoinFlags) -> Result<JoinRequest, Problem> {
    let mut host = Overlay::default().with_file("/d/f.conf", text, 0o600).with_file("/d/ca.crt", CA, 0o644);
    host = host.with_file("/d/tls.crt", "CERT", 0o644).with_file("/d/tls.key", "KEY", 0o600);
    host = host.with_file("/d/token", "from-file\n", 0o600);
    host.facts = Facts { host_name: "w1".to_owned(), ..Facts::default() };
    resolve_join(&JoinFlags { discovery_file: Some(file.to_owned()), ..flags }, &host)
}

fn with_token() -> JoinFlags {
    JoinFlags { tls_bootstrap_token: Some(TOKEN.to_owned()), ..JoinFlags::default() }
}

#[test]
fn a_file_without_credentials_joins_with_the_token_and_asks_as_nobody() {
    for status in [200, 401, 403] {
        let request = request("/d/f.conf", &info(), with_token()).expect("a request");
        let server = Server::answering(status, "{}");
        let found = find(&request, &server, &FixedTime::default()).expect("found");
        assert_eq!((found.server.as_str(), found.ca_pem.as_str()), ("https://10.0.0.1:6443", CA), "{status}");
        assert!(matches!(found.bootstrap, Bootstrap::Token(_)), "{status}");
        let asked = server.asked.borrow();
        assert!(matches!(&asked[0].0, Identity::Anonymous { ca_pem: Some(ca), .. } if ca == CA), "{status}");
    }
}

#[test]
fn credentials_of_the_file_are_used_and_files_it_names_are_read_from_its_folder() {
    for (user, is_certificate, secret) in [
        ("{token: from-text}", false, "from-text"),
        ("{tokenFile: token}", false, "from-file"),
        ("{client-certificate: tls.crt, client-key: /d/tls.key}", true, "KEY"),
    ] {
        let request = request("/d/f.conf", &with_user(user), JoinFlags::default()).expect(user);
        let server = Server::answering(200, "{}");
        let found = find(&request, &server, &FixedTime::default()).expect(user);
        assert_eq!(server.asked.borrow()[0].0, found.identity(), "{user}");
        match found.bootstrap {
            Bootstrap::Certificate { certificate, key } => {
                assert!(is_certificate, "{user}");
                assert_eq!((certificate.as_str(), key.reveal().as_str()), ("CERT", secret), "{user}");
            }
            Bootstrap::Bearer(token) => {
                assert_eq!((token.reveal().as_str(), is_certificate), (secret, false), "{user}")
            }
            Bootstrap::Token(_) => panic!("{user}"),
        }
    }
    // A token for the TLS bootstrap counts more.
    let request = request("/d/f.conf", &with_user("{token: from-text}"), with_token()).expect("a request");
    let found = find(&request, &Server::answering(200, "{}"), &FixedTime::default()).expect("found");
    assert!(matches!(found.bootstrap, Bootstrap::Token(_)));
}

#[test]
fn a_url_is_fetched_over_a_verified_connection() {
    let request = request("https://files.example.com:8443/a/b?c=d", "", with_token()).expect("a request");
    let server = Server::answering(200, &info());
    find(&request, &server, &FixedTime::default()).expect("found");
    let asked = server.asked.borrow();
    let expected = Identity::Public { server: "https://files.example.com:8443".to_owned() };
    assert_eq!(asked[0], (expected, "/a/b?c=d".to_owned()));
}

#[test]
fn each_way_to_fail_is_told() {
    let by_url = |body: &str, status, flags| {
        let request = request("https://files.example.com/f", "", flags).expect("a request");
        find(&request, &Server::answering(status, body), &FixedTime::default()).expect_err(body).id
    };
    assert_eq!(by_url("", 404, with_token()), "discovery-url-unreachable");
    assert_eq!(by_url("<html>", 200, with_token()), "kubeconfig-damaged");
    assert_eq!(by_url(&with_user("{token: a}"), 200, with_token()), "discovery-file-unusable");
    assert_eq!(by_url(&info(), 200, JoinFlags::default()), "discovery-no-credentials");
    let mut away = request("/d/f.conf", &info(), with_token()).expect("a request");
    away.discovery_timeout = Duration::from_secs(3);
    let problem = find(&away, &Server::answering(503, ""), &FixedTime::default()).unwrap_err();
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("discovery-unreachable", Some("https://10.0.0.1:6443"))
    );

    let no_ca = info().replace("certificate-authority-data", "x-data");
    let http = info().replace("https://", "http://");
    let text = |flags| (info(), flags);
    for (file, (content, flags), expected) in [
        ("/d/none.conf", text(with_token()), "config-bad-discovery-file"),
        ("http://files.example.com/f", text(with_token()), "config-bad-discovery-file"),
        ("/d/f.conf", text(JoinFlags::default()), "config-bad-discovery-file"),
        ("/d/f.conf", ("a: [".to_owned(), with_token()), "config-bad-discovery-file"),
        ("/d/f.conf", (no_ca, with_token()), "config-bad-discovery-file"),
        ("/d/f.conf", (http, with_token()), "config-bad-discovery-file"),
        ("/d/f.conf", text(JoinFlags { endpoint: Some("a:1".into()), ..with_token() }), "config-two-discoveries"),
        (
            "/d/f.conf",
            text(JoinFlags { discovery_token: Some(TOKEN.into()), ..with_token() }),
            "config-two-discoveries",
        ),
    ] {
        let problem = request(file, &content, flags).expect_err(file);
        assert_eq!(problem.findings[0].id, expected, "{file}: {problem:?}");
        assert!(problem.findings[0].place.is_some(), "{file}");
    }
}
