//! The tables of check-expiration against kubeadm's own output for the same certificates, and the structured form.

use std::path::PathBuf;

use super::*;
use crate::config::{ExternalEtcd, Release};
use crate::kubeconfig::{Target, render_with_certificate};
use crate::support::files::{machine, made};
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::support::{Bench, NOW};
use crate::world::{Overlay, Secret};

const KUBECONFIGS: [&str; 4] = ["admin.conf", "controller-manager.conf", "scheduler.conf", "super-admin.conf"];

macro_rules! cluster_files {
    ($release:literal: $($file:literal)*) => {
        [$(($file, include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/../testdata/kubeadm/", $release, "/cluster/files/m1/etc/kubernetes/", $file
        )))),*]
    };
}

macro_rules! golden {
    ($release:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../testdata/kubeadm/",
            $release,
            "/cluster/certs-check-expiration.txt"
        ))
    };
}

/// Keys are not among the files that were kept, so that any text stands in for a CA's; and kubeconfigs have none of their
/// certificates, so that they get one that was made in the same minute.
fn node_of(files: &[(&str, &str)], kubeconfigs: &[&str], release: &Release) -> Bench {
    let mut overlay = Overlay::default();
    for (name, text) in files {
        overlay = overlay.with_file(&format!("/etc/kubernetes/{name}"), text, 0o600);
    }
    for key in ["ca.key", "front-proxy-ca.key", "etcd/ca.key"] {
        overlay = overlay.with_file(&format!("/etc/kubernetes/pki/{key}"), "a key", 0o600);
    }
    let target = Target { cluster_name: "kubernetes", server: String::new(), ca_pem: "" };
    for name in kubeconfigs {
        let text = render_with_certificate(&target, "user", (files[0].1, &Secret::new(String::new())), release);
        overlay = overlay.with_file(&format!("/etc/kubernetes/{name}"), &with_key(&text), 0o600);
    }
    Bench::over(overlay)
}

/// Any key: nobody looks at it here.
fn with_key(text: &str) -> String {
    text.replace("client-key-data: \"\"", "client-key-data: a2V5")
}

fn seen(bench: &Bench, release: Release, now: Clock) -> Expirations {
    expirations(&default_init(release).cluster, &Layout::default(), &bench.overlay, now).unwrap()
}

