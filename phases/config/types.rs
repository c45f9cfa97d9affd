//! Parsed values: what a string that means something becomes at the edge. Long, because each is short and they are read
//! together.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::world::Secret;

/// A text that is not what it should be, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseError {
    /// What was given; empty for secrets.
    pub text: String,
    /// What was expected, with its article.
    pub expected: &'static str,
}

fn not(text: &str, expected: &'static str) -> ParseError {
    ParseError { text: text.to_owned(), expected }
}

/// A network in CIDR notation; host bits are cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: u128,
    prefix: u8,
    is_v4: bool,
}

impl Cidr {
    const EXPECTED: &'static str = "a network such as 10.96.0.0/12";

    /// Reads `address/prefix`.
    ///
    /// # Errors
    /// When it is not that, or the prefix is longer than the address.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (address, prefix) = text.split_once('/').ok_or_else(|| not(text, Self::EXPECTED))?;
        let address: IpAddr = address.parse().map_err(|_| not(text, Self::EXPECTED))?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(not(text, Self::EXPECTED));
        }
        let prefix: u8 = prefix.parse().map_err(|_| not(text, Self::EXPECTED))?;
        let (bits, is_v4) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let width: u8 = if is_v4 { 32 } else { 128 };
        if prefix > width {
            return Err(not(text, Self::EXPECTED));
        }
        let host_bits = u32::from(width - prefix);
        let network = if host_bits == 128 { 0 } else { bits >> host_bits << host_bits };
        Ok(Self { network, prefix, is_v4 })
    }

    /// Reads a list separated by commas; an empty text is an empty list.
    ///
    /// # Errors
    /// The first entry that is no network.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, ParseError> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    /// Whether it is an IPv4 network.
    pub fn is_v4(&self) -> bool {
        self.is_v4
    }

    /// Number of leading bits that are the network's.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Bits that are left for hosts.
    pub fn host_bits(&self) -> u8 {
        (if self.is_v4 { 32 } else { 128 }) - self.prefix
    }

    /// The address at an index, counted from the network's own; wraps at the end of the address space.
    pub fn address(&self, index: u32) -> IpAddr {
        let bits = self.network.wrapping_add(u128::from(index));
        if self.is_v4 {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(bits & 0xffff_ffff).unwrap_or(u32::MAX)))
        } else {
            IpAddr::V6(Ipv6Addr::from(bits))
        }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let host_bits = u32::from(self.host_bits());
        is_v4 == self.is_v4 && (host_bits == 128 || bits >> host_bits == self.network >> host_bits)
    }

    /// Whether two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address(0)) || other.contains(self.address(0))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(0), self.prefix)
    }
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    const EXPECTED: &'static str = "a host with an optional port, such as 10.0.0.1:6443";

    /// Puts a host and a port together.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Reads `host`, `host:port` or `[IPv6]:port`.
    ///
    /// # Errors
    /// When the host is neither an address nor a DNS name, or the port is not between 1 and 65535.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, ParseError> {
        let fail = || not(text, Self::EXPECTED);
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(fail)?;
            host.parse::<Ipv6Addr>().map_err(|_| fail())?;
            (host, rest.strip_prefix(':'))
        } else if text.parse::<Ipv6Addr>().is_ok() {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or_else(fail)?,
            None => default_port.ok_or_else(fail)?,
        };
        let all_digits = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if host.parse::<IpAddr>().is_err() && (all_digits || !is_dns_subdomain(host)) {
            return Err(fail());
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether a text is a DNS sub-domain as RFC 1123 has it: what Kubernetes allows as a Node's name.
pub fn is_dns_subdomain(text: &str) -> bool {
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !bytes.is_empty()
            && bytes.len() <= 63
            && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
            && bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric)
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label)
}

/// Name of a Node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// Reads a name; trims it and makes it lower case, as kubeadm does.
    ///
    /// # Errors
    /// When it is not a DNS sub-domain.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let name = text.trim().to_lowercase();
        if is_dns_subdomain(&name) {
            Ok(Self(name))
        } else {
            Err(not(text, "a node name: lower-case letters, digits, '-' and '.', 253 characters at most"))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Kubernetes release such as v1.20.2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    major: u32,
    minor: u32,
    patch: u32,
    suffix: String,
}

