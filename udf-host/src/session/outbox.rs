//! The messages that wait to be written to the UDF, and the loop that writes them.
//!
//! All messages wait as frames in one buffer. Data blocks until there is room in the buffer.
//! Requests and keepalives do not: there are few of them, and they may come between any two
//! messages, also within a batch.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use udf_proto::messages::{KeepaliveRequest, Request, request};
use udf_proto::{frame, response};
use udf_text::batch::WholeBatch;

use crate::error::Error;
use crate::settings::Writes;

/// Data blocks while this many bytes wait. The writer holds as many bytes again.
const ROOM: usize = 256 << 10;

pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    /// Signalled when there are bytes to write, and at the end.
    ready: Condvar,
    /// Signalled when there is room for data.
    room: Condvar,
}

struct Inner {
    buffer: Vec<u8>,
    /// The buffer holds the begin of a batch. Other data waits until the batch is complete.
    in_batch: bool,
    keepalive_waits: bool,
    /// Refuses new messages: before the start, after a stop, or with the error of an abort.
    closed: Option<Error>,
    /// Drops the messages that are not yet written.
    discard: bool,
    writer_asleep: bool,
    senders_asleep: usize,
}

impl Outbox {
    /// Creates an outbox that refuses messages until it is opened.
    pub(crate) fn new() -> Self {
        let inner = Inner {
            buffer: Vec::new(),
            in_batch: false,
            keepalive_waits: false,
            closed: Some(Error::NotStarted),
            discard: false,
            writer_asleep: false,
            senders_asleep: 0,
        };
        Outbox { inner: Mutex::new(inner), ready: Condvar::new(), room: Condvar::new() }
    }

    pub(crate) fn open(&self) {
        self.lock().closed = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_writer(&self, inner: &mut Inner) {
        if inner.writer_asleep {
            inner.writer_asleep = false;
            self.ready.notify_one();
        }
    }

    /// Adds a request, even if the buffer is full.
    pub(crate) fn request(&self, message: request::Message) -> Result<(), Error> {
        let mut inner = self.lock();
        if let Some(error) = &inner.closed {
            return Err(error.clone());
        }
        frame::append(&Request { message: Some(message) }, &mut inner.buffer);
        self.wake_writer(&mut inner);
        Ok(())
    }

    /// Adds a keepalive unless one is already waiting. While the UDF does not read, one keepalive
    /// is as good as many.
    pub(crate) fn keepalive(&self, time: i64) {
        let mut inner = self.lock();
        if inner.closed.is_none() && !inner.keepalive_waits {
            inner.keepalive_waits = true;
            let message = Some(request::Message::Keepalive(KeepaliveRequest { time }));
            frame::append(&Request { message }, &mut inner.buffer);
            self.wake_writer(&mut inner);
        }
    }

    /// Adds the frames of points that `append` appends.
    pub(crate) fn points(&self, append: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let mut inner = self.wait(|inner| !inner.in_batch)?;
        append(&mut inner.buffer);
        self.wake_writer(&mut inner);
        Ok(())
    }

    pub(crate) fn batch(&self, batch: &WholeBatch) -> Result<(), Error> {
        let mut inner = self.wait(|inner| !inner.in_batch)?;
        inner.in_batch = true;
        let begin = Some(request::Message::Begin(batch.begin().into()));
        frame::append(&Request { message: begin }, &mut inner.buffer);
        for point in batch.points.iter() {
            // Unlocks the buffer within a long batch, so that requests and keepalives can be added.
            if inner.buffer.len() >= ROOM || inner.discard {
                self.wake_writer(&mut inner);
                drop(inner);
                inner = self.wait(|_| true)?;
            }
            // Data has the same members in Request and Response, hence the same bytes.
            response::append_point(point, &mut inner.buffer);
        }
        let end = Some(request::Message::End(batch.end().into()));
        frame::append(&Request { message: end }, &mut inner.buffer);
        inner.in_batch = false;
        if inner.senders_asleep > 0 {
            self.room.notify_all();
        }
        self.wake_writer(&mut inner);
        Ok(())
    }

    /// Waits until there is room and `turn` returns true.
    fn wait(&self, turn: impl Fn(&Inner) -> bool) -> Result<MutexGuard<'_, Inner>, Error> {
        let mut inner = self.lock();
        loop {
            match &inner.closed {
                // A batch that was begun before the stop is sent to its end.
                Some(error) if inner.discard || !inner.in_batch || !turn(&inner) => {
                    return Err(error.clone());
                }
                _ if turn(&inner) && inner.buffer.len() < ROOM => return Ok(inner),
                _ => {}
            }
            inner.senders_asleep += 1;
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.senders_asleep -= 1;
        }
    }

    /// Refuses new messages. Waiting messages are still written.
    pub(crate) fn close(&self, error: Error) {
        let mut inner = self.lock();
        if matches!(inner.closed, None | Some(Error::NotStarted)) {
            inner.closed = Some(error);
        }
        self.end(inner);
    }

    /// Refuses new messages and drops the waiting ones.
    pub(crate) fn abort(&self, error: Error) {
        let mut inner = self.lock();
        inner.closed = Some(error);
        inner.discard = true;
        inner.buffer = Vec::new();
        self.end(inner);
    }

    fn end(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.writer_asleep = false;
        self.ready.notify_all();
        self.room.notify_all();
    }

    /// Replaces `buffer` by the waiting frames. Waits for them. Returns false after the last frame.
    pub(crate) fn take(&self, buffer: &mut Vec<u8>) -> bool {
        if buffer.capacity() > 2 * ROOM {
            // Frees the memory that one long message needed.
            *buffer = Vec::new();
        }
        buffer.clear();
        let mut inner = self.lock();
        while inner.buffer.is_empty() {
            if inner.discard || inner.closed.is_some() && !inner.in_batch {
                return false;
            }
            inner.writer_asleep = true;
            inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.writer_asleep = false;
        inner.keepalive_waits = false;
        std::mem::swap(&mut inner.buffer, buffer);
        if inner.senders_asleep > 0 {
            self.room.notify_all();
        }
        true
    }

    /// Writes the waiting frames until the outbox is closed and empty.
    pub(crate) fn write_to(&self, writer: &mut impl Write, writes: Writes) -> io::Result<()> {
        let mut buffer = Vec::new();
        while self.take(&mut buffer) {
            write_all(&buffer, writer, writes)?;
        }
        Ok(())
    }
}

/// Writes whole frames.
fn write_all(mut frames: &[u8], writer: &mut impl Write, writes: Writes) -> io::Result<()> {
    if writes == Writes::Large {
        writer.write_all(frames)?;
        return writer.flush();
    }
    while !frames.is_empty() {
        let head = 1 + frames.iter().take_while(|byte| **byte >= 0x80).count();
        let length = (0..head).map(|i| usize::from(frames[i] & 0x7f) << (7 * i)).sum::<usize>();
        let (frame, rest) = frames.split_at(head + length);
        writer.write_all(&frame[..head])?;
        writer.write_all(&frame[head..])?;
        writer.flush()?;
        frames = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without this limit, keepalives pile up for a UDF that sends but never reads.
    #[test]
    fn no_more_than_one_keepalive_waits() {
        let outbox = Outbox::new();
        outbox.open();
        outbox.keepalive(1);
        let mut one = Vec::new();
        assert!(outbox.take(&mut one));
        for time in 2..10 {
            outbox.keepalive(time);
        }
        let mut waited = Vec::new();
        assert!(outbox.take(&mut waited));
        assert_eq!(waited.len(), one.len());
    }
}
