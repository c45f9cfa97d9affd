//! Tokens made and deleted from anywhere with a kubeconfig.

use std::path::Path;

use super::*;
use crate::bootstrap_token::{BootstrapTokens, delete};
use crate::config::{DeleteTokens, TokenDeleteFlags, TokenFlags, resolve_token, resolve_token_delete};
use crate::support::jobs::{V1_20, default_init};
use crate::support::{Bench, FixedEntropy, NOW};
use crate::world::{Change, Overlay, Secret, Verb};

const ADMIN_CONF: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/admin.conf"
));
const PATH: &str = "/root/.kube/config";
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A cluster that has cluster-info and the token abcdef.
fn cluster() -> Bench {
    let admin_conf = ADMIN_CONF.replace("REDACTED", "");
    let files = Overlay::default().with_file("/etc/kubernetes/admin.conf", &admin_conf, 0o600);
    let bench = Bench::over(files.with_file(PATH, &admin_conf, 0o600));
    bench.within(|world| BootstrapTokens.run(&default_init(V1_20), world)).unwrap();
    bench
}

fn job(flags: &TokenFlags) -> CreateToken {
    let flags = TokenFlags { kubeconfig: Some(PATH.into()), ..flags.clone() };
    resolve_token(&flags, &Overlay::default(), NOW, &FixedEntropy::default()).unwrap()
}

