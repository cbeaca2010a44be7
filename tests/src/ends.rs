//! Both ends of a connection with a UDF, before a thread reads from it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::ioctl_fionread;

use crate::program::TIMEOUT;

/// The ends of a connection.
pub struct Ends {
    /// The input of the UDF.
    pub input: Input,
    /// The output of the UDF.
    pub output: Output,
}

/// The input of a UDF. Dropping it ends the input.
pub enum Input {
    /// The stdin of the UDF.
    Pipe(ChildStdin),
    /// The socket of the UDF.
    Socket(UnixStream),
}

/// The output of a UDF.
pub enum Output {
    /// The stdout of the UDF.
    Pipe(ChildStdout),
    /// The socket of the UDF.
    Socket(UnixStream),
}

impl Ends {
    /// Returns the ends of a socket.
    ///
    /// # Panics
    /// If no descriptor is left.
    pub fn socket(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        let input = Input::Socket(stream.try_clone().expect("a descriptor is left"));
        Ends { input, output: Output::Socket(stream) }
    }

    /// Returns the ends of the pipes of a process.
    pub fn pipes(input: ChildStdin, output: ChildStdout) -> Self {
        Ends { input: Input::Pipe(input), output: Output::Pipe(output) }
    }
}

impl Input {
    /// Writes until the other side has not read for `timeout`.
    ///
    /// Returns the number of bytes that the other side has read, and the rest of the last piece.
    ///
    /// # Errors
    /// If the other side has closed the connection.
    ///
    /// # Panics
    /// If `timeout` is too long for a timeout.
    pub fn write_while_read(
        &mut self,
        pieces: &mut dyn Iterator<Item = Vec<u8>>,
        timeout: Duration,
    ) -> io::Result<(u64, Vec<u8>)> {
        let flags = fcntl_getfl(self.as_fd())?;
        fcntl_setfl(self.as_fd(), flags | OFlags::NONBLOCK)?;
        let written = self.write_all_while_read(pieces, timeout);
        fcntl_setfl(self.as_fd(), flags)?;
        written
    }

    fn write_all_while_read(
        &mut self,
        pieces: &mut dyn Iterator<Item = Vec<u8>>,
        timeout: Duration,
    ) -> io::Result<(u64, Vec<u8>)> {
        let timeout = Timespec::try_from(timeout).expect("the timeout is short");
        let mut written = 0;
        for mut piece in pieces {
            while !piece.is_empty() {
                match self.write(&piece) {
                    Ok(count) => {
                        written += count as u64;
                        piece.drain(..count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let mut fds = [PollFd::new(&*self, PollFlags::OUT)];
                        if poll(&mut fds, Some(&timeout))? == 0 {
                            return Ok((written, piece));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok((written, Vec::new()))
    }
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Input::Pipe(pipe) => pipe.write(bytes),
            Input::Socket(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Input::Pipe(pipe) => pipe.flush(),
            Input::Socket(socket) => socket.flush(),
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Input::Pipe(pipe) => pipe.as_fd(),
            Input::Socket(socket) => socket.as_fd(),
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Input::Socket(socket) = self {
            // Fails if the other side has closed the connection already, which does not matter.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }
}

impl Output {
    /// Waits until `bytes` bytes can be read.
    ///
    /// # Panics
    /// If they do not arrive in time.
    pub fn wait_for(&self, bytes: u64) {
        let begun = Instant::now();
        while ioctl_fionread(self).expect("the system reports the unread bytes") < bytes {
            assert!(begun.elapsed() < TIMEOUT, "fewer than {bytes} bytes arrived");
            std::thread::yield_now();
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Output::Pipe(pipe) => pipe.as_fd(),
            Output::Socket(socket) => socket.as_fd(),
        }
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Output::Pipe(pipe) => pipe.read(buffer),
            Output::Socket(socket) => socket.read(buffer),
        }
    }
}
