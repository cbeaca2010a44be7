//! The end of a run: the UDF finishes, and Telegraf reads the rest.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;

use super::event::TelegrafError;
use super::run::lock;
use super::saver::Saver;
use crate::interface::Interface;
use crate::spawn::spawn;

/// The pause between two looks at what Telegraf has not read.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct End {
    pub(super) udf: Arc<dyn Interface>,
    pub(super) saver: Option<Arc<Saver>>,
    pub(super) stdout: OwnedFd,
}

impl End {
    /// Saves the state, ends the input of the UDF, and waits until Telegraf has read all output.
    pub(super) fn within(self, limit: Duration) -> Result<(), TelegrafError> {
        let begun = Instant::now();
        let step = Arc::new(Mutex::new("the state of the UDF is not saved"));
        let (done, wait) = channel();
        let at = Arc::clone(&step);
        spawn("telegraf-end", move || {
            // First, because the UDF may take long to finish.
            if let Some(saver) = &self.saver {
                saver.save();
            }
            *lock(&at) = "the UDF has not finished";
            let closed = self.udf.close();
            *lock(&at) = "Telegraf has not read all output";
            wait_until_read(&self.stdout, limit.saturating_sub(begun.elapsed()));
            let _ = done.send(closed);
        })?;
        match wait.recv_timeout(limit) {
            Ok(closed) => Ok(closed?),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(TelegrafError::TooLate(limit, *lock(&step)))
            }
        }
    }
}

/// Waits until the pipe is empty or has no reader. Telegraf closes its end when the process exits,
/// and drops what it has not read.
fn wait_until_read(pipe: &OwnedFd, limit: Duration) {
    let is_pipe = fstat(pipe).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_fifo());
    let begun = Instant::now();
    while is_pipe && ioctl_fionread(pipe).is_ok_and(|unread| unread > 0) && begun.elapsed() < limit
    {
        let mut fds = [PollFd::new(pipe, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR) {
            return;
        }
        thread::sleep(PAUSE);
    }
}
