//! The sizes of reads, and larger pipes for a connection with much data.
//!
//! A pipe of Linux holds 64 KiB. Each of the three processes in a row then sleeps and wakes once for
//! every 64 KiB, which takes longer than to copy the data. But Linux limits the memory for the pipes
//! of a user, by default to 64 MiB, and makes new pipes tiny behind that limit. So only a few
//! connections of a process get larger pipes, once they need them.
//!
//! The number is not limited for a user: a front that Kapacitor has spawned has one connection, and
//! does not know the others. About 32 busy ones reach the limit. Linux then refuses larger pipes.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The maximum size of a read. What is read is looked at and written before it leaves the cache of
/// the processor: larger reads cost more for each byte.
pub(super) const READ: usize = 64 << 10;

/// The size of a large pipe. Twice as much gains little.
const LARGE: usize = 512 << 10;

/// The maximum number of connections of this process with large pipes, of which each has four.
const MOST: usize = 8;

/// A read of so many bytes has emptied a pipe that was nearly full.
const FULL: usize = 48 << 10;

/// The number of such reads after which a connection gets large pipes.
const READS: usize = 16;

/// The number of connections with large pipes.
static HOLDERS: AtomicUsize = AtomicUsize::new(0);

/// Decides about the size of the pipes of a connection.
#[derive(Default)]
pub(super) struct Pipes {
    full_reads: usize,
    is_large: bool,
}

impl Pipes {
    /// Takes a read of the input. Returns whether the pipes of the connection must become large.
    pub(super) fn note_read(&mut self, bytes: usize) -> bool {
        if self.is_large || bytes < FULL {
            return false;
        }
        self.full_reads += 1;
        let one_more = |holders| (holders < MOST).then_some(holders + 1);
        self.is_large = self.full_reads.is_multiple_of(READS)
            && HOLDERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        self.is_large
    }

    /// Makes these pipes large, if the connection has large pipes.
    pub(super) fn enlarge(&self, pipes: &[BorrowedFd<'_>]) {
        for pipe in pipes.iter().filter(|_| self.is_large) {
            set_size(*pipe);
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        if self.is_large {
            HOLDERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Sets the size. A pipe keeps its size if the system refuses, and so does a socket.
#[cfg(target_os = "linux")]
fn set_size(pipe: BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, LARGE);
}

#[cfg(not(target_os = "linux"))]
fn set_size(_: BorrowedFd<'_>) {}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn only_a_few_busy_connections_get_large_pipes() {
        let mut busy: Vec<_> = (0..=MOST).map(|_| Pipes::default()).collect();
        for pipes in &mut busy {
            assert!(!(1..READS).any(|_| pipes.note_read(FULL) || pipes.note_read(FULL - 1)));
        }
        let large = busy.iter_mut().filter_map(|pipes| pipes.note_read(FULL).then_some(())).count();
        assert_eq!(large, MOST);
        let (reader, _writer) = std::io::pipe().expect("there is a pipe");
        let size = || rustix::pipe::fcntl_getpipe_size(&reader).expect("it has a size");
        let before = size();
        busy[MOST].enlarge(&[reader.as_fd()]);
        assert_eq!(size(), before);
        busy[0].enlarge(&[reader.as_fd()]);
        assert_eq!(size(), LARGE);
        // The end of one makes room for the last.
        busy.remove(0);
        assert!((0..READS).any(|_| busy[MOST - 1].note_read(FULL)));
    }
}
