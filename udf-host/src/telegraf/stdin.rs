//! Reads stdin, and knows when a read would wait.

use std::io::{self, BufRead, Read};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};

/// The size of a read. A pipe usually holds less.
const CHUNK: usize = 256 << 10;

/// The lines of Telegraf.
pub(super) struct Stdin {
    fd: OwnedFd,
    /// Its other end is dropped to end the input.
    cut: io::PipeReader,
    /// After the cut, the number of bytes that had arrived before it.
    left: Option<u64>,
    /// Called at the end, before the last lines are handled.
    at_end: Option<Box<dyn FnOnce() + Send>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The end of the last line break in the buffer.
    lines_end: usize,
}

impl Stdin {
    /// Reads `fd` until its end, or until the other end of `cut` is dropped and what had arrived by
    /// then is read. Calls `at_end` when it has read everything.
    pub(super) fn new(
        fd: OwnedFd,
        cut: io::PipeReader,
        at_end: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (at_end, buffer): (Box<dyn FnOnce() + Send>, _) = (Box::new(at_end), vec![0; CHUNK]);
        Stdin { fd, cut, left: None, at_end: Some(at_end), buffer, start: 0, end: 0, lines_end: 0 }
    }

    /// Returns whether the next line has not arrived yet.
    pub(super) fn would_wait(&self) -> bool {
        self.start >= self.lines_end && !self.is_ready(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    /// Waits for input, for the end of stdin, or for the cut.
    fn is_ready(&self, timeout: Option<&Timespec>) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN), PollFd::new(&self.cut, PollFlags::IN)];
        loop {
            match poll(&mut fds, timeout) {
                Err(Errno::INTR) => {}
                // The read then shows the error.
                Err(_) => return true,
                Ok(ready) => return ready > 0,
            }
        }
    }

    fn is_cut(&self) -> bool {
        let mut fds = [PollFd::new(&self.cut, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    fn refill(&mut self) -> io::Result<()> {
        let read = loop {
            if self.left.is_none() {
                self.is_ready(None);
                if self.is_cut() {
                    self.left = Some(ioctl_fionread(&self.fd).unwrap_or(0));
                }
            }
            let left = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(CHUNK);
            match rustix::io::read(&self.fd, &mut self.buffer[..CHUNK.min(left)]) {
                Err(Errno::INTR) => {}
                // A stdin that does not block is shared with another process.
                Err(Errno::AGAIN) if self.left.is_none() => {}
                Err(Errno::AGAIN) => break 0,
                read => break read?,
            }
        };
        if let Some(left) = &mut self.left {
            *left -= read as u64;
        }
        (self.start, self.end) = (0, read);
        let last = self.buffer[..read].iter().rposition(|byte| *byte == b'\n');
        self.lines_end = last.map_or(0, |at| at + 1);
        if (read == 0 || self.left == Some(0))
            && let Some(at_end) = self.at_end.take()
        {
            at_end();
        }
        Ok(())
    }
}

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Stdin {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && self.left != Some(0) {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start += amount;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stdin() -> (Stdin, io::PipeWriter, io::PipeWriter) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let (cut, cutter) = io::pipe().expect("a pipe");
        (Stdin::new(reader.into(), cut, || {}), writer, cutter)
    }

    #[test]
    fn a_cut_ends_the_input_behind_what_has_arrived() {
        let (mut stdin, mut writer, cutter) = stdin();
        writer.write_all(b"one\ntw").expect("the pipe has room");
        assert_eq!(stdin.fill_buf().expect("input"), b"one\ntw");
        assert!(!stdin.would_wait());
        stdin.consume(4);
        assert!(stdin.would_wait(), "the line is not whole");
        stdin.consume(2);
        writer.write_all(b"o\n").expect("the pipe has room");
        drop(cutter);
        assert_eq!(stdin.fill_buf().expect("input"), b"o\n");
        stdin.consume(2);
        writer.write_all(b"three\n").expect("the pipe has room");
        assert_eq!(stdin.fill_buf().expect("the end"), b"");
        assert_eq!(stdin.fill_buf().expect("the end"), b"");
    }

    #[test]
    fn the_end_of_stdin_is_no_wait() {
        let (mut stdin, writer, _cutter) = stdin();
        assert!(stdin.would_wait());
        drop(writer);
        assert!(!stdin.would_wait());
        assert_eq!(stdin.fill_buf().expect("the end"), b"");
    }
}
