//! How a connection that we end is kept open for a while.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How long the other side has to read why a connection has failed or is refused.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// The same when the process was asked to stop.
pub(crate) const LINGER_AT_STOP: Duration = Duration::from_secs(1);

/// Reads and forgets until the other side has closed its own, or for as long as `limit`: if we closed ours with
/// input unread, its writing would fail, or the connection be reset, before it has read our error.
pub(crate) fn linger(mut input: impl Read + AsFd, limit: Duration) {
    let deadline = Instant::now() + limit;
    let mut rest = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = Timespec::try_from(left) else { return };
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&timeout)) {
            // A signal, of all moments in this one.
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
