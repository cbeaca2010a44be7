//! How a connection that has failed is kept open for a while.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long the other side has to read why.
const LINGER: Duration = Duration::from_secs(5);

/// Reads and forgets until the other side has closed its own, or for some seconds: if we closed ours with input
/// unread, its writing would fail, or the connection be reset, before it has read our error.
pub(crate) fn linger(mut input: impl Read + AsFd) {
    let deadline = Instant::now() + LINGER;
    let mut rest = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&input, PollFlags::IN)];
        let ready = Timespec::try_from(left)
            .is_ok_and(|left| poll(&mut fds, Some(&left)).is_ok_and(|ready| ready > 0));
        if left.is_zero() || !ready || matches!(input.read(&mut rest), Ok(0) | Err(_)) {
            return;
        }
    }
}
