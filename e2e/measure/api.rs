//! Questions to an API server that cost next to nothing: one TLS connection, HTTP by hand. kubectl would need more
//! processor time for a question than what is measured; curl a handshake each time.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer is waited for, before the reader may look around.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whom to ask, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Server {
    address: Ipv4Addr,
    tls: Arc<ClientConfig>,
}

/// One connection.
pub(super) struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Server {
    /// The API server of the node with this address, asked with this kubeconfig.
    pub(super) fn of(address: Ipv4Addr, kubeconfig: &str) -> io::Result<Self> {
        let config: serde_yaml::Value = serde_yaml::from_str(kubeconfig).map_err(io::Error::other)?;
        let field = |list: &str, inner: &str, name: &str| {
            let value = config[list][0][inner][name].as_str().unwrap_or_default();
            BASE64_STANDARD.decode(value).map_err(io::Error::other)
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&field("clusters", "cluster", "certificate-authority-data")?)
        {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let chain = field("users", "user", "client-certificate-data")?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let key =
            PrivateKeyDer::from_pem_slice(&field("users", "user", "client-key-data")?).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.map_err(io::Error::other)?, key)
            .map_err(io::Error::other)?;
        Ok(Self { address, tls: Arc::new(tls) })
    }

    pub(super) fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect_timeout(&SocketAddr::from((self.address, 6443)), PATIENCE)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::IpAddress(self.address.into());
        let tls = ClientConnection::new(self.tls.clone(), name).map_err(io::Error::other)?;
        Ok(Connection { stream: BufReader::new(StreamOwned::new(tls, tcp)) })
    }
}

impl Connection {
    /// Asks, and gives status and body. The connection may be used again.
    pub(super) fn get(&mut self, path: &str) -> io::Result<(u16, String)> {
        let head = self.ask(path, "1.1")?;
        let mut body = Vec::new();
        if let Some(length) = head.length {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
            return Ok((head.status, String::from_utf8_lossy(&body).into_owned()));
        }
        // In pieces, each after a line with its length.
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let mut piece = vec![0; length + 2];
            self.stream.read_exact(&mut piece)?;
            if length == 0 {
                return Ok((head.status, String::from_utf8_lossy(&body).into_owned()));
            }
            body.extend_from_slice(&piece[..length]);
        }
    }

    /// Asks for a list and what changes in it. HTTP/1.0, so that an event is a line and nothing else.
    pub(super) fn watch(&mut self, path: &str) -> io::Result<u16> {
        self.ask(path, "1.0").map(|head| head.status)
    }

    /// Adds the next line to `line`. At a timeout it says `WouldBlock`, and the same call goes on.
    pub(super) fn more(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        self.stream.read_until(b'\n', line)
    }

    fn ask(&mut self, path: &str, version: &str) -> io::Result<Head> {
        let question = format!("GET {path} HTTP/{version}\r\nHost: kubernetes\r\nUser-Agent: e2e-bench\r\n\r\n");
        self.stream.get_mut().write_all(question.as_bytes())?;
        self.stream.get_mut().flush()?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut head = Head { status: status.ok_or_else(|| io::Error::other("no HTTP"))?, length: None };
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.strip_prefix("content-length:") {
                Some(length) => head.length = length.trim().parse().ok(),
                None if line.trim().is_empty() => return Ok(head),
                None => {}
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}

struct Head {
    status: u16,
    length: Option<usize>,
}
