//! Where words go: standard output or standard error, whole, as soon as there is room for them.
//!
//! A pipe that is full holds a run up, as it does every program; but who asks such a run to stop is obeyed: what is still to
//! be written is then dropped.

use std::io::{self, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::time::is_stop_requested;

/// What a pipe that can be written to takes without holding up its writer (`PIPE_BUF`), in bytes.
const ALWAYS_TAKEN: usize = 4096;

/// How long to wait for room before it is asked again whether to go on, in milliseconds.
const LOOK_EVERY: u16 = 50;

/// Writes a text to a stream that belongs to somebody else.
///
/// # Errors
/// When it cannot be written, or was not before the run was asked to stop.
pub(super) fn give(mut stream: impl Write + AsFd, text: &[u8]) -> io::Result<()> {
    for part in text.chunks(ALWAYS_TAKEN) {
        while !has_room(&stream)? {
            if is_stop_requested() {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "nobody reads it, and the run was asked to stop",
                ));
            }
        }
        stream.write_all(part)?;
        stream.flush()?;
    }
    Ok(())
}

/// Whether a write would return at once, be it with an error.
fn has_room(stream: &impl AsFd) -> io::Result<bool> {
    let mut asked = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut asked, PollTimeout::from(LOOK_EVERY)) {
        Err(Errno::EINTR) => Ok(false),
        found => Ok(found? > 0),
    }
}