impl Release {
    /// Puts a release together.
    pub const fn new(minor: u32, patch: u32) -> Self {
        Self { major: 1, minor, patch, suffix: String::new() }
    }

    /// Minor version.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// Patch version.
    pub fn patch(&self) -> u32 {
        self.patch
    }

    /// The tag of images: `+` becomes `_`.
    pub fn image_tag(&self) -> String {
        self.to_string().replace('+', "_")
    }
}

impl FromStr for Release {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || not(text, "a release such as v1.20.2");
        let plain = text.strip_prefix('v').unwrap_or(text);
        let cut = plain.find(['-', '+']).unwrap_or(plain.len());
        let (numbers, suffix) = plain.split_at(cut);
        let mut parts = numbers.split('.').map(|part| {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) { None } else { part.parse().ok() }
        });
        let mut next = || parts.next().flatten().ok_or_else(fail);
        let (major, minor, patch) = (next()?, next()?, next()?);
        let valid_suffix = suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte));
        if parts.next().is_some() || major != 1 || !valid_suffix || suffix.len() == 1 {
            return Err(fail());
        }
        Ok(Self { major, minor, patch, suffix: suffix.to_owned() })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}{}", self.major, self.minor, self.patch, self.suffix)
    }
}

/// ID of a bootstrap token: public.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenId(String);

impl TokenId {
    /// Reads `abcdef`, or the ID of a whole token.
    ///
    /// # Errors
    /// When it is neither; the text is not repeated, since most of a token may be right.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        BootstrapToken::parse(text)
            .map(|token| token.id)
            .map_err(|_| not("", "a token ID: 6 characters of a-z and 0-9, or a whole token"))
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bootstrap token: ID and secret. Prints its ID only.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    id: TokenId,
    secret: Secret<String>,
}

impl BootstrapToken {
    const ALPHABET: &'static [u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

    /// Reads `abcdef.0123456789abcdef`.
    ///
    /// # Errors
    /// When it is not that; the text is not repeated, since most of it may be right.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = || not("", "a bootstrap token: 6 characters, a dot, 16 characters, all of a-z and 0-9");
        let (id, secret) = text.split_once('.').ok_or_else(fail)?;
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if id.len() != 6 || secret.len() != 16 || !plain(id) || !plain(secret) {
            return Err(fail());
        }
        Ok(Self { id: TokenId(id.to_owned()), secret: Secret::new(secret.to_owned()) })
    }

    /// Makes a token from random bytes, without favouring any character: bytes from 252 on are not used.
    pub fn random(mut bytes: impl FnMut() -> u8) -> Self {
        let mut characters = || loop {
            let byte = bytes();
            if byte < 252 {
                return char::from(Self::ALPHABET[usize::from(byte % 36)]);
            }
        };
        let id = (0..6).map(|_| characters()).collect();
        let secret: String = (0..16).map(|_| characters()).collect();
        Self { id: TokenId(id), secret: Secret::new(secret) }
    }

    /// The public part.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// The secret part.
    pub fn secret(&self) -> &str {
        self.secret.reveal()
    }

    /// The whole token, for the one place that needs it.
    pub fn reveal(&self) -> String {
        format!("{}.{}", self.id, self.secret.reveal())
    }
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.<hidden>", self.id)
    }
}

/// SHA-256 of a CA's public key, as `--discovery-token-ca-cert-hash` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaPin(String);

impl CaPin {
    /// Reads `sha256:<64 hex digits>`, in any case.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = || not(text, "a pin: sha256: and 64 hex digits");
        let digest = text.to_ascii_lowercase();
        let digest = digest.strip_prefix("sha256:").ok_or_else(fail)?;
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(fail());
        }
        Ok(Self(digest.to_owned()))
    }

    /// The pin of a digest in lower-case hex.
    pub fn of_digest(hex: String) -> Self {
        Self(hex)
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

#[cfg(test)]
#[path = "types_tests.rs"]
mod tests;
