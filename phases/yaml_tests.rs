//! What is written is read back as it was, and YAML 1.1 words are quoted.

use serde_json::json;

use super::*;

#[test]
fn what_is_written_reads_back_the_same() {
    for value in [
        json!({"a": {"b": [1, "two", {"c": null, "d": [["x"], []]}], "e": {}}}),
        json!({"text": "one\ntwo\n", "no end": "one\n  two", "two ends": "one\n\n", "inner": ["a\nb\n"]}),
        json!({"odd": ["", " ", "- x", "a: b", "#", "'", "\"", "\\", "\u{7}", "\u{2028}", "é", "=", "<<", "~", "!x", "&x", "*x"]}),
        json!([[1, [2, {"a": [3]}]], {"x": 1, "y": 2}]),
        json!("--flag=value"),
    ] {
        let text = write(&value);
        assert_eq!(documents(&text).expect(&text), [value], "{text}");
    }
}

#[test]
fn words_that_a_yaml_1_1_reader_takes_for_something_else_are_quoted() {
    for word in [
        "on",
        "Off",
        "y",
        "N",
        "yes",
        "no",
        "null",
        "~",
        "1_000",
        "0x10",
        "1e3",
        "12:30:45",
        "2020-01-01",
        ".5",
        ".inf",
        "=",
        "0o7",
        "1.5",
        "12",
    ] {
        assert_eq!(string_text(word), format!("\"{word}\""), "{word}");
    }
    for word in [
        "10.96.0.10",
        "10.77.0.11:6443",
        "10.96.0.0/12",
        "4m0s",
        "k8s.gcr.io/pause:3.2",
        "/etc/kubernetes",
        "https://1.2.3.4:6443",
        "cluster.local",
        "--port=0",
        "100Mi",
    ] {
        assert_eq!(string_text(word), word);
    }
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    assert!(documents("a: 1\na: 2\n").is_err());
}
