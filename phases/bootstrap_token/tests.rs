//! Order of the writes, signatures that are kept or dropped, and kubeconfigs that cannot be used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::config::{BootstrapToken, TokenSpec};
use crate::discovery::jws;
use crate::support::Bench;
use crate::support::jobs::{V1_20, V1_36, default_init};
use crate::world::{Change, Overlay};

const ADMIN_CONF: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../testdata/kubeadm/v1.20.2/cluster/files/m1/etc/kubernetes/admin.conf"
));
const PATH: &str = "/etc/kubernetes/admin.conf";

fn bench_with(kubeconfig: &str) -> Bench {
    // The administrator's key was left out of the golden file.
    Bench::over(Overlay::default().with_file(PATH, &kubeconfig.replace("REDACTED", ""), 0o600))
}

fn cluster_info(bench: &Bench) -> Value {
    let is_it = |object: &Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "cluster-info";
    bench.overlay.objects().into_iter().find(is_it).unwrap()
}

#[test]
fn secrets_come_before_the_signatures_made_with_them() {
    let bench = bench_with(ADMIN_CONF);
    bench.within(|world| BootstrapTokens.run(&default_init(V1_36), world)).unwrap();
    let changes = bench.overlay.changes();
    let position = |kind: &str, name: &str| {
        let is_it = |change: &Change| matches!(change, Change::Object(change) if change.object.kind == kind && change.object.name == name);
        changes.iter().position(is_it).unwrap()
    };
    assert_eq!(position("Secret", "bootstrap-token-abcdef"), 1, "only the rights of the administrator are before");
    assert!(position("ConfigMap", "cluster-info") < position("Role", "kubeadm:bootstrap-signer-clusterinfo"));
}

#[test]
fn a_secret_holds_what_the_token_is_for() {
    let mut spec = default_init(V1_20).tokens.remove(0);
    let text = |secret: &k8s_openapi::api::core::v1::Secret, key: &str| {
        secret.data.as_ref().unwrap().get(key).map(|value| String::from_utf8(value.0.clone()).unwrap())
    };
    let secret = token_secret(&spec);
    assert_eq!(text(&secret, "expiration").as_deref(), Some("2026-01-03T03:04:05Z"));
    assert_eq!(text(&secret, "usage-bootstrap-signing").as_deref(), Some("true"));
    assert_eq!(text(&secret, "description"), None);

    spec.expires = None;
    spec.usages = vec!["authentication".to_owned()];
    spec.description = "for ever".to_owned();
    spec.groups.push("system:bootstrappers:more".to_owned());
    let secret = token_secret(&spec);
    assert_eq!(text(&secret, "expiration"), None);
    assert_eq!(text(&secret, "usage-bootstrap-signing"), None);
    assert_eq!(text(&secret, "description").as_deref(), Some("for ever"));
    assert_eq!(
        text(&secret, "auth-extra-groups").as_deref(),
        Some("system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:more")
    );
}

#[test]
fn only_tokens_that_may_sign_do() {
    let mut job = default_init(V1_20);
    let mut silent = job.tokens[0].clone();
    silent.token = BootstrapToken::parse("silent.0123456789abcdef").unwrap();
    silent.usages = vec!["authentication".to_owned()];
    job.tokens.push(silent);
    let bench = bench_with(ADMIN_CONF);
    bench.within(|world| BootstrapTokens.run(&job, world)).unwrap();
    let data = cluster_info(&bench)["data"].clone();
    let keys: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["jws-kubeconfig-abcdef", "kubeconfig"]);
    let text = data["kubeconfig"].as_str().unwrap();
    assert!(jws::verify(text, &job.tokens[0].token, data["jws-kubeconfig-abcdef"].as_str().unwrap()));
}

#[test]
fn signatures_of_other_tokens_are_kept_while_the_text_is_the_same() {
    let job = default_init(V1_20);
    let bench = bench_with(ADMIN_CONF);
    bench.within(|world| BootstrapTokens.run(&job, world)).unwrap();
    let with_other = |text: &Value| {
        let mut object = cluster_info(&bench);
        object["data"]["jws-kubeconfig-other1"] = json!("signature");
        object["data"]["kubeconfig"] = text.clone();
        object
    };
    let same = with_other(&cluster_info(&bench)["data"]["kubeconfig"]);
    let bench = Bench { overlay: bench.overlay.with_object(same), ..Bench::default() };
    let before = bench.overlay.changes().len();
    bench.within(|world| BootstrapTokens.run(&job, world)).unwrap();
    assert_eq!(bench.overlay.changes().len(), before, "nothing to do");
    assert_eq!(cluster_info(&bench)["data"]["jws-kubeconfig-other1"], "signature");

    let mut stale = cluster_info(&bench);
    stale["data"]["kubeconfig"] = json!("another text");
    let bench = Bench { overlay: bench.overlay.with_object(stale), ..Bench::default() };
    bench.within(|world| BootstrapTokens.run(&job, world)).unwrap();
    let data = cluster_info(&bench)["data"].clone();
    assert!(data.get("jws-kubeconfig-other1").is_none(), "it would prove another text");
    assert!(data.get("jws-kubeconfig-abcdef").is_some());
}

