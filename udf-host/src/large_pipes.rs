//! Larger pipes, for connections with much data.
//!
//! A pipe of Linux holds 64 KiB. Each of the processes in a row then sleeps and wakes once for every
//! 64 KiB, which takes longer than to copy the data. But Linux limits the memory for the pipes of a
//! user, by default to 64 MiB, and makes new pipes tiny behind that limit. So only a few connections
//! of a process get larger pipes.
//!
//! The number is not limited for a user: a process does not know the others. Behind the limit, Linux
//! refuses larger pipes.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of a large pipe. Twice as much gains little.
const LARGE: usize = 512 << 10;

/// The maximum number of connections of this process with large pipes.
const MOST: usize = 8;

/// The number of connections with large pipes.
static HOLDERS: AtomicUsize = AtomicUsize::new(0);

/// The right of one connection to large pipes. Dropping it makes room for another connection.
#[derive(Debug)]
pub struct LargePipes(());

impl LargePipes {
    /// Returns the right, or none if eight connections of this process have it.
    pub fn claim() -> Option<Self> {
        let one_more = |holders| (holders < MOST).then_some(holders + 1);
        let claimed = HOLDERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        claimed.is_ok().then_some(LargePipes(()))
    }

    /// Makes a pipe large. It keeps its size if the system refuses, and so does a socket.
    pub fn enlarge(&self, pipe: BorrowedFd<'_>) {
        set_size(pipe);
    }
}

impl Drop for LargePipes {
    fn drop(&mut self) {
        HOLDERS.fetch_sub(1, Ordering::Relaxed);
    }
}

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

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_few_connections_have_large_pipes() {
        let mut holders: Vec<_> = (0..MOST).filter_map(|_| LargePipes::claim()).collect();
        assert!(LargePipes::claim().is_none());
        let (reader, _writer) = std::io::pipe().expect("there is a pipe");
        holders[0].enlarge(reader.as_fd());
        let size = rustix::pipe::fcntl_getpipe_size(&reader).expect("it has a size");
        assert_eq!(size, LARGE);
        holders.pop();
        assert!(LargePipes::claim().is_some());
    }
}