/// kubeadm's rows without blanks at their ends.
fn rows(golden: &str) -> String {
    let tables = golden.lines().skip_while(|line| !line.starts_with("CERTIFICATE "));
    tables.map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_tables_are_kubeadms() {
    let v1_20 = cluster_files!("v1.20.2": "pki/apiserver.crt"
        "pki/apiserver-etcd-client.crt" "pki/apiserver-kubelet-client.crt" "pki/ca.crt" "pki/front-proxy-ca.crt"
        "pki/front-proxy-client.crt" "pki/etcd/ca.crt" "pki/etcd/healthcheck-client.crt" "pki/etcd/peer.crt"
        "pki/etcd/server.crt");
    let v1_36 = cluster_files!("v1.36.2":         "pki/apiserver.crt" "pki/apiserver-etcd-client.crt" "pki/apiserver-kubelet-client.crt" "pki/ca.crt"
        "pki/front-proxy-ca.crt" "pki/front-proxy-client.crt" "pki/etcd/ca.crt" "pki/etcd/healthcheck-client.crt"
        "pki/etcd/peer.crt" "pki/etcd/server.crt");
    // 1.20 leaves the CA of kubeconfigs open.
    let filled = golden!("v1.20.2").replace(".conf", ".CONF").lines().fold(String::new(), |text, line| {
        let line = if line.contains(".CONF") {
            line.replace("364d                 ", "364d            ca   ")
        } else {
            line.into()
        };
        text + &line.replace(".CONF", ".conf") + "\n"
    });
    for (release, node, golden) in [
        (V1_20, node_of(&v1_20, &KUBECONFIGS[..3], &V1_20), filled.as_str()),
        (V1_36, node_of(&v1_36, &KUBECONFIGS, &V1_36), golden!("v1.36.2")),
    ] {
        // The day after they were made.
        let now = Clock::parse_rfc3339("2026-11-23T00:00:00Z").unwrap();
        assert_eq!(seen(&node, release.clone(), now).text(), rows(golden), "{release}");
    }
}

#[test]
fn what_is_missing_expired_or_signed_elsewhere_is_said() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &["pki/ca.key", "admin.conf", "pki/etcd/ca.crt"], &[]);
    let found = seen(&bench, V1_20, NOW.plus(std::time::Duration::from_secs(400 * 24 * 3600)));
    let text = found.text();
    let row = |name: &str| {
        let line = text.lines().find(|line| line.split_whitespace().any(|word| word == name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("admin.conf"), "!MISSING! admin.conf");
    assert!(row("apiserver").ends_with("UTC <invalid> ca yes"), "{text}");
    assert!(row("front-proxy-client").ends_with("<invalid> front-proxy-ca no"), "{text}");
    assert!(text.contains("!MISSING! etcd-ca\n"), "{text}");
}

#[test]
fn the_structured_form_is_kubeadms_object() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &["pki/ca.key", "admin.conf"], &[]);
    let value = seen(&bench, V1_20, NOW).value();
    assert_eq!(
        (&value["apiVersion"], &value["kind"]),
        (&json!("output.kubeadm.k8s.io/v1alpha3"), &json!("CertificateExpirationInfo"))
    );
    let missing = json!({"name": "admin.conf", "expirationDate": null, "residualTime": 0, "caName": "ca", "externallyManaged": true, "missing": true});
    assert_eq!(value["certificates"][0], missing);
    let there = json!({"name": "apiserver", "expirationDate": "2027-01-02T03:04:05Z", "residualTime": 8760 * 3600, "caName": "ca", "externallyManaged": true, "missing": false});
    assert_eq!(value["certificates"][1], there);
    let ca = json!({"name": "etcd-ca", "expirationDate": "2035-12-31T03:04:05Z", "residualTime": 87_600 * 3600, "externallyManaged": false, "missing": false});
    assert_eq!(value["certificateAuthorities"][1], ca);
}

#[test]
fn an_external_etcd_has_no_rows() {
    let mut cluster = default_init(V1_36).cluster;
    let nowhere = PathBuf::new;
    cluster.etcd = Etcd::External(ExternalEtcd {
        endpoints: Vec::new(),
        http_endpoints: Vec::new(),
        ca_file: nowhere(),
        cert_file: nowhere(),
        key_file: nowhere(),
    });
    let text = expirations(&cluster, &Layout::default(), &Overlay::default(), NOW).unwrap().text();
    assert!(!text.contains("etcd") && text.contains("super-admin.conf"), "{text}");
}

#[test]
fn files_that_cannot_be_read_are_told_together() {
    let job = default_init(V1_20);
    let bench = machine(&made(&job), &[], &[("pki/apiserver.crt", "hello"), ("scheduler.conf", "")]);
    let problem = expirations(&job.cluster, &Layout::default(), &bench.overlay, NOW).unwrap_err();
    let places: Vec<_> = problem.findings.iter().filter_map(|finding| finding.place.as_deref()).collect();
    assert_eq!(places, ["/etc/kubernetes/pki/apiserver.crt", "/etc/kubernetes/scheduler.conf"]);
}

#[test]
fn what_is_left_is_told_as_kubernetes_tells_ages() {
    let found = Expirations { certificates: Vec::new(), authorities: Vec::new(), now: Clock(1000) };
    for (left, expected) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (24 * 3600, "1d"),
        (365 * 24 * 3600 - 1, "364d"),
        (365 * 24 * 3600, "1y"),
    ] {
        assert_eq!(found.residual(Clock(1000 + left)), expected);
    }
}
