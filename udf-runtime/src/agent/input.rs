//! The input of a connection, which can be ended by a stop.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};

use crate::agent::allowance::{Allowance, Share};
use crate::agent::stop::Stopping;

/// The maximum number of bytes that are read ahead while no thread handles input.
const MOST_AHEAD: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// The size of one piece of read-ahead.
const PIECE: usize = 64 << 10;

/// The source of a connection's input, shared by its agent and by the watchdog.
#[derive(Debug)]
pub(crate) struct Source<S> {
    inner: S,
    /// The bytes that were read ahead. A thread must hold this lock while it reads from `inner`,
    /// even while it blocks for input. The lock is one of the standard library under a model
    /// checker, too, because the checker cannot model a blocking read.
    ahead: Mutex<Pieces>,
    allowance: Arc<Allowance>,
}

impl<S> Source<S>
where
    S: AsFd,
    for<'s> &'s S: Read,
{
    pub(crate) fn new(inner: S, allowance: &Arc<Allowance>) -> Arc<Self> {
        let ahead =
            Mutex::new(Pieces { pieces: VecDeque::new(), taken: 0, share: allowance.share() });
        Arc::new(Source { inner, ahead, allowance: Arc::clone(allowance) })
    }

    pub(crate) fn into_inner(self) -> S {
        self.inner
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.inner
    }

    pub(crate) fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// Reads the input that has arrived, and stores it for the agent. Waits up to `left` for more,
    /// and subtracts the time used. Only tries the lock: an agent that holds it is reading itself,
    /// and may block for as long as the peer sends nothing.
    pub(crate) fn read_ahead(&self, left: &mut Duration) {
        let mut ahead = match self.ahead.try_lock() {
            Ok(ahead) => ahead,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let begun = Instant::now();
        // Wait only if some input has arrived: the peer is then within a message.
        let mut wait = Duration::ZERO;
        loop {
            let mut fds = [PollFd::new(&self.inner, PollFlags::IN)];
            let ready = poll(&mut fds, Timespec::try_from(wait).ok().as_ref());
            // The agent sees an end or an error again with its own read.
            let has_more = ready.is_ok_and(|ready| ready > 0)
                && ahead.fill(&self.inner).is_ok_and(|read| read > 0);
            wait = left.saturating_sub(begun.elapsed());
            if !has_more || wait.is_zero() {
                *left = wait;
                return;
            }
        }
    }
}

/// Bytes in pieces. A piece is never moved, and is freed when all of it was taken.
#[derive(Debug)]
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    /// The number of bytes taken from the first piece.
    taken: usize,
    share: Share,
}

impl Pieces {
    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds the input that has arrived, as far as there is room. Returns the number of bytes.
    fn fill<S: AsFd>(&mut self, source: &S) -> io::Result<usize>
    where
        for<'s> &'s S: Read,
    {
        let arrived = ioctl_fionread(source)?;
        let is_full = self.pieces.back().is_none_or(|last| last.len() == PIECE);
        if arrived == 0 || is_full && !self.add() {
            return Ok(0);
        }
        let Some(last) = self.pieces.back_mut() else { return Ok(0) };
        let room = (PIECE - last.len()) as u64;
        let read = source.take(arrived.min(room)).read_to_end(last);
        if last.is_empty() {
            self.pieces.pop_back();
            self.give_room_back();
        }
        read
    }

    /// Adds an empty piece. Returns whether there was room for it.
    fn add(&mut self) -> bool {
        let bytes = (self.pieces.len() + 1) * PIECE;
        let mut piece = Vec::new();
        if bytes > MOST_AHEAD
            || !self.share.hold_ahead(bytes)
            || piece.try_reserve_exact(PIECE).is_err()
        {
            self.give_room_back();
            return false;
        }
        self.pieces.push_back(piece);
        true
    }

    fn give_room_back(&mut self) {
        self.share.hold_ahead(self.pieces.len() * PIECE);
        if self.pieces.is_empty() {
            // The deque has grown with the pieces: free it as well.
            self.pieces = VecDeque::new();
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(first) = self.pieces.front() else { return Ok(0) };
        let read = (&first[self.taken..]).read(buffer)?;
        self.taken += read;
        if self.taken == first.len() {
            self.pieces.pop_front();
            self.taken = 0;
            self.give_room_back();
        }
        Ok(read)
    }
}

/// Reads a source until its end or until a stop. After a stop, it returns the bytes that had
/// arrived by then, and fails with [`Stopped`](crate::stop::Stopped).
///
/// Later bytes are not read, because the peer may never stop sending.
pub(crate) struct Input<S> {
    source: Arc<Source<S>>,
    stopping: Stopping,
    /// The number of bytes left that had arrived at the stop.
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

/// Waits for input, and returns how much of it may be read if that is limited.
fn wait(source: &impl AsFd, stopping: &Stopping, allowance: &Allowance) -> io::Result<Option<u64>> {
    loop {
        let due = allowance.due();
        // A deadline that the clock cannot represent is no deadline.
        let left = due.as_ref().and_then(|(left, _)| Timespec::try_from(*left).ok());
        let mut fds = [PollFd::new(source, PollFlags::IN), PollFd::new(stopping, PollFlags::IN)];
        match (poll(&mut fds, left.as_ref()), due) {
            (Err(Errno::INTR), _) => continue,
            (Err(error), _) => return Err(error.into()),
            // The deadline applies even if input is ready: a peer that sends without pause must not
            // escape it.
            (Ok(ready), Some((left, error))) if ready == 0 || left.is_zero() => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, error));
            }
            (Ok(_), _) => {}
        }
        if fds[1].revents().is_empty() {
            return Ok(None);
        }
        // Some files, such as /dev/null, do not report their size. Reading them never blocks.
        let arrived = ioctl_fionread(source).unwrap_or(u64::MAX);
        // A readable source without bytes has ended.
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
        let Source { inner, ahead, allowance } = &*self.source;
        let mut ahead = ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if self.left.is_none() && ahead.is_empty() {
            self.left = wait(inner, &self.stopping, allowance)?;
        }
        if self.left == Some(0) {
            return Err(io::Error::other(self.stopping.stopped()));
        }
        let most = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let most = buffer.len().min(most);
        let buffer = &mut buffer[..most];
        let mut inner = inner;
        let read = if ahead.is_empty() { inner.read(buffer)? } else { ahead.read(buffer)? };
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
    use crate::agent::allowance::Budget;
    use crate::agent::limits::Limits;
    use crate::agent::stop::Stop;

