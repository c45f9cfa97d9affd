//! Listening TCP sockets as the kernel tells them over netlink, `sock_diag(7)`: it looks through its table of listeners alone.
//!
//! For `/proc/net/tcp` it goes through its table of connections too, which has places for as many as there is memory: that
//! takes milliseconds even where nobody is connected.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;

use nix::Result;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// From the kernel's headers: types and flags of messages, and the state of a listening socket.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST_AND_DUMP: u16 = 0x301;
const TCP_LISTEN: u32 = 10;

/// Lengths of a message's head, and of a socket's identity, which a question leaves empty.
const HEAD: usize = 16;
const IDENTITY: usize = 48;
/// Where port and inode stand in a message about a socket.
const PORT: usize = HEAD + 4;
const INODE: usize = HEAD + 68;

/// Inode of the socket → port, of both families.
pub(super) fn listeners() -> Result<BTreeMap<u64, u16>> {
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    let mut found = BTreeMap::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        send(netlink.as_raw_fd(), &question(family), MsgFlags::empty())?;
        let mut buffer = vec![0; 1 << 15];
        loop {
            let length = recv(netlink.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            if take(&buffer[..length], &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

/// A dump of the family's sockets that listen.
fn question(family: i32) -> Vec<u8> {
    let length = HEAD + 8 + IDENTITY;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_AND_DUMP.to_ne_bytes());
    // Neither the number of the question nor the one who asks matter: one asks at a time.
    bytes.extend([0; 8]);
    bytes.extend([family, libc::IPPROTO_TCP, 0, 0].map(|byte| u8::try_from(byte).unwrap_or_default()));
    bytes.extend((1_u32 << TCP_LISTEN).to_ne_bytes());
    bytes.resize(length, 0);
    bytes
}

/// Takes the sockets out of an answer; whether it was the last one. Anything but sockets and the end is a refusal.
fn take(mut answer: &[u8], found: &mut BTreeMap<u64, u16>) -> Result<bool> {
    while let Some(length) = answer.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes) as usize) {
        let message = answer.get(..length).filter(|message| message.len() >= HEAD).ok_or(Errno::EBADMSG)?;
        match u16::from_ne_bytes([message[4], message[5]]) {
            NLMSG_DONE => return Ok(true),
            SOCK_DIAG_BY_FAMILY => {
                let port = message.get(PORT..).and_then(<[u8]>::first_chunk).ok_or(Errno::EBADMSG)?;
                let inode = message.get(INODE..).and_then(<[u8]>::first_chunk).ok_or(Errno::EBADMSG)?;
                found.insert(u64::from(u32::from_ne_bytes(*inode)), u16::from_be_bytes(*port));
            }
            _ => return Err(Errno::ENOTSUP),
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_of_each_family_is_told_and_a_connection_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Where there is no IPv6, there is nothing to be found.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let at = listener.local_addr().unwrap();
            let _client = std::net::TcpStream::connect(at).unwrap();
            let count = |found: &BTreeMap<u64, u16>| found.values().filter(|port| **port == at.port()).count();
            assert_eq!(count(&listeners().unwrap()), 1, "{address}");
            drop(listener);
            assert_eq!(count(&listeners().unwrap()), 0, "{address}");
        }
    }

    #[test]
    fn an_answer_that_is_no_list_of_sockets_is_refused() {
        let mut error = [0; 20];
        error[0] = 20;
        error[4] = 2;
        for (name, answer) in [("an error", &error[..]), ("cut off", &error[..12]), ("no length", &[0; 16][..])] {
            assert!(take(answer, &mut BTreeMap::new()).is_err(), "{name}");
        }
    }
}
