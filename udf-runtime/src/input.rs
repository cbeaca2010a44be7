//! The reading side of a connection, which ends at a stop.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};

use crate::stop::Stopping;

/// Reads until the other side closes its own, or until somebody asks to stop: then it hands out what has arrived
/// by then, and fails with a [`Stopped`](crate::stop::Stopped).
///
/// What the other side sends behind that is not read: it may never cease to send.
pub(crate) struct Input<S> {
    source: Arc<S>,
    stopping: Stopping,
    /// How much is left of what had arrived at the stop.
    left: Option<u64>,
}

impl<S> Input<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    pub(crate) fn new(source: Arc<S>, stopping: Stopping) -> Self {
        Input { source, stopping, left: None }
    }

    /// Waits until there is something to read, and returns how much of it may be read.
    fn wait(&mut self) -> io::Result<u64> {
        loop {
            if let Some(left) = self.left {
                return Ok(left);
            }
            let mut fds = [
                PollFd::new(&*self.source, PollFlags::IN),
                PollFd::new(&self.stopping, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if fds[1].revents().is_empty() {
                return Ok(u64::MAX);
            }
            // A file, such as /dev/null, may not tell; it never waits.
            self.left = Some(ioctl_fionread(&*self.source).unwrap_or(u64::MAX));
        }
    }
}

impl<S> Read for Input<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.wait()?;
        if most == 0 {
            return Err(self.stopping.error());
        }
        let most = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let read = (&*self.source).read(&mut buffer[..most])?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read as u64);
        }
        Ok(read)
    }
}
