//! Kubeconfigs from elsewhere: each is used, used with a warning, or refused with its one cause.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{HostPort, Init};
use crate::kubeconfig::{ADMIN, KUBELET};
use crate::plan::Step;
use crate::problem::Problem;
use crate::support::files::{client, machine, made, text};
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::support::{Bench, FixedEntropy, NOW};
use crate::world::Clock;

fn admin(bench: &Bench, job: &Init) -> Result<(), Problem> {
    bench.run(&Step::Phase(&ADMIN), job)
}

/// The same cluster made a second time, with another CA.
fn elsewhere(job: &Init) -> Bench {
    let bench = Bench::default();
    bench.run(&Step::Phase(&crate::certs::ServiceAccountKeys), job).unwrap();
    bench.run(&Step::CERTS, job).unwrap();
    bench.run(&Step::KUBECONFIG, job).unwrap();
    bench
}

fn data(pem: &str) -> String {
    STANDARD.encode(pem)
}

#[test]
fn what_cannot_be_used_is_refused_with_its_one_cause() {
    let job = default_init(V1_20);
    let (here, other) = (made(&job), elsewhere(&job));
    let conf = text(&here, "admin.conf");
    let (certificate, key) = client(&here, "admin.conf");
    let (foreign, foreign_key) = client(&other, "admin.conf");
    let ca = text(&here, "pki/ca.crt");
    let with = |old: &str, new: &str| conf.replace(&data(old), &data(new));
    let foreign_client = with(&certificate.pem(), &foreign.pem()).replace(&data(&key), &data(&foreign_key));
    for (name, conf, id) in [
        ("other CA", text(&other, "admin.conf"), "kubeconfig-other-ca"),
        ("other CA beside the right client", with(&ca, &text(&other, "pki/ca.crt")), "kubeconfig-other-ca"),
        ("no CA", conf.replace("certificate-authority-data", "x"), "kubeconfig-other-ca"),
        ("client of another CA", foreign_client, "certificate-other-ca"),
        ("wrong key", with(&key, FixedEntropy::ECDSA[0]), "certificate-key-mismatch"),
        ("no key", with(&key, "hello"), "kubeconfig-damaged"),
        ("no certificate", with(&certificate.pem(), "hello"), "kubeconfig-damaged"),
        (
            "nobody",
            conf.replace("client-certificate-data", "x").replace("client-key-data", "y"),
            "kubeconfig-no-certificate",
        ),
        ("waiting", conf.replace("client-certificate-data", "x"), "kubeconfig-no-certificate"),
        ("no kubeconfig", "hello".to_owned(), "kubeconfig-damaged"),
    ] {
        let bench = machine(&here, &[], &[("admin.conf", &conf)]);
        let problem = admin(&bench, &job).expect_err(name);
        assert_eq!((problem.id.as_str(), problem.place.as_deref()), (id, Some("/etc/kubernetes/admin.conf")), "{name}");
        assert!(!problem.why.is_empty() && !problem.fixes.is_empty(), "{name}");
        assert_eq!(bench.overlay.changes(), [], "{name}");
    }
}

#[test]
fn time_decides_whether_a_client_certificate_is_used() {
    const DAY: i64 = 24 * 3600;
    let job = default_init(V1_36);
    let here = Bench::default();
    // The CA is valid before and after, so that only the client's certificate is at fault.
    here.time.set(Clock(NOW.0 - 10 * DAY));
    here.run(&Step::CERTS, &job).unwrap();
    here.time.set(NOW);
    here.run(&Step::KUBECONFIG, &job).unwrap();
    for (name, now, expected) in [
        ("expired", NOW.0 + 365 * DAY, Some("certificate-expired")),
        ("too early", NOW.0 - DAY, Some("certificate-not-yet-valid")),
        ("just in time", NOW.0 + 300 * DAY, None),
    ] {
        let bench = machine(&here, &[], &[]);
        bench.time.set(Clock(now));
        let problem = admin(&bench, &job).err();
        assert_eq!(problem.as_ref().map(|problem| problem.id.as_str()), expected, "{name}");
        let place = problem.and_then(|problem| problem.place);
        assert_eq!(place.as_deref(), expected.map(|_| "/etc/kubernetes/admin.conf"), "{name}");
        assert_eq!(bench.recorder.lines(), Vec::<String>::new(), "{name}");
    }
    let bench = machine(&here, &[], &[]);
    bench.time.set(Clock(NOW.0 + 350 * DAY));
    admin(&bench, &job).unwrap();
    let lines = bench.recorder.lines();
    assert!(lines[0].contains("the client certificate in /etc/kubernetes/admin.conf expires soon"), "{lines:?}");
}

