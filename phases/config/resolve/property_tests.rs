//! Any text at all for every parser of the configuration: no panic, no secret in a message, and what was read is
//! written so that it reads the same.

use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use regex::Regex;

use super::invalid::{SECRET, resolve_file};
use super::{a_host, ids, init};
use crate::config::wire::samples::{FULL, KUBEADM};
use crate::config::{
    Allowed, BootstrapToken, CaPin, Cidr, HostPort, InitFlags, MigrateOrder, NodeName, Release,
    cluster_from_config_maps, format_duration, migrate, parse_duration, validate,
};
use crate::support::properties::cases;

/// Texts that are nearly what is wanted: an alphabet in which right ones are not rare.
fn nearly(alphabet: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![3 => alphabet.prop_map(|text| text), 1 => any::<String>()]
}

/// A valid file with pieces replaced.
fn a_mutated_file() -> impl Strategy<Value = String> {
    let files: Vec<&'static str> = FULL.iter().chain(&KUBEADM).map(|(_, text)| *text).collect();
    let piece = prop_oneof![
        Just(String::new()),
        "[-:,{}\\[\\]&*!|>'\"%@`#?~\n\t 0-9a-z.]{0,6}",
        Just("\n---\n".to_owned()),
        Just("null".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("1e400".to_owned()),
        Just("-9223372036854775809".to_owned()),
        Just("!!binary aGk=".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    let edits = proptest::collection::vec((any::<proptest::sample::Index>(), 0..24_usize, piece), 1..5);
    (proptest::sample::select(files), edits).prop_map(|(file, edits)| {
        let mut characters: Vec<char> = file.chars().collect();
        for (place, length, piece) in edits {
            let from = place.index(characters.len() + 1);
            let to = (from + length).min(characters.len());
            characters.splice(from..to, piece.chars());
        }
        characters.into_iter().collect()
    })
}

/// Hands a text to everything that reads files; answers with all that was said about it.
fn read_everywhere(text: &str) -> String {
    let order = |to| MigrateOrder { text, file: "a.yaml", to, experimental: true };
    let mut said = String::new();
    for command in ["init", "join-", "reset-"] {
        said += &format!("{:?}", resolve_file(command, text).err());
    }
    for to in [None, Some("v1beta2"), Some("v1beta4")] {
        said += &format!("{:?}", migrate(&order(to)).err());
    }
    let allowed = Allowed { experimental: true, deprecated: false };
    said += &format!("{:?}", validate(text, "a.yaml", allowed));
    said + &format!("{:?}", cluster_from_config_maps(text, text, Some(text)).err())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn no_mutated_file_makes_a_panic_or_repeats_a_token(text in a_mutated_file()) {
        let said = read_everywhere(&text);
        prop_assert!(!said.contains(SECRET), "{}\n{}", said, text);
    }

    #[test]
    fn no_text_at_all_makes_a_panic(text in nearly("(apiVersion|kind|[a-zA-Z]{1,8})?: ?[^\u{0}]{0,30}(\n[ -]{0,4}[a-z]{0,5}: ?.{0,9}){0,5}")) {
        read_everywhere(&text);
    }

    #[test]
    fn what_can_be_migrated_says_the_same_when_it_is_migrated_again(text in a_mutated_file()) {
        let order = |text, to| MigrateOrder { text, file: "a.yaml", to, experimental: false };
        if let Ok(once) = migrate(&order(&text, Some("v1beta4"))) {
            let written = crate::config::documents_text(&once.documents);
            let twice = migrate(&order(&written, Some("v1beta4")));
            prop_assert_eq!(twice.map(|twice| twice.documents), Ok(once.documents), "{}", written);
        }
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn tokens(text in nearly("[a-z0-9A-Z.]{5,7}[.]?[a-z0-9]{15,17}")) {
        if let Ok(token) = BootstrapToken::parse(&text) {
            prop_assert_eq!(token.reveal(), text.clone());
            let shown = format!("{token:?}");
            prop_assert!(!shown.contains(token.secret()));
        }
        if let Err(error) = BootstrapToken::parse(&text) {
            prop_assert!(error.text.is_empty());
        }
    }

    #[test]
    fn hosts_and_ports(text in nearly("(\\[?[0-9a-f:.]{1,18}\\]?|[a-zA-Z0-9.-]{1,12})(:[0-9]{0,6})?")) {
        for default in [None, Some(6443)] {
            if let Ok(read) = HostPort::parse(&text, default) {
                let written = read.to_string();
                prop_assert!(read.port() != 0 && !read.host().is_empty());
                prop_assert_eq!(HostPort::parse(&written, None), Ok(read), "{}", written);
            }
        }
    }

    #[test]
    fn lists_of_networks(text in nearly("([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-f:]{2,12})/[0-9]{1,3}(, ?[0-9a-f:.]{2,12}/[0-9]{1,2}){0,2}")) {
        if let Ok(read) = Cidr::parse_list(&text) {
            for network in &read {
                prop_assert!(network.contains(network.address(0)) && network.overlaps(network), "{}", network);
                prop_assert_eq!(Cidr::parse(&network.to_string()), Ok(*network));
                prop_assert_eq!(u32::from(network.prefix()) + u32::from(network.host_bits()), if network.is_v4() { 32 } else { 128 });
                network.address(u32::MAX);
            }
        }
    }

    #[test]
    fn durations(text in nearly("[+-]?([0-9]{0,20}[.]?[0-9]{0,25}(ns|us|µs|ms|s|m|h|d)?){1,4}"), nanos in 0..=i64::MAX as u64) {
        if let Ok(read) = parse_duration(&text) {
            prop_assert_eq!(parse_duration(&format_duration(read)), Ok(read), "{}", text);
        }
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn releases(text in nearly("v?[0-9]{1,11}[.][0-9]{1,11}([.][0-9]{1,11})?([-+][0-9A-Za-z.+-]{0,9})?")) {
        if let Ok(release) = text.parse::<Release>() {
            let written = release.to_string();
            prop_assert_eq!(written.parse::<Release>(), Ok(release.clone()), "{}", written);
            let tag = Regex::new("^[A-Za-z0-9_][A-Za-z0-9_.-]*$").expect("a regular expression");
            prop_assert!(tag.is_match(&release.image_tag()), "{}", release.image_tag());
            release.config_api();
        }
    }

    #[test]
    fn node_names_and_pins(text in nearly("(sha256:)?[0-9a-fA-F .-]{1,70}")) {
        if let Ok(name) = NodeName::parse(&text) {
            prop_assert_eq!(NodeName::parse(name.as_str()), Ok(name));
        }
        if let Ok(pin) = CaPin::parse(&text) {
            prop_assert_eq!(CaPin::parse(&pin.to_string()), Ok(pin));
        }
    }
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn image_repositories(text in nearly("[a-zA-Z0-9.-]{1,8}(:[0-9]{0,6})?(/[a-z0-9._-]{1,8}){0,3}/?")) {
        let flags = InitFlags { image_repository: Some(text.clone()), ..InitFlags::default() };
        match init(&flags, &a_host()) {
            // An empty one is none.
            Ok(job) if !text.is_empty() => {
                // The grammar of references: distribution/reference, host and path without tag.
                let host = "[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:[0-9]+)?";
                let path = "[a-z0-9]([a-z0-9._-]*[a-z0-9])?";
                let grammar = Regex::new(&format!("^({host}/)?{path}(/{path})*$")).expect("a regular expression");
                prop_assert!(grammar.is_match(&format!("{}/pause", job.cluster.image_repository)), "{}", text);
            }
            Ok(_) => {}
            Err(problem) => prop_assert_eq!(ids(&problem), ["config-bad-image-repository"]),
        }
    }

    #[test]
    fn values_of_flags(text in any::<String>(), other in nearly("[a-z0-9.:/,=-]{0,20}")) {
        let some = |text: &str| Some(text.to_owned());
        let flags = InitFlags {
            apiserver_advertise_address: some(&other),
            apiserver_cert_extra_sans: vec![text.clone(), other.clone()],
            cert_dir: some(&text),
            control_plane_endpoint: some(&other),
            cri_socket: some(&other),
            feature_gates: some(&other),
            ignore_preflight_errors: vec![other.clone(), text.clone()],
            kubernetes_version: some(&other),
            node_name: some(&text),
            pod_network_cidr: some(&other),
            service_cidr: some(&other),
            service_dns_domain: some(&text),
            token: some(&text),
            token_ttl: some(&other),
            ..InitFlags::default()
        };
        let _ = init(&flags, &a_host());
    }
}
