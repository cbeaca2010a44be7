//! The sockets that a server accepts connections on.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::AnyAccepter;
use super::socket_file::SocketFile;
use crate::agent::stop::Stopping;

/// A socket, and what serves its connections.
pub(crate) struct Door {
    pub(crate) listener: UnixListener,
    /// The file of the listener, if the server removes it at its end.
    pub(crate) file: Option<SocketFile>,
    pub(crate) accepter: AnyAccepter,
}

/// The event that woke the server.
pub(super) enum Woken {
    Stopped,
    /// Connections wait at the sockets with these positions.
    Connections(Vec<usize>),
    Timeout,
}

/// Waits for an event, but no longer than `timeout`. A pause ignores the listeners.
pub(super) fn wait<'l>(
    listeners: impl Iterator<Item = &'l UnixListener>,
    stopped: &Stopping,
    pauses: bool,
    timeout: Duration,
) -> rustix::io::Result<Woken> {
    let mut fds = vec![PollFd::new(stopped, PollFlags::IN)];
    // Pause the listeners after a temporary error. They stay readable, so polling them would spin.
    if !pauses {
        fds.extend(listeners.map(|listener| PollFd::new(listener, PollFlags::IN)));
    }
    loop {
        match poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        if is_ready(&fds[0]) {
            return Ok(Woken::Stopped);
        }
        let ready = fds[1..].iter().enumerate().filter(|(_, fd)| is_ready(fd));
        let ready: Vec<_> = ready.map(|(at, _)| at).collect();
        return Ok(if ready.is_empty() { Woken::Timeout } else { Woken::Connections(ready) });
    }
}
