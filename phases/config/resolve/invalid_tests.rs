//! Every mistake in files and flags gives its finding, with place, cause and fix; no input at all makes a panic, and no
//! token is ever repeated.

use std::path::PathBuf;

use super::{FILE, a_host, ids, init, init_file, join_file, resolve_join, resolve_reset};
use crate::config::{Allowed, InitFlags, JoinFlags, ResetFlags, cluster_from_config_maps};
use crate::problem::{Exit, Problem};

pub(super) const SECRET: &str = "0123456789abcdef";

fn assert_well_formed(name: &str, problem: &Problem) {
    assert_eq!((problem.id.as_str(), problem.exit), ("config-invalid", Exit::Invalid), "{name}");
    assert!(!problem.findings.is_empty(), "{name}");
    for finding in &problem.findings {
        let missing_value = finding.id.starts_with("config-missing") || finding.id.starts_with("config-no-");
        let many = finding.id == "config-many-cri-sockets";
        assert!(finding.place.is_some() || missing_value || many, "{name}: {finding:?}");
        assert!(!finding.why.is_empty() && !finding.fixes.is_empty(), "{name}: {finding:?}");
        assert!(!finding.what.ends_with('.') && !finding.why.ends_with('.'), "{name}: {finding:?}");
    }
    assert!(!format!("{problem:?}").contains(SECRET), "{name}: {problem:?}");
}

/// The command a file is for is the beginning of its name; `init` where none is named.
pub(super) fn resolve_file(name: &str, text: &str) -> Result<(), Problem> {
    if name.starts_with("join-") {
        join_file(text).map(drop)
    } else if name.starts_with("upgrade-") {
        crate::config::validate(text, FILE, Allowed::default()).map(drop)
    } else if name.starts_with("reset-") {
        let flags = ResetFlags { config: Some(FILE.into()), ..ResetFlags::default() };
        resolve_reset(&flags, &a_host().with_file(FILE, text, 0o600)).map(drop)
    } else {
        init_file(text).map(drop)
    }
}

pub(in crate::config) fn invalid_files() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/config/invalid");
    #[expect(clippy::disallowed_methods, reason = "a test reads its table from the folder")]
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    #[expect(clippy::disallowed_methods, reason = "a test reads its table from the folder")]
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a text");
    let name = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), read(path))).collect()
}

#[test]
fn every_invalid_file_gives_the_findings_it_is_there_for() {
    let files = invalid_files();
    assert!(files.len() >= 20);
    for (name, text) in files {
        let expected: Vec<&str> =
            text.lines().next().and_then(|line| line.strip_prefix("# gives: ")).expect(&name).split(' ').collect();
        let problem = resolve_file(&name, &text).expect_err(&name);
        assert_eq!(ids(&problem), expected, "{name}: {:#?}", problem.findings);
        assert_well_formed(&name, &problem);
    }
}

#[test]
fn every_mistake_in_flags_of_init_is_named_with_its_flag() {
    let none = InitFlags::default;
    let some = |text: &str| Some(text.to_owned());
    for (flag, id, flags) in [
        (
            "--apiserver-advertise-address",
            "config-bad-address",
            InitFlags { apiserver_advertise_address: some("x"), ..none() },
        ),
        ("--apiserver-bind-port", "config-bad-port", InitFlags { apiserver_bind_port: Some(0), ..none() }),
        (
            "--apiserver-cert-extra-sans",
            "config-bad-san",
            InitFlags { apiserver_cert_extra_sans: vec!["a b".into()], ..none() },
        ),
        ("--cert-dir", "config-bad-path", InitFlags { cert_dir: some("pki"), ..none() }),
        ("--certificate-key", "config-bad-certificate-key", InitFlags { certificate_key: some("x"), ..none() }),
        (
            "--control-plane-endpoint",
            "config-bad-endpoint",
            InitFlags { control_plane_endpoint: some("a:b"), ..none() },
        ),
        ("--cri-socket", "config-bad-cri-socket", InitFlags { cri_socket: some("a"), ..none() }),
        ("--feature-gates", "config-bad-gate", InitFlags { feature_gates: some("PublicKeysECDSA"), ..none() }),
        ("--feature-gates", "config-unknown-gate", InitFlags { feature_gates: some("PublicKeyECDSA=true"), ..none() }),
        (
            "--ignore-preflight-errors",
            "config-bad-ignore",
            InitFlags { ignore_preflight_errors: vec!["all,Swap".into()], ..none() },
        ),
        ("--image-repository", "config-bad-image-repository", InitFlags { image_repository: some("a b"), ..none() }),
        ("--kubernetes-version", "config-bad-version", InitFlags { kubernetes_version: some("1.20"), ..none() }),
        ("--node-name", "config-bad-node-name", InitFlags { node_name: some("-"), ..none() }),
        ("--pod-network-cidr", "config-bad-cidr", InitFlags { pod_network_cidr: some("10.0.0.0"), ..none() }),
        (
            "--pod-network-cidr",
            "config-subnets-overlap",
            InitFlags { pod_network_cidr: some("10.96.0.0/16"), ..none() },
        ),
        ("--service-cidr", "config-bad-cidr", InitFlags { service_cidr: some("x"), ..none() }),
        ("--service-dns-domain", "config-bad-dns-domain", InitFlags { service_dns_domain: some("_"), ..none() }),
        ("--token", "config-bad-token", InitFlags { token: some(&format!("ABCDEF.{SECRET}")), ..none() }),
        ("--token-ttl", "config-bad-duration", InitFlags { token_ttl: some("1d"), ..none() }),
        (FILE, "config-file-missing", InitFlags { config: Some(FILE.into()), ..none() }),
    ] {
        let problem = init(&flags, &a_host()).expect_err(flag);
        assert_eq!(ids(&problem), [id], "{flag}");
        assert_eq!(problem.findings[0].place.as_deref(), Some(flag), "{flag}");
        assert_well_formed(flag, &problem);
    }
}

