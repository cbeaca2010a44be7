//! The end of a run: the UDF finishes, and Telegraf reads the rest.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;

use super::END_WITHIN;
use super::event::TelegrafError;
use super::saver::Saver;
use super::shared::lock;
use super::stdout::Stdout;
use crate::error::Error;
use crate::interface::Interface;
use crate::spawn::spawn;

/// The pause between two looks at what Telegraf has not read.
const PAUSE: Duration = Duration::from_millis(2);

/// How long Telegraf may take to read the output from before a failure, and a failed UDF to end.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Saves the state, ends the input of the UDF, and waits until the UDF has finished.
///
/// # Errors
/// Returns the error of the UDF, or which step was not done in time.
pub(super) fn finish(
    udf: Arc<dyn Interface>,
    saver: Option<Arc<Saver>>,
    deadline: Instant,
) -> Result<(), TelegrafError> {
    let step = Arc::new(Mutex::new("the UDF has not answered the request for its state"));
    let (done, wait) = channel();
    let at = Arc::clone(&step);
    spawn("telegraf-end", move || {
        // First, because the UDF may take long to finish.
        if let Some(saver) = saver {
            saver.save();
        }
        *lock(&at) = "the UDF has not finished";
        let _ = done.send(udf.close());
    })?;
    match wait.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(closed) => Ok(closed?),
        Err(_) => Err(TelegrafError::TooLate(END_WITHIN, *lock(&step))),
    }
}

/// Returns the first error of a connection that has failed. `error` is what is known without it.
pub(super) fn failure(udf: Arc<dyn Interface>, error: Error) -> TelegrafError {
    let (done, wait) = channel();
    let closing = spawn("telegraf-end", move || {
        let _ = done.send(udf.close());
    });
    let closed = closing.ok().and_then(|()| wait.recv_timeout(AFTER_FAILURE).ok());
    closed.and_then(Result::err).unwrap_or(error).into()
}

/// Waits until Telegraf has read all output, because it closes its end when the process exits, and
/// drops what it has not read. After a failure, waits for a shorter time, and returns the failure.
pub(super) fn leave(
    served: Result<Instant, TelegrafError>,
    stdout: &Mutex<Stdout>,
    pipe: &OwnedFd,
) -> Result<(), TelegrafError> {
    let deadline = served.as_ref().map_or_else(|_| Instant::now() + AFTER_FAILURE, |at| *at);
    // A thread that is stuck in a write holds the lock.
    let flushed = match stdout.try_lock() {
        Ok(mut stdout) => stdout.flush().is_ok(),
        Err(_) => false,
    };
    let is_read = flushed && wait_until_read(pipe, deadline);
    match served {
        Err(TelegrafError::TooLate(limit, _)) if !flushed => {
            Err(TelegrafError::TooLate(limit, NOT_READ))
        }
        Err(error) => Err(error),
        Ok(_) if !is_read => Err(TelegrafError::TooLate(END_WITHIN, NOT_READ)),
        Ok(_) => Ok(()),
    }
}

const NOT_READ: &str = "Telegraf has not read the output";

/// Waits until `fd` is empty, if it is a pipe. Returns false if it is not empty by `deadline`, or has
/// no reader.
///
/// Telegraf closes its ends when the process exits, and drops what it has not read.
pub fn wait_until_read(fd: impl AsFd, deadline: Instant) -> bool {
    let pipe = fd.as_fd();
    let is_pipe = fstat(pipe).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo());
    while is_pipe && ioctl_fionread(pipe).is_ok_and(|unread| unread > 0) {
        let mut fds = [PollFd::new(&pipe, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_closed =
            poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR);
        if is_closed || Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}
