//! Tables for the parsers of `types.rs`: what they take, what they refuse.

use super::*;

#[test]
fn networks_are_read_and_written_with_host_bits_cleared() {
    for (text, expected) in [
        ("10.96.0.0/12", "10.96.0.0/12"),
        ("10.96.3.4/12", "10.96.0.0/12"),
        ("fd00:1::5/108", "fd00:1::/108"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ] {
        assert_eq!(Cidr::parse(text).expect(text).to_string(), expected, "{text}");
    }
    for text in ["", "10.96.0.0", "10.96.0.0/33", "10.96.0/12", "fd00::/129", "a/b", "10.0.0.0/+8", "10.0.0.0/"] {
        assert!(Cidr::parse(text).is_err(), "{text}");
    }
}

#[test]
fn addresses_in_a_network_are_counted_from_its_own() {
    let services = Cidr::parse("10.96.0.0/12").expect("a network");
    assert_eq!(services.address(1).to_string(), "10.96.0.1");
    assert_eq!(services.address(10).to_string(), "10.96.0.10");
    assert_eq!(Cidr::parse("fd00::/108").expect("a network").address(10).to_string(), "fd00::a");
}

#[test]
fn overlap_is_symmetric_and_knows_families() {
    let net = |text| Cidr::parse(text).expect("a network");
    for (a, b, expected) in [
        ("10.96.0.0/12", "10.100.0.0/16", true),
        ("10.96.0.0/12", "10.244.0.0/16", false),
        ("0.0.0.0/0", "10.0.0.0/8", true),
        ("fd00::/64", "10.0.0.0/8", false),
    ] {
        assert_eq!(net(a).overlaps(&net(b)), expected, "{a} {b}");
        assert_eq!(net(b).overlaps(&net(a)), expected, "{b} {a}");
    }
}

#[test]
fn hosts_and_ports_are_taken_apart() {
    for (text, default, expected) in [
        ("10.0.0.1:6443", None, "10.0.0.1:6443"),
        ("api.example.com", Some(6443), "api.example.com:6443"),
        ("[fd00::1]:6443", None, "[fd00::1]:6443"),
        ("fd00::1", Some(6443), "[fd00::1]:6443"),
    ] {
        assert_eq!(HostPort::parse(text, default).expect(text).to_string(), expected, "{text}");
    }
    for text in
        ["", ":6443", "host", "host:0", "host:65536", "host:x", "ho st:1", "10.0.0.256:6443", "https://a:1", "[::1"]
    {
        assert!(HostPort::parse(text, None).is_err(), "{text}");
    }
}

#[test]
fn releases_have_three_numbers_and_an_order() {
    let release = |text: &str| text.parse::<Release>();
    assert_eq!(release("1.20.2").expect("a release").to_string(), "v1.20.2");
    assert_eq!(release("v1.21.0-rc.1+abc").expect("a release").image_tag(), "v1.21.0-rc.1_abc");
    assert!(release("v1.20.2").expect("a release") < release("v1.20.10").expect("a release"));
    for text in ["", "v1", "v1.20", "1.20.2.3", "2.0.0", "v1.x.2", "stable-1", "v1.20.2-", "v1.+1.2"] {
        assert!(release(text).is_err(), "{text}");
    }
}

#[test]
fn tokens_hide_their_secret_and_are_never_repeated_in_errors() {
    let token = BootstrapToken::parse("abcdef.0123456789abcdef").expect("a token");
    assert_eq!(token.id().as_str(), "abcdef");
    assert_eq!(format!("{token:?}"), "abcdef.<hidden>");
    for text in
        ["abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdeg!", "abcdeé.123456789abcdef"]
    {
        let error = BootstrapToken::parse(text).expect_err(text);
        assert!(!error.to_string().contains(text), "{error}");
    }
}

#[test]
fn random_tokens_are_valid_and_use_every_byte_fairly() {
    let mut next = 250_u8;
    let token = BootstrapToken::random(|| {
        next = next.wrapping_add(1);
        next
    });
    assert_eq!(token.id().as_str(), "z01234", "251 is used, 252 to 255 are not");
    assert!(BootstrapToken::parse(&token.reveal()).is_ok());
}

#[test]
fn node_names_are_made_lower_case() {
    assert_eq!(NodeName::parse(" CP-1.Example ").expect("a name").as_str(), "cp-1.example");
    for text in ["", "-a", "a_b", "a..b", "a b"] {
        assert!(NodeName::parse(text).is_err(), "{text}");
    }
}

#[test]
fn pins_are_read_in_any_case() {
    let digest = "ab".repeat(32);
    assert_eq!(
        CaPin::parse(&format!("SHA256:{}", digest.to_uppercase())).expect("a pin").to_string(),
        format!("sha256:{digest}")
    );
    for text in ["", "sha256:", "sha512:ab", &format!("sha256:{}", "g".repeat(64))] {
        assert!(CaPin::parse(text).is_err(), "{text}");
    }
}
