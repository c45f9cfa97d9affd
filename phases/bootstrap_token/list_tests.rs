//! What is read from Secrets of tokens, and how it is shown.

use serde_json::json;

use super::*;
use crate::bootstrap_token::token_secret;
use crate::config::BootstrapToken;
use crate::support::NOW;

fn spec(token: &str) -> TokenSpec {
    TokenSpec {
        token: BootstrapToken::parse(token).unwrap(),
        description: "for racks 1, 2".to_owned(),
        expires: Some(NOW.0 + 23 * 3600),
        usages: vec!["authentication".to_owned(), "signing".to_owned()],
        groups: vec!["system:bootstrappers:a".to_owned(), "system:bootstrappers:b".to_owned()],
    }
}

fn bare(token: &str) -> TokenSpec {
    let token = BootstrapToken::parse(token).unwrap();
    TokenSpec { token, description: String::new(), expires: None, usages: Vec::new(), groups: Vec::new() }
}

fn secret(spec: &TokenSpec) -> Value {
    serde_json::to_value(token_secret(spec)).unwrap()
}

fn read(secrets: &[Value]) -> (Vec<TokenSpec>, Vec<Problem>) {
    let mut held = Held::default();
    secrets.iter().for_each(|secret| held.add(secret));
    held.sorted()
}

#[test]
fn a_secret_is_read_as_it_was_written() {
    for spec in [spec("ghijkl.0123456789abcdef"), bare("abcdef.0123456789abcdef")] {
        let (tokens, broken) = read(&[secret(&spec)]);
        assert_eq!(tokens, [spec]);
        assert_eq!(broken, []);
    }
}

#[test]
fn a_broken_secret_is_a_warning_without_the_secret_and_hides_no_other() {
    let good = secret(&bare("abcdef.0123456789abcdef"));
    for (name, key, data, why) in [
        ("no secret", "token-secret", json!(null), "it has no token-secret"),
        ("no base64", "token-id", json!("?"), "its token-id is no base64"),
        ("another name", "token-id", json!("enp5enp5"), "its token-id is \"zzyzzy\""),
        ("a bad moment", "expiration", json!("c29vbg=="), "its expiration \"soon\" is no moment"),
        ("too short", "token-secret", json!("MDEyMzQ1Njc4OWFiY2Rl"), "is not a bootstrap token"),
    ] {
        let mut bad = secret(&bare("zyxwvu.0123456789abcdef"));
        bad["data"][key] = data;
        let (tokens, broken) = read(&[bad, good.clone()]);
        assert_eq!(tokens.len(), 1, "{name}");
        assert_eq!(broken.len(), 1, "{name}");
        assert!(broken[0].why.contains(why), "{name}: {}", broken[0].why);
        assert!(!format!("{:?}", broken[0]).contains("0123456789abcde"), "{name}: {:?}", broken[0]);
    }
}

#[test]
fn the_table_is_kubeadms() {
    let rows = [bare("abcdef.0123456789abcdef"), spec("ghijkl.0123456789abcdef")];
    let expected = "\
TOKEN                     TTL         EXPIRES                USAGES                   DESCRIPTION      EXTRA GROUPS
abcdef.0123456789abcdef   <forever>   <never>                <none>                   <none>           <none>
ghijkl.0123456789abcdef   23h         2026-01-03T02:04:05Z   authentication,signing   for racks 1, 2   system:bootstrappers:a,system:bootstrappers:b";
    assert_eq!(table(&rows, NOW), expected);
    assert_eq!(table(&[], NOW), "");
}

#[test]
fn what_is_left_is_told_in_the_unit_that_fits() {
    for (seconds, text) in [
        (-1, "<invalid>"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (86_399, "23h"),
        (86_400, "1d"),
        (365 * 86_400, "1y"),
    ] {
        assert_eq!(short(seconds), text, "{seconds}");
    }
}

#[test]
fn programs_get_kubeadms_object_without_empty_fields() {
    assert_eq!(
        object(&spec("ghijkl.0123456789abcdef")),
        json!({
            "apiVersion": "output.kubeadm.k8s.io/v1alpha3", "kind": "BootstrapToken",
            "token": "ghijkl.0123456789abcdef", "description": "for racks 1, 2", "expires": "2026-01-03T02:04:05Z",
            "usages": ["authentication", "signing"], "groups": ["system:bootstrappers:a", "system:bootstrappers:b"],
        })
    );
    assert_eq!(object(&bare("abcdef.0123456789abcdef")).as_object().unwrap().len(), 3);
}
