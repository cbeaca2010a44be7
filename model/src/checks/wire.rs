//! The peer of a connection. It accepts output in pieces, as far as it has room.

use std::io::{self, Write};
use std::sync::{Arc, PoisonError};

use udf_proto::frame::FrameReader;
use udf_proto::messages::{KeepaliveResponse, response::Message};
use udf_proto::{messages::Response, response};

use crate::agent::sync::{Condvar, Mutex, lock};
use crate::agent::transport::{Report, Transport};

/// The number of bytes that a write accepts. The rest of a frame needs another write, so that other
/// threads can interfere.
const PIECE: usize = 3;

/// Returns a frame with a number.
pub(super) fn frame(number: i64) -> Vec<u8> {
    let mut frame = Vec::new();
    response::append(Message::Keepalive(KeepaliveResponse { time: number }), &mut frame);
    frame
}

#[derive(Clone)]
pub(super) struct Wire(Arc<(Mutex<State>, Condvar)>);

struct State {
    bytes: Vec<u8>,
    /// The number of bytes that the wire has room for.
    room: usize,
    /// The number of bytes after which a write fails, once.
    breaks: usize,
    closed: bool,
}

impl Wire {
    /// Creates a wire with unlimited room.
    pub(super) fn new() -> Self {
        Wire::with(usize::MAX, usize::MAX)
    }

    pub(super) fn with_room(room: usize) -> Self {
        Wire::with(room, usize::MAX)
    }

    pub(super) fn that_breaks(breaks: usize) -> Self {
        Wire::with(usize::MAX, breaks)
    }

    fn with(room: usize, breaks: usize) -> Self {
        let state = State { bytes: Vec::new(), room, breaks, closed: false };
        Wire(Arc::new((Mutex::new(state), Condvar::new())))
    }

    pub(super) fn writer(&self) -> WritingEnd {
        WritingEnd(self.clone())
    }

    pub(super) fn has_room(&self) -> bool {
        lock(&self.0.0).room > 0
    }

    /// Makes unlimited room.
    pub(super) fn read_on(&self) {
        lock(&self.0.0).room = usize::MAX;
        self.0.1.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0.0).bytes.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.0.0).closed
    }

    /// Returns the received messages, and whether all of them are complete.
    pub(super) fn messages(&self) -> (Vec<Message>, bool) {
        use prost::Message as _;
        let bytes = lock(&self.0.0).bytes.clone();
        let mut reader = FrameReader::new(&bytes[..]);
        let mut messages = Vec::new();
        loop {
            match reader.next_frame() {
                Ok(None) => return (messages, true),
                Err(_) => return (messages, false),
                Ok(Some(frame)) => {
                    let response = Response::decode(frame).expect("a frame is a response");
                    messages.push(response.message.expect("a response says something"));
                }
            }
        }
    }

    /// Returns the numbers of the received [frames](frame), which must be complete.
    pub(super) fn numbers(&self) -> Vec<i64> {
        let (messages, whole) = self.messages();
        assert!(whole, "a frame is incomplete");
        messages.iter().map(number).collect()
    }
}

fn number(message: &Message) -> i64 {
    match message {
        Message::Keepalive(keepalive) => keepalive.time,
        other => panic!("{other:?} is not a keepalive"),
    }
}

/// The watchdog's view of the wire.
pub(super) struct Seen(pub(super) Wire);

impl Transport for Seen {
    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn has_hung_up(&self) -> bool {
        false
    }

    fn give_up(&self, _: Report) {}
}

/// The writer of a wire. Dropping it closes the wire.
pub(super) struct WritingEnd(Wire);

impl Write for WritingEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (state, changed) = &*self.0.0;
        let mut state = lock(state);
        while state.room == 0 {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        assert!(!state.closed, "output was written after the close");
        if state.bytes.len() >= state.breaks {
            state.breaks = usize::MAX;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let most = bytes.len().saturating_sub(PIECE).max(PIECE);
        let some = bytes.len().min(most).min(state.room);
        state.bytes.extend(&bytes[..some]);
        state.room -= some;
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WritingEnd {
    fn drop(&mut self) {
        lock(&self.0.0.0).closed = true;
    }
}