fn signatures(bench: &Bench) -> Vec<String> {
    let objects = bench.overlay.objects();
    let info = objects.iter().find(|object| object["metadata"]["name"] == "cluster-info").unwrap();
    info["data"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_token_alone_is_the_result_and_cluster_info_is_signed_with_it() {
    let bench = cluster();
    let token = Some("ghijkl.0123456789abcdef".to_owned());
    let (outcome, heard) = bench.heard(&Create, &job(&TokenFlags { token, ..TokenFlags::default() }));
    outcome.unwrap();
    assert_eq!(heard.results(), ["ghijkl.0123456789abcdef"]);
    assert_eq!(signatures(&bench), ["jws-kubeconfig-abcdef", "jws-kubeconfig-ghijkl", "kubeconfig"]);
}

#[test]
fn a_token_that_may_not_sign_does_not() {
    let bench = cluster();
    let flags = TokenFlags { usages: vec!["authentication".to_owned()], ..TokenFlags::default() };
    bench.heard(&Create, &job(&flags)).0.unwrap();
    assert_eq!(signatures(&bench), ["jws-kubeconfig-abcdef", "kubeconfig"]);
}

#[test]
fn with_a_certificate_key_the_line_joins_a_control_plane_and_missing_certificates_are_told() {
    let flags = TokenFlags {
        token: Some("ghijkl.0123456789abcdef".to_owned()),
        print_join_command: true,
        certificate_key: Some(KEY.to_owned()),
        ..TokenFlags::default()
    };
    let bench = cluster();
    let (outcome, heard) = bench.heard(&Create, &job(&flags));
    outcome.unwrap();
    let lines = heard.results();
    assert!(lines[0].contains(" --token ghijkl.0123456789abcdef --discovery-token-ca-cert-hash sha256:"), "{lines:?}");
    assert!(lines[0].ends_with(&format!(" --control-plane --certificate-key {KEY}")), "{lines:?}");
    assert_eq!(heard.warnings(), ["certificates-not-uploaded"]);

    let uploaded = serde_json::json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": "kube-system", "name": "kubeadm-certs"}});
    let bench = Bench { overlay: cluster().overlay.with_object(uploaded), ..Bench::default() };
    let (outcome, heard) = bench.heard(&Create, &job(&flags));
    outcome.unwrap();
    assert_eq!(heard.warnings().len(), 0);
}

#[test]
fn a_token_that_is_there_is_not_replaced() {
    let bench = cluster();
    let before = bench.overlay.changes().len();
    let token = Some("abcdef.fedcba9876543210".to_owned());
    let (outcome, _) = bench.heard(&Create, &job(&TokenFlags { token, ..TokenFlags::default() }));
    assert_eq!(outcome.unwrap_err().id, "token-exists");
    assert_eq!(bench.overlay.changes().len(), before);
}

#[test]
fn a_file_describes_tokens_and_flags_speak_of_the_first() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\nbootstrapTokens:\n\
        - {token: aaaaaa.0123456789abcdef, ttl: 1h0m0s, description: first}\n\
        - {token: bbbbbb.0123456789abcdef, ttl: 2h0m0s, usages: [signing], groups: []}\n";
    let host = Overlay::default().with_file("/k.yaml", text, 0o600);
    let flags = TokenFlags {
        config: Some("/k.yaml".into()),
        ttl: Some("0".to_owned()),
        groups: vec!["system:bootstrappers:racks".to_owned()],
        description: Some("of the flag".to_owned()),
        ..TokenFlags::default()
    };
    let tokens = resolve_token(&flags, &host, NOW, &FixedEntropy::default()).unwrap().tokens;
    let described: Vec<_> = tokens.iter().map(|spec| (spec.token.id().as_str(), spec.expires)).collect();
    assert_eq!(described, [("aaaaaa", None), ("bbbbbb", Some(NOW.0 + 7200))]);
    assert_eq!((tokens[0].description.as_str(), &tokens[0].groups), ("of the flag", &flags.groups));
    assert_eq!((tokens[1].description.as_str(), tokens[1].usages.as_slice()), ("", ["signing".to_owned()].as_slice()));
}

#[test]
fn every_mistake_in_the_flags_of_create_is_named_with_its_flag() {
    let flags = TokenFlags {
        token: Some("ABCDEF.0123456789abcdef".to_owned()),
        ttl: Some("soon".to_owned()),
        usages: vec!["sign".to_owned()],
        groups: vec!["admins".to_owned()],
        certificate_key: Some("0123".to_owned()),
        ..TokenFlags::default()
    };
    let problem = resolve_token(&flags, &Overlay::default(), NOW, &FixedEntropy::default()).unwrap_err();
    let places: Vec<_> = problem.findings.iter().filter_map(|finding| finding.place.as_deref()).collect();
    assert_eq!(places, ["TOKEN", "--ttl", "--usages", "--groups", "--groups", "--certificate-key"]);
    let fixes: Vec<_> = problem.findings.iter().flat_map(|finding| &finding.fixes).collect();
    for order in [
        "--usages signing,authentication",
        "--groups system:bootstrappers:kubeadm:default-node-token",
        "or leave --groups out",
    ] {
        assert!(fixes.contains(&&order.to_owned()), "{order} can be copied: {fixes:?}");
    }
}

#[test]
fn a_random_token_is_another_each_time() {
    let entropy = FixedEntropy::default();
    let draw = || resolve_token(&TokenFlags::default(), &Overlay::default(), NOW, &entropy).unwrap().tokens.remove(0);
    assert_ne!(draw().token, draw().token);
    assert_eq!(draw().expires, Some(NOW.0 + 24 * 3600));
}

fn to_delete(names: &[&str]) -> DeleteTokens {
    let tokens = names.iter().map(|&name| name.to_owned()).collect();
    resolve_token_delete(&TokenDeleteFlags { tokens, kubeconfig: Some(PATH.into()) }).unwrap()
}

#[test]
fn tokens_are_deleted_by_id_or_whole_and_unknown_ones_are_named() {
    let bench = cluster();
    let job = to_delete(&["abcdef.0123456789abcdef", "zzzzzz", "abcdef"]);
    assert_eq!(job.kubeconfig, Path::new(PATH));
    let (outcome, heard) = bench.heard(&delete::Delete, &job);
    let problem = outcome.unwrap_err();
    assert_eq!(
        (problem.id.as_str(), problem.place.as_deref()),
        ("token-unknown", Some("Secret kube-system/bootstrap-token-zzzzzz"))
    );
    assert!(problem.why.ends_with("the other one was deleted"), "{}", problem.why);
    assert_eq!(heard.results(), ["bootstrap token \"abcdef\" deleted"]);
    let last = bench.overlay.changes().pop().unwrap();
    assert!(
        matches!(last, Change::Object(change) if change.verb == Verb::Delete && change.object.name == "bootstrap-token-abcdef")
    );

    let (outcome, _) = bench.heard(&delete::Delete, &to_delete(&["abcdef"]));
    assert!(outcome.unwrap_err().why.ends_with("nothing was changed"), "it is gone");
}

#[test]
fn what_is_no_token_is_refused_without_being_repeated() {
    let tokens = vec!["abcdef.0123456789abcdeX".to_owned(), "abc".to_owned()];
    let problem = resolve_token_delete(&TokenDeleteFlags { tokens, kubeconfig: None }).unwrap_err();
    assert_eq!(problem.id, "config-invalid");
    assert!(!format!("{problem:?}").contains("0123456789"), "{problem:?}");
}

#[test]
fn a_certificate_key_does_not_print() {
    let flags = TokenFlags { certificate_key: Some(KEY.to_owned()), ..TokenFlags::default() };
    assert_eq!(job(&flags).certificate_key.as_ref().map(Secret::reveal).map(String::as_str), Some(KEY));
    assert!(!format!("{:?}", job(&flags)).contains(KEY));
}
