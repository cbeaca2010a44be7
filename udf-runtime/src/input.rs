//! The reading side of a connection, which ends at a stop.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};

use crate::stop::Stopping;

/// The most that is read ahead while nobody handles input.
const MOST_AHEAD: usize = 4 << 20;

/// Where the input of a connection comes from, shared by its agent and by the watchdog.
#[derive(Debug)]
pub(crate) struct Source<S> {
    inner: S,
    /// What was read ahead. Whoever reads from `inner` holds the lock.
    ahead: Mutex<Vec<u8>>,
}

impl<S> Source<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    pub(crate) fn new(inner: S) -> Arc<Self> {
        Arc::new(Source { inner, ahead: Mutex::default() })
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Reads what has arrived, without waiting, and keeps it for the agent, unless that is reading itself.
    pub(crate) fn read_ahead(&self) {
        let mut ahead = match self.ahead.try_lock() {
            Ok(ahead) => ahead,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let room = MOST_AHEAD.saturating_sub(ahead.len()) as u64;
        let Ok(arrived) = ioctl_fionread(&self.inner) else { return };
        // An error shows again when the agent reads.
        let _ = (&self.inner).take(arrived.min(room)).read_to_end(&mut ahead);
    }
}

/// Reads until the other side closes its own, or until somebody asks to stop: then it hands out what has arrived
/// by then, and fails with a [`Stopped`](crate::stop::Stopped).
///
/// What the other side sends behind that is not read: it may never cease to send.
pub(crate) struct Input<S> {
    source: Arc<Source<S>>,
    stopping: Stopping,
    /// How much is left of what had arrived at the stop.
    left: Option<u64>,
}

impl<S> Input<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    pub(crate) fn new(source: Arc<Source<S>>, stopping: Stopping) -> Self {
        Input { source, stopping, left: None }
    }
}

/// Waits until there is something to read, and returns how much of it may be read if that is limited.
fn wait(source: &impl AsFd, stopping: &Stopping) -> io::Result<Option<u64>> {
    loop {
        let mut fds = [PollFd::new(source, PollFlags::IN), PollFd::new(stopping, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        if fds[1].revents().is_empty() {
            return Ok(None);
        }
        // A file, such as /dev/null, may not tell; it never waits.
        return Ok(Some(ioctl_fionread(source).unwrap_or(u64::MAX)));
    }
}

impl<S> Read for Input<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Source { inner, ahead } = &*self.source;
        let mut ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if self.left.is_none() && ahead.is_empty() {
            self.left = wait(inner, &self.stopping)?;
        }
        if self.left == Some(0) {
            return Err(self.stopping.error());
        }
        let most = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let most = buffer.len().min(most);
        let read = if ahead.is_empty() {
            let mut inner = inner;
            inner.read(&mut buffer[..most])?
        } else {
            let read = (&ahead[..]).read(&mut buffer[..most])?;
            ahead.drain(..read);
            read
        };
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read as u64);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::stop::Stop;

    #[test]
    fn what_had_arrived_at_a_stop_is_read_and_nothing_behind_it() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        let stop = Stop::new().expect("there are descriptors");
        let source = Source::new(ours);
        let mut input = Input::new(Arc::clone(&source), stop.stopping());
        theirs.write_all(b"ab").expect("there is room");
        source.read_ahead();
        theirs.write_all(b"cde").expect("there is room");
        stop.stop();
        let mut buffer = [0; 2];
        let mut read = Vec::new();
        let error = loop {
            match input.read(&mut buffer) {
                Ok(some) => read.extend_from_slice(&buffer[..some]),
                Err(error) => break error,
            }
            if read == b"abc" || read == b"abcd" {
                // The stop was seen by now: this is not looked at, read ahead or not.
                theirs.write_all(b"never").expect("there is room");
                source.read_ahead();
            }
        };
        assert_eq!(String::from_utf8_lossy(&read), "abcde");
        assert!(crate::stop::Stopped::of(&error).is_some(), "{error}");
    }

    #[test]
    fn what_is_read_ahead_is_bounded_and_keeps_its_order() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        theirs.set_nonblocking(true).expect("it is open");
        let stop = Stop::new().expect("there are descriptors");
        let source = Source::new(ours);
        let (mut written, piece) = (0_usize, 1000);
        loop {
            let bytes: Vec<u8> = (written..written + piece).map(|byte| byte as u8).collect();
            match theirs.write(&bytes) {
                Ok(some) => written += some,
                Err(_) if source.ahead.lock().expect("it is whole").len() < MOST_AHEAD => {
                    source.read_ahead();
                }
                Err(_) => break,
            }
        }
        drop(theirs);
        let mut all = Vec::new();
        Input::new(source, stop.stopping()).read_to_end(&mut all).expect("it is whole");
        assert_eq!(all.len(), written);
        assert!(all.iter().enumerate().all(|(place, byte)| *byte == place as u8));
    }
}
