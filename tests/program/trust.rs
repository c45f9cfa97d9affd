//! What is trusted without the host's own CA certificates: a small system has none.

use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use crate::bench::Bench;

#[test]
fn discovery_by_token_needs_no_ca_certificates_of_the_host() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let pin = format!("sha256:{}", "0".repeat(64));
    let words =
        ["join", &address, "--token", "abcdef.0123456789abcdef", "--discovery-token-ca-cert-hash", &pin, "--dry-run"];
    let bench = Bench::new();
    let mut join = bench
        .command(&words)
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/nowhere")
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut first = [0];
        listener.accept().unwrap().0.read_exact(&mut first).unwrap();
        told.send(first).unwrap();
    });
    let first = heard.recv_timeout(Duration::from_secs(30));
    join.kill().unwrap();
    join.wait().unwrap();
    assert_eq!(first, Ok([22]), "a TLS handshake begins");
}
