//! The surface of the program: the help of every command, and how wrong usage ends.
//!
//! Compares with `testdata/help/<command>.txt`; renewed with `UPDATE_GOLDEN=1`, and a run that renewed anything fails.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Command;

use super::{command, usage_code};

const WIDTH: usize = 100;

/// Help of a command and of all below it, by path.
fn helps(command: &mut Command, path: &str, found: &mut BTreeMap<String, String>) {
    found.insert(path.to_owned(), command.render_long_help().to_string());
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        helps(below, &format!("{path}/{}", below.get_name()), found);
    }
}

fn all_helps() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut root = command().term_width(WIDTH);
    root.build();
    helps(&mut root, "kubestrap", &mut found);
    found
}

#[test]
fn every_command_has_the_help_that_was_agreed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help");
    let is_renewal = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| !value.is_empty());
    let mut differing = Vec::new();
    let helps = all_helps();
    for (path, help) in &helps {
        let file = folder.join(format!("{path}.txt"));
        if std::fs::read_to_string(&file).is_ok_and(|expected| expected == *help) {
            continue;
        }
        if is_renewal {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, help).unwrap();
        }
        differing.push(format!("testdata/help/{path}.txt"));
    }
    let word = if is_renewal { "renewed, read the difference" } else { "other help, renew with UPDATE_GOLDEN=1" };
    assert!(differing.is_empty(), "{word}:\n{}", differing.join("\n"));
}

#[test]
fn there_is_no_help_of_a_command_that_is_gone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help");
    let helps = all_helps();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&folder).unwrap().with_extension("").display().to_string();
            assert!(helps.contains_key(&name), "{}", path.display());
        }
    }
}

#[test]
fn help_fits_the_terminal_and_has_no_control_characters() {
    for (path, help) in all_helps() {
        for line in help.lines() {
            assert!(line.chars().count() <= WIDTH, "{path}: {line}");
            assert!(!line.chars().any(char::is_control), "{path}: {line}");
        }
    }
}

#[test]
fn every_command_says_what_it_is_about() {
    fn check(command: &Command, path: &str) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{path}: {about:?}");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.ends_with('.'), "{path} {}: {help:?}", argument.get_id());
        }
        command.get_subcommands().for_each(|below| check(below, &format!("{path} {}", below.get_name())));
    }
    check(&command(), "kubestrap");
}

#[test]
fn wrong_usage_ends_with_one_and_help_with_zero() {
    for (words, code) in [
        ("", 1),
        ("nonsense", 1),
        ("init --nonsense", 1),
        ("init nonsense", 1),
        ("init --apiserver-bind-port 0", 1),
        ("init --apiserver-bind-port 65536", 1),
        ("init --apiserver-bind-port http", 1),
        ("init --skip-phases", 1),
        ("init --dry-run --dry-run", 1),
        ("init phase", 1),
        ("init phase nonsense", 1),
        ("init phase certs", 1),
        ("init phase certs nonsense", 1),
        ("init --node-name n1 phase certs all", 1),
        ("join a:1 b:2", 1),
        ("join phase certs all", 1),
        ("reset --force=yes", 1),
        ("remove", 1),
        ("remove n1 n2", 1),
        ("token", 1),
        ("token list-all", 1),
        ("certs", 1),
        ("certs renew", 1),
        ("certs renew kubelet.conf", 1),
        ("certs renew ca", 1),
        ("certs check-expiration --csr-only", 1),
        ("-o toml version", 1),
        ("init -o short", 1),
        ("token delete", 1),
        ("token create --certificate-key 0", 1),
        ("completion tcsh", 1),
        ("init --kubeconfig-dir /a", 1),
        ("init phase certs all --print-manifest", 1),
        ("--help", 0),
        ("--version", 0),
        ("init --help", 0),
        ("init phase certs apiserver --help", 0),
        ("help join", 0),
    ] {
        let words = ["kubestrap"].into_iter().chain(words.split_whitespace());
        let line = words.clone().collect::<Vec<_>>().join(" ");
        let error = command().try_get_matches_from(words).expect_err(&line);
        assert_eq!(usage_code(&error), code, "{line}");
    }
}

#[test]
fn right_usage_is_understood() {
    for line in [
        "init",
        "init --apiserver-cert-extra-sans a,b --apiserver-cert-extra-sans c --skip-phases addon,certs/sa --dry-run",
        "init phase certs all --cert-dir /pki",
        "init phase addon coredns --kubeconfig admin.conf -o json",
        "join 10.0.0.1:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:00 -v 5",
        "reset -f --plain",
        "reset phase cleanup-node all",
        "reset phase cleanup-node --cert-dir /pki",
        "reset phase cleanupnode",
        "reset phase pre-flight --force",
        "reset phase update-cluster-status",
        "init phase uploadconfig all --skip-headers --log-file /dev/null -v=5",
        "init phase kubeconfig admin --kubeconfig-dir /root",
        "init phase control-plane apiserver --apiserver-extra-args a=b,c=d",
        "init phase addon coredns --print-manifest",
        "remove n2 --drain-timeout 1m",
        "token create --print-join-command",
        "certs check-expiration -o yaml --cert-dir /pki --config a.yaml --kubeconfig b.conf",
        "certificates renew all --cert-dir /pki",
        "certs renew etcd-healthcheck-client --csr-only --csr-dir /requests",
        "certs renew super-admin.conf",
        "certs generate-csr --cert-dir /pki --kubeconfig-dir /conf --config a.yaml",
        "certs certificate-key",
        "init phase certs apiserver --csr-only --csr-dir /requests",
        "init phase kubeconfig all --kubeconfig-dir /conf",
        "token --kubeconfig /a list -o json",
        "token delete abcdef ghijkl.0123456789abcdef",
        "token generate",
        "version",
        "version -o short",
        "completion bash",
        "upgrade plan v1.21.0 --etcd-upgrade=false",
    ] {
        let outcome = command().try_get_matches_from(["kubestrap"].into_iter().chain(line.split(' ')));
        assert!(outcome.is_ok(), "{line}: {outcome:?}");
    }
}
