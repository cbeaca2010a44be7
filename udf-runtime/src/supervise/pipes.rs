//! The sizes of reads, and larger pipes for a connection with much data.
//!
//! A front that Kapacitor has spawned has one connection. Each connection has four pipes, so about 32
//! busy ones reach the limit that Linux has for a user.

use std::os::fd::BorrowedFd;

use udf_host::large_pipes::LargePipes;

/// The maximum size of a read. With smaller ones, the three processes sleep and wake more often.
pub(super) const READ: usize = 256 << 10;

/// A read of so many bytes has emptied a pipe that was nearly full.
const FULL: usize = 48 << 10;

/// The number of such reads after which a connection gets large pipes.
const READS: usize = 16;

/// Decides about the size of the pipes of a connection.
#[derive(Default)]
pub(super) struct Pipes {
    full_reads: usize,
    large: Option<LargePipes>,
}

impl Pipes {
    /// Takes a read of the input. Returns whether the pipes of the connection must become large.
    pub(super) fn note_read(&mut self, bytes: usize) -> bool {
        if self.large.is_some() || bytes < FULL {
            return false;
        }
        self.full_reads += 1;
        if self.full_reads.is_multiple_of(READS) {
            self.large = LargePipes::claim();
        }
        self.large.is_some()
    }

    /// Makes these pipes large, if the connection has large pipes.
    pub(super) fn enlarge(&self, pipes: &[BorrowedFd<'_>]) {
        if let Some(large) = &self.large {
            pipes.iter().for_each(|pipe| large.enlarge(*pipe));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_connection_gets_large_pipes_once() {
        let mut pipes = Pipes::default();
        assert!(!(1..READS).any(|_| pipes.note_read(FULL) || pipes.note_read(FULL - 1)));
        assert!(pipes.note_read(FULL));
        assert!(!(0..READS).any(|_| pipes.note_read(FULL)));
    }
}
