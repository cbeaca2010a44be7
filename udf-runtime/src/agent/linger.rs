//! Keeps a connection open for a short time after our side has ended it.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The time that the peer has to read why a connection failed or is refused.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// The same time after a stop of the process.
pub(crate) const LINGER_AT_STOP: Duration = Duration::from_secs(1);

/// Reads and discards input until the peer closes its side, but no longer than `limit`. If we
/// closed the connection with unread input, the peer's write would fail, or the connection would be
/// reset, before the peer has read our error.
pub(crate) fn linger(mut input: impl Read + AsFd, limit: Duration) {
    let deadline = Instant::now() + limit;
    let mut rest = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = Timespec::try_from(left) else { return };
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&timeout)) {
            // A signal interrupted the call.
            Err(Errno::INTR) => continue,
            Ok(1..) if !left.is_zero() => {}
            _ => return,
        }
        match input.read(&mut rest) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