#[test]
fn every_mistake_in_flags_of_join_and_reset_is_named_with_its_flag() {
    let token = format!("abcdef.{SECRET}");
    let good = || JoinFlags {
        endpoint: Some("10.0.0.1:6443".into()),
        token: Some(token.clone()),
        discovery_token_unsafe_skip_ca_verification: true,
        ..JoinFlags::default()
    };
    for (flag, id, flags) in [
        ("HOST:PORT", "config-bad-endpoint", JoinFlags { endpoint: Some("10.0.0.1".into()), ..good() }),
        ("HOST:PORT", "config-bad-endpoint", JoinFlags { endpoint: Some(token.clone()), ..good() }),
        ("--discovery-token", "config-bad-token", JoinFlags { discovery_token: Some(SECRET.into()), ..good() }),
        ("--tls-bootstrap-token", "config-bad-token", JoinFlags { tls_bootstrap_token: Some("x".into()), ..good() }),
        (
            "--discovery-token-ca-cert-hash",
            "config-bad-ca-pin",
            JoinFlags { discovery_token_ca_cert_hash: vec![token.clone()], ..good() },
        ),
        ("--cri-socket", "config-bad-cri-socket", JoinFlags { cri_socket: Some("x".into()), ..good() }),
        ("--node-name", "config-bad-node-name", JoinFlags { node_name: Some(token.clone() + "_"), ..good() }),
        (
            "--certificate-key",
            "config-bad-certificate-key",
            JoinFlags { control_plane: true, certificate_key: Some(token.clone()), ..good() },
        ),
        (
            "--apiserver-advertise-address",
            "config-bad-address",
            JoinFlags { control_plane: true, apiserver_advertise_address: Some("224.0.0.1".into()), ..good() },
        ),
        ("--certificate-key", "config-needs-control-plane", JoinFlags { certificate_key: Some("x".into()), ..good() }),
        (
            "--apiserver-bind-port",
            "config-needs-control-plane",
            JoinFlags { apiserver_bind_port: Some(6444), ..good() },
        ),
    ] {
        let problem = resolve_join(&flags, &a_host()).expect_err(flag);
        assert_eq!(ids(&problem), [id], "{flag}");
        assert_eq!(problem.findings[0].place.as_deref(), Some(flag), "{flag}");
        assert_well_formed(flag, &problem);
    }
    let missing = ["config-missing-ca-pin", "config-missing-endpoint", "config-missing-token"];
    assert_eq!(ids(&resolve_join(&JoinFlags::default(), &a_host()).unwrap_err()), missing);
    let flags = ResetFlags { drain_timeout: Some("soon".into()), ..ResetFlags::default() };
    assert_eq!(ids(&resolve_reset(&flags, &a_host()).unwrap_err()), ["config-bad-duration"]);
}

#[test]
fn no_mutation_of_a_file_makes_a_panic_or_repeats_a_token() {
    let goods = [
        include_str!("../../../testdata/kubeadm/v1.20.2/custom/input.yaml"),
        include_str!("../../../testdata/kubeadm/v1.36.2/custom/input.yaml"),
        include_str!("../../../testdata/kubeadm/v1.36.2/print/init-defaults-with-components.yaml"),
        include_str!("../../../testdata/kubeadm/v1.36.2/print/join-defaults.yaml"),
        include_str!("../../../testdata/kubeadm/v1.36.2/print/reset-defaults.yaml"),
    ];
    let pieces = [
        "", ":", "---\n", "\t", "null", "[]", "{}", "&a *a", "!x ", "\"", "é", "\u{feff}", "-1", "0", "1e9", ",", "/",
        "\n- ",
    ];
    let mut state = 42_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    for round in 0..600 {
        let mut text = goods[round % goods.len()].to_owned();
        for _ in 0..=next(3) {
            let starts: Vec<usize> = text.char_indices().map(|(index, _)| index).chain([text.len()]).collect();
            let from = starts[next(starts.len())];
            let to = starts.iter().copied().find(|&index| index >= from + next(12)).unwrap_or(text.len()).max(from);
            text.replace_range(from..to, pieces[next(pieces.len())]);
        }
        let results = [
            resolve_file("init", &text),
            resolve_file("join-", &text),
            resolve_file("reset-", &text),
            cluster_from_config_maps(&text, &text, Some(&text)).map(drop),
        ];
        for problem in results.into_iter().filter_map(Result::err) {
            assert!(!format!("{problem:?}").contains(SECRET), "{problem:?}\n{text}");
        }
    }
}
