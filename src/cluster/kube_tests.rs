//! What is asked of an API server, and what is made of its answers: against a server that answers from a list.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

/// Answers one request after the other, each over a connection of its own; gives the first lines of the requests.
fn server(answers: Vec<String>) -> (Identity, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).unwrap();
            }
            asked.push(head.lines().next().unwrap_or_default().to_owned());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (Identity::Anonymous { server, ca_pem: None }, asked)
}

fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{header}\r\n{body}", body.len())
}

fn servers() -> ApiServers {
    ApiServers::new(Path::new("/nowhere"), &Root::default()).unwrap()
}

fn a_node() -> ObjectRef {
    ObjectRef::new("v1", "Node", "", "n1")
}

#[test]
fn the_servers_clock_is_read_from_its_date() {
    assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    assert_eq!(http_date("yesterday"), None);
}

#[test]
fn a_list_is_read_to_its_end_in_parts() {
    let page = |name: &str, next: &str| {
        let body = json!({"metadata": {"continue": next}, "items": [{"metadata": {"name": name}}]});
        answer("200 OK", "", &body.to_string())
    };
    let (identity, asked) = server(vec![page("a", "there"), page("b", "")]);
    let found = servers().list(&identity, &ObjectRef::new("v1", "Node", "", ""), "labelSelector=x").unwrap();
    let names: Vec<_> = found.iter().map(|node| (&node["kind"], &node["metadata"]["name"])).collect();
    assert_eq!(names, [(&json!("Node"), &json!("a")), (&json!("Node"), &json!("b"))]);
    let path = "GET /api/v1/nodes?labelSelector=x&limit=500";
    assert_eq!(asked.join().unwrap(), [format!("{path} HTTP/1.1"), format!("{path}&continue=there HTTP/1.1")]);
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_a_refusal_is_not() {
    let busy = answer("429 Too Many Requests", "Retry-After: 1\r\n", "");
    let (identity, asked) = server(vec![busy, answer("200 OK", "", "{\"kind\": \"Node\"}")]);
    assert_eq!(servers().get(&identity, &a_node()).unwrap(), Some(json!({"kind": "Node"})));
    assert_eq!(asked.join().unwrap().len(), 2);
    let (identity, asked) = server(vec![answer("429 Too Many Requests", "", "{\"message\": \"no\"}")]);
    assert_eq!(servers().get(&identity, &a_node()).unwrap_err().status(), Some(429));
    assert_eq!(asked.join().unwrap().len(), 1);
}

#[test]
fn news_are_the_last_of_the_events_that_came_at_once() {
    let event = |kind: &str, version: &str| {
        let object = json!({"metadata": {"resourceVersion": version}});
        format!("{}\n", json!({"type": kind, "object": object}))
    };
    let gone = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).to_string();
    let broken = json!({"type": "ERROR", "object": {"code": 500, "message": "no"}}).to_string();
    let second = Duration::from_secs(1);
    let news = |answers| {
        let (identity, asked) = server(answers);
        let news = servers().news(&identity, &a_node(), "6", second);
        (news, asked.join().unwrap())
    };
    let version = |found: Option<Value>| found.map(|found| found["metadata"]["resourceVersion"].clone());

    let (found, asked) = news(vec![answer("200 OK", "", &(event("ADDED", "7") + &event("MODIFIED", "8")))]);
    assert_eq!(version(found.unwrap()), Some(json!("8")));
    let path = "GET /api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dn1&timeoutSeconds=1&resourceVersion=6 HTTP/1.1";
    assert_eq!(asked, [path]);
    for (name, body, expected) in [("nothing", String::new(), None), ("deleted", event("DELETED", "9"), None)] {
        assert_eq!(version(news(vec![answer("200 OK", "", &body)]).0.unwrap()), expected, "{name}");
    }
    for first in [answer("200 OK", "", &gone), answer("410 Gone", "", "{}")] {
        let now = answer("200 OK", "", &json!({"metadata": {"resourceVersion": "12"}}).to_string());
        let (found, asked) = news(vec![first, now]);
        assert_eq!(version(found.unwrap()), Some(json!("12")));
        assert_eq!(asked[1], "GET /api/v1/nodes/n1 HTTP/1.1");
    }
    assert_eq!(news(vec![answer("200 OK", "", &broken)]).0.unwrap_err().status(), Some(500));
}

#[test]
fn news_are_given_while_the_answer_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let identity = Identity::Anonymous { server: format!("http://{}", listener.local_addr().unwrap()), ca_pem: None };
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let asked = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let event = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Node\"}}\n";
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").as_bytes()).unwrap();
        // The answer ends when the one who asked has heard enough.
        wait.recv().unwrap();
    });
    let news = servers().news(&identity, &a_node(), "", Duration::from_secs(1)).unwrap();
    assert_eq!(news, Some(json!({"kind": "Node"})));
    done.send(()).unwrap();
    asked.join().unwrap();
}
