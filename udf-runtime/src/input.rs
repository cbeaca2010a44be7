//! The reading side of a connection, which ends at a stop.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};

use crate::stop::Stopping;

/// The most that is read ahead while nobody handles input.
const MOST_AHEAD: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// The room that is kept for the next time.
const KEPT_ROOM: usize = 64 << 10;

/// How long reading ahead takes at most: whoever does it looks after other connections too.
const AHEAD_WITHIN: Duration = Duration::from_millis(10);

/// Where the input of a connection comes from, shared by its agent and by the watchdog.
#[derive(Debug)]
pub(crate) struct Source<S> {
    inner: S,
    /// What was read ahead. Whoever reads from `inner` holds the lock, also while it waits for input: so it is a lock of
    /// the standard library under a model checker, too.
    ahead: Mutex<VecDeque<u8>>,
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

    /// Reads what has arrived and what follows at once, and keeps it for the agent, unless that is reading itself.
    pub(crate) fn read_ahead(&self) {
        let mut ahead = match self.ahead.try_lock() {
            Ok(ahead) => ahead,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let deadline = Instant::now() + AHEAD_WITHIN;
        // More is waited for only behind what has come.
        let mut left = Duration::ZERO;
        loop {
            let mut fds = [PollFd::new(&self.inner, PollFlags::IN)];
            if !poll(&mut fds, Timespec::try_from(left).ok().as_ref()).is_ok_and(|ready| ready > 0)
            {
                return;
            }
            let room = MOST_AHEAD.saturating_sub(ahead.len()) as u64;
            let most = ioctl_fionread(&self.inner).map_or(0, |arrived| arrived.min(room));
            // An end or an error shows again when the agent reads.
            match io::copy(&mut (&self.inner).take(most), &mut *ahead) {
                Ok(1..) if Instant::now() < deadline => {
                    left = deadline.saturating_duration_since(Instant::now());
                }
                _ => return,
            }
        }
    }
}

/// Reads a source until its end, or until a stop. After a stop it returns the bytes that had arrived, then fails with
/// [`Stopped`](crate::stop::Stopped).
///
/// Later bytes are not read, since the other side may never stop sending.
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
        let arrived = ioctl_fionread(source).unwrap_or(u64::MAX);
        // What is readable and has nothing to read has ended by itself.
        let has_ended = arrived == 0 && !fds[0].revents().is_empty();
        return Ok((!has_ended).then_some(arrived));
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
        let buffer = &mut buffer[..most];
        let mut inner = inner;
        let read = if ahead.is_empty() { inner.read(buffer)? } else { ahead.read(buffer)? };
        if ahead.is_empty() && ahead.capacity() > KEPT_ROOM {
            // What a long stop has needed is given back.
            *ahead = VecDeque::new();
        }
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
        let (mut written, piece) = (0_usize, 64 << 10);
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
