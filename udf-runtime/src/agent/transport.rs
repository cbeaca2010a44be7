//! The transport under a connection, as the watchdog sees it: never by waiting.

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::agent::allowance::Peer;
use crate::agent::input::Source;
use crate::agent::ready::{has_gone, has_hung_up, has_room};

/// What is known of a transport, and the way to give it up.
pub(crate) trait Transport: Send {
    /// Returns whether a write of a few bytes would not wait.
    fn has_room(&self) -> bool;

    /// Returns whether the other side has closed the half that it writes to.
    fn has_hung_up(&self) -> bool;

    /// Returns how many bytes were written that the other side has not read, as far as the system tells.
    fn unread(&self) -> u64 {
        0
    }

    /// Lets go of the writing side, so that the other side sees its end.
    fn close_output(&mut self) {}

    /// Returns whether the other side waits until this process has ended.
    fn is_waited_for(&self) -> bool {
        false
    }

    /// Takes input that nobody handles, so that the other side can go on with what it is writing. It waits for
    /// more of it for up to `left`, and takes from that what it has used.
    fn make_way(&self, _left: &mut Duration) {}

    /// Returns the other side, for a request that waits for room: it waits only while somebody can read the answer.
    fn peer(&self) -> Option<Arc<dyn Peer>> {
        None
    }

    /// Ends the connection although a write waits. `report` logs the reason.
    fn give_up(&self, report: Report);
}

impl Peer for Source<UnixStream> {
    fn has_gone(&self) -> bool {
        has_gone(self.get_ref().as_fd())
    }
}

/// Logs why a connection is given up, with its task and node.
pub(crate) type Report = Box<dyn FnOnce() + Send>;

/// The writing side alone, of a connection about which nothing else is known.
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

/// A socket under a connection; one descriptor serves all of its owners.
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

    fn peer(&self) -> Option<Arc<dyn Peer>> {
        Some(Arc::clone(&self.0) as Arc<dyn Peer>)
    }

    fn give_up(&self, report: Report) {
        // A write that waits fails now. The log may wait as well, so it comes behind.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
        report();
    }
}
