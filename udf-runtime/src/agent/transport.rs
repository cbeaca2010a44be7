//! The transport of a connection, as seen by the watchdog. No method blocks.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::allowance::Peer;
use crate::agent::input::Source;
use crate::agent::ready::{has_gone, has_hung_up, has_room};

/// Queries the state of a transport, and can shut it down.
pub(crate) trait Transport: Send {
    /// Returns whether a write of a few bytes does not block.
    fn has_room(&self) -> bool;

    /// Returns whether the peer has closed the half that it writes to.
    fn has_hung_up(&self) -> bool;

    /// Returns the number of written bytes that the peer has not read, as far as the system reports
    /// it.
    fn unread(&self) -> u64 {
        0
    }

    /// Releases the writing side, so that the peer sees its end.
    fn close_output(&mut self) {}

    /// Returns whether the peer waits for this process to exit.
    fn is_waited_for(&self) -> bool {
        false
    }

    /// Reads input that no thread handles, so that the peer can finish its write. Waits up to
    /// `left` for more, and subtracts the time used.
    fn make_way(&self, _left: &mut Duration) {}

    /// Returns the other side, for a request that waits for room: it waits only while somebody can
    /// read the answer.
    fn peer(&self) -> Option<Arc<dyn Peer>> {
        None
    }

    /// Returns copies of the descriptors of the input and of the output, for a loop of its own. The
    /// output does not block.
    ///
    /// # Errors
    /// Returns an error if the transport has no such descriptors, or if the process has none left.
    #[cfg_attr(not(feature = "main"), allow(dead_code, reason = "only a supervisor needs it"))]
    fn descriptors(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends the connection although a write waits. `report` logs the reason.
    fn give_up(&self, report: Report);
}

impl Peer for Source<UnixStream> {
    fn has_gone(&self) -> bool {
        has_gone(self.get_ref().as_fd())
    }

    fn has_hung_up(&self) -> bool {
        has_hung_up(self.get_ref().as_fd())
    }
}

/// Logs why a connection is given up, with its task and node.
pub(crate) type Report = Box<dyn FnOnce() + Send>;

/// The writing side of a connection about which nothing else is known.
pub(crate) struct Writer<W>(Option<W>);

impl<W> Writer<W> {
    pub(crate) fn new(writer: W) -> Self {
        Writer(Some(writer))
    }
}

impl<W: AsFd + Send> Transport for Writer<W> {
    fn has_room(&self) -> bool {
        self.0.as_ref().is_some_and(|writer| has_room(writer.as_fd()))
    }

    fn close_output(&mut self) {
        self.0 = None;
    }

    fn has_hung_up(&self) -> bool {
        false
    }

    fn give_up(&self, _: Report) {}
}

/// A socket of a connection. All owners share one descriptor.
pub(crate) struct Socket(pub(crate) Arc<Source<UnixStream>>);

impl Transport for Socket {
    fn has_room(&self) -> bool {
        has_room(self.0.get_ref().as_fd())
    }

    fn has_hung_up(&self) -> bool {
        has_hung_up(self.0.get_ref().as_fd())
    }

    fn make_way(&self, left: &mut Duration) {
        self.0.read_ahead(left);
    }

    fn descriptors(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        let stream = self.0.get_ref();
        stream.set_nonblocking(true)?;
        Ok((stream.try_clone()?.into(), stream.try_clone()?.into()))
    }

    fn peer(&self) -> Option<Arc<dyn Peer>> {
        Some(Arc::clone(&self.0) as Arc<dyn Peer>)
    }

    fn give_up(&self, report: Report) {
        // The shutdown makes a blocked write fail. It precedes the report, because logging may
        // block as well.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
        report();
    }
}
