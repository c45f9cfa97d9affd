//! What is asked of an API server, and what is made of its answers: against a server that answers from a list.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;

/// Answers one request after the other, each over a connection of its own; gives the first lines of the requests.
fn server(answers: Vec<String>) -> (Identity, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (head, mut stream) = request(&listener);
            asked.push(head.lines().next().unwrap_or_default().to_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (Identity::Anonymous { server, ca_pem: None }, asked)
}

/// The head of the next request, and where its answer goes.
fn request(listener: &TcpListener) -> (String, TcpStream) {
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).unwrap();
    }
    (head, stream.into_inner())
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

fn event(kind: &str, version: &str) -> String {
    let object = json!({"metadata": {"resourceVersion": version}});
    format!("{}\n", json!({"type": kind, "object": object}))
}

/// What is shown until the version that is enough.
fn watched(identity: &Identity, enough: &str) -> (Vec<Value>, Result<(), ClusterError>) {
    let mut shown = Vec::new();
    let outcome = servers().watch(identity, &a_node(), Duration::from_secs(1), &mut |found| {
        shown.push(found["metadata"]["resourceVersion"].clone());
        shown.last().is_some_and(|version| version == enough)
    });
    (shown, outcome)
}

#[test]
fn an_object_is_shown_with_its_changes_until_the_server_ends_or_refuses() {
    let (added, modified, deleted) = (event("ADDED", "7"), event("MODIFIED", "8"), event("DELETED", "9"));
    let broken = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).to_string() + "\n";
    for (name, body, expected, status) in [
        ("changed", format!("{added}{modified}"), &["7", "8"][..], None),
        ("not there", String::new(), &[], None),
        ("deleted", format!("{added}{deleted}"), &["7"], None),
        ("an error", format!("{added}{broken}"), &["7"], Some(410)),
    ] {
        let (identity, asked) = server(vec![answer("200 OK", "", &body)]);
        let (shown, outcome) = watched(&identity, "never");
        assert_eq!(
            (shown, outcome.err().and_then(|error| error.status())),
            (expected.iter().map(|version| json!(version)).collect(), status),
            "{name}"
        );
        let path = "GET /api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dn1&timeoutSeconds=1 HTTP/1.1";
        assert_eq!(asked.join().unwrap(), [path], "{name}");
    }
    let (identity, _) = server(vec![answer("403 Forbidden", "", "{}")]);
    assert_eq!(watched(&identity, "never").1.unwrap_err().status(), Some(403));
}

#[test]
fn a_watch_ends_when_it_was_enough_while_the_answer_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let identity = Identity::Anonymous { server: format!("http://{}", listener.local_addr().unwrap()), ca_pem: None };
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let asked = std::thread::spawn(move || {
        let (_, mut stream) = request(&listener);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        // A line may come in two parts, and two lines in one.
        let text = event("ADDED", "7") + &event("MODIFIED", "8");
        for part in [&text[..30], &text[30..]] {
            stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).unwrap();
        }
        wait.recv().unwrap();
    });
    let (shown, outcome) = watched(&identity, "8");
    outcome.unwrap();
    assert_eq!(shown, ["7", "8"]);
    done.send(()).unwrap();
    asked.join().unwrap();
}