#[test]
fn another_server_is_told_and_kept() {
    let job = default_init(V1_20);
    let here = made(&job);
    let own = "https://10.77.0.11:6443";
    for (name, server, endpoint, is_told) in [
        ("as it would be made", own, None, false),
        ("a load balancer that nobody told", "https://lb.example.com:443", None, true),
        ("the endpoint", "https://lb.example.com:443", Some("lb.example.com"), false),
        ("this node's own beside an endpoint", own, Some("lb.example.com"), true),
    ] {
        let conf = text(&here, "admin.conf").replace(own, server);
        let bench = machine(&here, &[], &[("admin.conf", &conf)]);
        let mut job = job.clone();
        job.cluster.control_plane_endpoint = endpoint.map(|host| HostPort::new(host, 443));
        admin(&bench, &job).expect(name);
        assert_eq!(text(&bench, "admin.conf"), conf, "{name}");
        let lines = bench.recorder.lines();
        assert_eq!(
            lines.iter().any(|line| line.contains("was there before and is kept")),
            is_told,
            "{name}: {lines:?}"
        );
    }
}

#[test]
fn bundles_tokens_and_files_are_the_owners_business() {
    let job = default_init(V1_20);
    let (here, other) = (made(&job), elsewhere(&job));
    let (ca, conf) = (text(&here, "pki/ca.crt"), text(&here, "admin.conf"));
    let bundle = conf.replace(&data(&ca), &data(&format!("{ca}{}", text(&other, "pki/ca.crt"))));
    let token = format!(
        "clusters: [{{name: a, cluster: {{server: 'https://10.77.0.11:6443', certificate-authority-data: {}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: a, user: u}}}}]\ncurrent-context: c\n\
         users: [{{name: u, user: {{token: secret}}}}]\n",
        data(&ca)
    );
    let files = token.replace("token: secret", "client-certificate: /a.crt, client-key: /a.key");
    for (name, conf) in [("a bundle", &bundle), ("a token", &token), ("files", &files)] {
        let bench = machine(&here, &[], &[("admin.conf", conf)]);
        admin(&bench, &job).expect(name);
        assert_eq!((bench.overlay.changes(), bench.recorder.lines()), (Vec::new(), Vec::new()), "{name}");
    }
}

#[test]
fn where_the_api_server_has_another_ca_for_clients_their_signer_is_not_asked_for() {
    let mut job = default_init(V1_20);
    let (here, other) = (made(&job), elsewhere(&job));
    let ((certificate, key), (foreign, foreign_key)) = (client(&here, "kubelet.conf"), client(&other, "kubelet.conf"));
    let conf = text(&here, "kubelet.conf")
        .replace(&data(&certificate.pem()), &data(&foreign.pem()))
        .replace(&data(&key), &data(&foreign_key));
    let bench = machine(&here, &[], &[("kubelet.conf", &conf)]);
    assert_eq!(bench.run(&Step::Phase(&KUBELET), &job).unwrap_err().id, "certificate-other-ca");
    job.cluster.api_server.extra_args = vec![("client-ca-file".to_owned(), "/etc/clients.crt".to_owned())];
    bench.run(&Step::Phase(&KUBELET), &job).unwrap();
}