    impl Pieces {
        fn len(&self) -> usize {
            self.pieces.iter().map(Vec::len).sum()
        }
    }

    #[test]
    fn what_had_arrived_at_a_stop_is_read_and_nothing_behind_it() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        let stop = Stop::new().expect("there are descriptors");
        let source = Source::new(ours, &Allowance::of_process(&Limits::default()));
        let mut input = Input::new(Arc::clone(&source), stop.stopping());
        theirs.write_all(b"ab").expect("there is room");
        source.read_ahead(&mut Duration::default());
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
                // Input after the stop is ignored, read ahead or not.
                theirs.write_all(b"never").expect("there is room");
                source.read_ahead(&mut Duration::default());
            }
        };
        assert_eq!(String::from_utf8_lossy(&read), "abcde");
        assert!(crate::agent::stop::Stopped::of(&error.into()).is_some());
    }

    /// Reads ahead until nothing more is read. Returns the number of bytes, after all of them came
    /// out in order.
    fn most_ahead(limits: &Limits) -> usize {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        theirs.set_nonblocking(true).expect("the descriptor is open");
        let stop = Stop::new().expect("there are descriptors");
        let source = Source::new(ours, &Allowance::of_process(limits));
        let (mut written, mut ahead, piece) = (0_usize, 0, 64 << 10);
        loop {
            let bytes: Vec<u8> = (written..written + piece).map(|byte| byte as u8).collect();
            match theirs.write(&bytes) {
                Ok(some) => written += some,
                Err(_) => {
                    source.read_ahead(&mut Duration::default());
                    let before = ahead;
                    ahead = source.ahead.lock().expect("the lock is not poisoned").len();
                    if ahead == before {
                        break;
                    }
                }
            }
        }
        drop(theirs);
        let mut all = Vec::new();
        Input::new(Arc::clone(&source), stop.stopping())
            .read_to_end(&mut all)
            .expect("the input can be read");
        assert_eq!(all.len(), written);
        assert!(all.iter().enumerate().all(|(place, byte)| *byte == place as u8));
        assert!(
            source.ahead.lock().expect("the lock is not poisoned").pieces.capacity() == 0,
            "room is kept"
        );
        ahead
    }

    #[test]
    fn what_is_read_ahead_is_bounded_and_keeps_its_order() {
        assert_eq!(most_ahead(&Limits::default()), MOST_AHEAD);
        let buffer = MOST_AHEAD;
        assert_eq!(
            most_ahead(&Limits { frame: buffer, buffer, ..Limits::default() }),
            MOST_AHEAD / 2
        );
    }

    #[test]
    fn reading_ahead_uses_up_the_time_that_it_has() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        let source = Source::new(ours, &Allowance::of_process(&Limits::default()));
        let ahead = || source.ahead.lock().expect("the lock is not poisoned").len();
        let mut left = Duration::from_millis(10);
        // It waits only if some input has arrived.
        source.read_ahead(&mut left);
        assert_eq!(ahead(), 0);
        assert_eq!(source.ahead.lock().expect("the lock is not poisoned").pieces.capacity(), 0);
        for expected in 1..3 {
            theirs.write_all(b"a").expect("there is room");
            source.read_ahead(&mut left);
            assert_eq!(left, Duration::ZERO);
            // Without time, it takes only the input that has arrived.
            assert_eq!(ahead(), expected);
        }
    }

    #[test]
    fn input_that_is_always_there_does_not_put_off_a_deadline() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        let stop = Stop::new().expect("there are descriptors");
        let limits = Limits { init: Some(Duration::ZERO), ..Limits::default() };
        let budget = Budget::new(&limits, Arc::default());
        let allowance = Allowance::new(&budget, &limits, &stop.stopping());
        let mut input = Input::new(Source::new(ours, &allowance), stop.stopping());
        theirs.write_all(b"more").expect("there is room");
        let error = input.read(&mut [0; 4]).expect_err("it is overdue");
        assert!(error.to_string().starts_with("no Init arrived within 0ns"), "{error}");
        allowance.start();
        assert_eq!(input.read(&mut [0; 4]).expect("the input can be read now"), 4);
    }
}
