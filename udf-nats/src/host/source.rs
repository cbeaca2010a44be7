//! Hands the payloads of messages to a reader of lines, one after the other.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use bytes::Bytes;

/// The next payload.
pub(crate) type Next = Rc<Cell<Option<Bytes>>>;

/// Reads a payload to its end, and then the next one.
#[derive(Default)]
pub(crate) struct Source {
    payload: Bytes,
    at: usize,
    next: Next,
}

impl Source {
    pub(crate) fn new(next: Next) -> Self {
        Source { next, ..Source::default() }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Source {
    /// Returns no bytes at the end of a payload, if the next one is not yet there.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.payload.len()
            && let Some(next) = self.next.take()
        {
            (self.payload, self.at) = (next, 0);
        }
        Ok(&self.payload[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}
