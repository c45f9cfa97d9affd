//! Any value at all: what is written is read back equal, and no plain text is one that a YAML 1.1 reader takes for
//! something else. The forms are those of https://yaml.org/type/ and of PyYAML's and go-yaml's resolvers.

use std::sync::LazyLock;

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use regex::Regex;
use serde_json::json;

use super::*;

/// Everything that a 1.1 reader does not take for a string where it stands without quotes.
static IMPLICIT: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        "|~|null|Null|NULL",
        "y|Y|n|N|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        // Whole numbers: binary, octal of both versions, decimal, hexadecimal, base 60.
        "[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+",
        // Other numbers, with every exponent that any reader takes, and base 60.
        r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*",
        r"[-+]?\.?(inf|Inf|INF|infinity|Infinity)|\.?(nan|NaN|NAN)",
        // Moments.
        r"[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(([Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9][0-9]?(:[0-9]{2})?))?)?",
        // Merge and value.
        "<<|=",
    ];
    Regex::new(&format!("^(?:{})$", forms.join("|"))).expect("a regular expression")
});

/// Whether a 1.1 reader takes it for this very string, where it stands without quotes as a key or a value.
fn is_safe_plain(text: &str) -> bool {
    let starts_with_one_of = |set: &str| text.starts_with(|c| set.contains(c));
    let misleads = [
        IMPLICIT.is_match(text),
        starts_with_one_of(",[]{}#&*!|>'\"%@` \t"),
        starts_with_one_of("-?:") && text[1..].chars().next().is_none_or(char::is_whitespace),
        text.starts_with("---"),
        text.starts_with("..."),
        text.contains(": "),
        text.contains(" #"),
        text.ends_with([':', ' ']),
    ];
    !misleads.contains(&true) && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
}

/// Texts that are nearly something: pieces of numbers, moments and words, put together.
fn a_near_miss() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[0-9]{1,4}",
        "[-+.:_,/ =<>~#&*!|'\"%@?{}\\[\\]\\\\]",
        Just("0x".to_owned()),
        Just("0o".to_owned()),
        Just("0b".to_owned()),
        Just("e".to_owned()),
        Just("E+".to_owned()),
        Just("T".to_owned()),
        Just("Z".to_owned()),
        Just("Ki".to_owned()),
        Just("ms".to_owned()),
        Just("\n".to_owned()),
        Just("\t".to_owned()),
        "(?i:yes|no|on|off|y|n|true|false|null|nan|inf|infinity)",
        "[a-f]{1,3}",
    ];
    proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => a_near_miss(),
        1 => any::<String>(),
        1 => "[ -~\n\t]{0,40}",
        1 => "([ a-z:#-]{0,12}\n){0,4}[ a-z]{0,5}",
    ]
}

fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>()
            .prop_filter("JSON has no other numbers", |number| number.is_finite())
            .prop_map(|number| json!(number)),
        a_text().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::hash_map(a_text(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(crate::support::properties::cases(1000))]

    #[test]
    fn a_text_is_plain_only_where_no_reader_can_take_it_for_something_else(text in a_text()) {
        let written = string_text(&text);
        if written.starts_with('"') {
            prop_assert!(!written.contains('\n'), "{}", written);
            prop_assert_eq!(serde_yaml::from_str::<String>(&written).expect("a string"), text);
        } else {
            prop_assert_eq!(&written, &text);
            prop_assert!(is_safe_plain(&text), "{:?} is written without quotes", text);
        }
    }

    #[test]
    fn any_value_is_read_back_equal(value in a_value()) {
        let text = write(&value);
        // An empty text of documents stands for null.
        let read = documents(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(read, if value.is_null() { vec![] } else { vec![value] }, "{}", text);
    }

    #[test]
    fn numbers_are_written_so_that_a_1_1_reader_takes_them_for_numbers(number in any::<f64>()) {
        if number.is_finite() {
            let text = number_text(&json!(number).to_string());
            let float = Regex::new(r"^[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?$").expect("a regular expression");
            prop_assert!(float.is_match(&text), "{}", text);
            prop_assert_eq!(serde_yaml::from_str::<f64>(&text).expect("a number"), number);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in a_text()) {
        let _ = documents(&text);
    }
}

/// Traps that somebody has fallen into, whatever chance draws above.
#[test]
fn known_traps_are_written_so_that_they_stay_strings() {
    for trap in [
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "true",
        "NULL",
        "~",
        "",
        "null",
        "0755",
        "0o17",
        "0x1F",
        "0b11",
        "1_000",
        "-1",
        "+1",
        "1e3",
        "1E3",
        "1.5e+3",
        ".5",
        "5.",
        "1.",
        ".inf",
        "-.INF",
        ".nan",
        "NaN",
        "12:30",
        "12:30:45",
        "190:20:30.15",
        "22:22",
        "2001-12-14",
        "2001-12-14t21:59:43.10-05:00",
        "2001-12-14 21:59:43",
        "<<",
        "=",
        "-",
        "--",
        "---",
        "...",
        "? a",
        "- a",
        ": a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "'",
        "\"",
        "%a",
        "@a",
        "`a",
        "[a",
        "{a",
        "a]",
        ",a",
        " a",
        "a ",
        "\ta",
        "a\tb",
        "a\nb",
        "a\rb",
        "a\u{85}b",
        "a\u{2028}b",
        "\u{feff}a",
        "a\u{fffe}",
        "a\u{0}",
        "\u{7f}",
        "\u{1f600}",
        "1.2",
        "1.2.3.4:5",
        "08",
        "09",
        "0.0.0",
        "0",
        "00",
        "-0",
        "1__0",
        "_1",
        "e3",
        "0e0",
        "1e",
        "0.e",
    ] {
        let written = string_text(trap);
        assert!(written.starts_with('"') || is_safe_plain(trap), "{trap:?} is written as {written}");
        for value in [json!(trap), json!({trap: trap}), json!([trap, {"a": [trap]}])] {
            let text = write(&value);
            assert_eq!(documents(&text).expect(&text), [value], "{text}");
        }
    }
}

/// The checker itself: a test that takes everything for safe would prove nothing.
#[test]
fn the_checker_of_plain_texts_knows_the_forms() {
    for text in
        ["yes", "1:30", "0o7", "1e3", "2001-01-01", "~", "", "=", "<<", "a: b", "- a", "-", "1_0", ".5", "Infinity"]
    {
        assert!(!is_safe_plain(text), "{text:?}");
    }
    for text in ["a", "10.96.0.0/12", "4m0s", "--v=4", "https://a:1/b", "v1.20.2", "100Mi", "/etc", "a=b,c=d"] {
        assert!(is_safe_plain(text), "{text:?}");
    }
}