#[test]
fn a_ca_beside_the_kubeconfig_is_embedded() {
    let kubeconfig = "contexts: [{name: c, context: {cluster: k}}]\ncurrent-context: c\nclusters:\n\
        - {name: k, cluster: {server: 'https://10.77.0.21:6443', certificate-authority: pki/ca.crt}}\n";
    let bench = bench_with(kubeconfig);
    let bench =
        Bench { overlay: bench.overlay.with_file("/etc/kubernetes/pki/ca.crt", "PEM", 0o644), ..Bench::default() };
    bench.within(|world| BootstrapTokens.run(&default_init(V1_36), world)).unwrap();
    let text = cluster_info(&bench)["data"]["kubeconfig"].as_str().unwrap().to_owned();
    assert!(text.contains(&format!("certificate-authority-data: {}\n", STANDARD.encode("PEM"))), "{text}");
    assert!(!text.contains("preferences"), "1.36 writes none");
}

#[test]
fn kubeconfigs_that_do_not_say_where_the_cluster_is_are_refused() {
    let context = "contexts: [{name: c, context: {cluster: k}}]\ncurrent-context: c\n";
    for (id, kubeconfig, why) in [
        ("kubeconfig-damaged", "a: [".to_owned(), "it is no kubeconfig"),
        ("kubeconfig-damaged", "current-context: c\n".to_owned(), "current context"),
        ("kubeconfig-damaged", context.to_owned(), "it has no cluster"),
        ("kubeconfig-unusable", format!("{context}clusters: [{{name: k, cluster: {{}}}}]\n"), "no server"),
        (
            "kubeconfig-unusable",
            format!("{context}clusters: [{{name: k, cluster: {{server: s}}}}]\n"),
            "no CA certificate",
        ),
        (
            "kubeconfig-unusable",
            format!("{context}clusters: [{{name: k, cluster: {{server: s, certificate-authority: /x}}}}]\n"),
            "is not there: /x",
        ),
    ] {
        let outcome = bench_with(&kubeconfig).within(|world| BootstrapTokens.run(&default_init(V1_20), world));
        let problem = outcome.unwrap_err();
        assert_eq!(problem.id, id, "{why}");
        assert!(problem.why.contains(why), "{why}: {}", problem.why);
        assert_eq!(problem.place.as_deref(), Some(PATH), "{why}");
    }
}

#[test]
fn the_token_to_show_is_the_one_that_is_valid_longest_and_may_be_used_for_both() {
    use crate::support::NOW;
    let mut job = default_init(V1_20);
    let spec = job.tokens[0].clone();
    let token = |text: &str, expires: i64, usages: &[&str]| {
        let usages = usages.iter().map(|&usage| usage.to_owned()).collect();
        TokenSpec {
            token: BootstrapToken::parse(text).unwrap(),
            expires: Some(NOW.0 + expires),
            usages,
            ..spec.clone()
        }
    };
    let both = ["signing", "authentication"];
    job.tokens = vec![
        token("aaaaaa.0123456789abcdef", 60, &both),
        token("bbbbbb.0123456789abcdef", 3600, &both),
        token("cccccc.0123456789abcdef", 7200, &["authentication"]),
        token("dddddd.0123456789abcdef", -60, &both),
    ];
    let bench = bench_with(ADMIN_CONF);
    let identity = crate::world::Identity::Kubeconfig(PATH.into());
    let shown = bench.within(|world| {
        assert_eq!(usable_token(world, &identity).unwrap(), None, "there is none yet");
        job.tokens.iter().for_each(|spec| assert!(put_token(spec, world, &identity).unwrap()));
        usable_token(world, &identity).unwrap()
    });
    assert_eq!(shown.map(|token| token.id().as_str().to_owned()).as_deref(), Some("bbbbbb"));
}
