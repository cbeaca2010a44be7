//! Kapacitor's side of a connection.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use udf_proto::frame::FrameError;
use udf_proto::messages::{ErrorResponse, KeepaliveResponse, response::Message};
use udf_proto::response;

use super::saver::Saver;
use super::{Connection, MOST_OUT, Phase, SIGN_OF_LIFE};
use crate::agent::agent_error::AgentError;
use crate::agent::counters::Count;
use crate::agent::error::{MAX_TEXT, cut};
use crate::agent::link::EmitError;
use crate::agent::ready::has_hung_up;
use crate::supervise::pipes::READ;
use crate::supervise::worker::read;

impl Connection {
    pub(super) fn read_input(&mut self) -> Result<(), AgentError> {
        let most = match self.phase {
            Phase::Stopping(0) => {
                let stopped = Some(self.stopping.stopped().to_string());
                self.phase = Phase::Closed { stopped };
                return Ok(());
            }
            Phase::Stopping(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => READ,
        };
        let room = self.core.room();
        let most = room.len().min(most);
        let got = match read(&self.input, &mut room[..most]) {
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            // The peer has closed a socket with unread bytes.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(FrameError::Io(error).into()),
        };
        if got == 0 {
            self.phase = Phase::Closed { stopped: None };
            return self.core.check_end().map_err(AgentError::from);
        }
        if let Phase::Stopping(left) = &mut self.phase {
            *left -= got as u64;
        }
        self.link.counters.add(Count::BytesIn, got as u64);
        if self.pipes.note_read(got) {
            self.pipes.enlarge(&[self.input.as_fd(), self.output.as_fd()]);
            self.enlarge_worker();
        }
        let init_limit = self.limits.init_frame.min(self.limits.frame);
        let directory = self.shared.settings.state_dir.as_deref();
        let read = self.core.read(got, [init_limit, self.limits.frame], |task, node| {
            let (saver, saved) = Saver::open(directory?, task, node);
            self.saver = saver;
            saved
        });
        self.handle_events();
        read.map_err(|error| AgentError::from(error).before_init(init_limit))
    }

    /// Writes to Kapacitor what it takes now.
    pub(super) fn write_out(&mut self, now: Instant) -> Result<(), AgentError> {
        while self.out_at < self.out.len() {
            match rustix::io::write(&self.output, &self.out[self.out_at..]) {
                Ok(written) => {
                    self.out_at += written;
                    self.link.counters.add(Count::BytesOut, written as u64);
                    (self.out_moved, self.last_sign) = (now, now);
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => break,
                Err(error) => {
                    let error = Arc::new(io::Error::from(error));
                    return Err(EmitError::Write(error).into());
                }
            }
        }
        if self.out_at == self.out.len() {
            self.out.clear();
            self.out.shrink_to(MOST_OUT);
            self.out_at = 0;
            self.out_moved = now;
        }
        Ok(())
    }

    /// Writes to Kapacitor as long as it reads, within a limit.
    pub(super) fn flush_within(&mut self, limit: Duration) {
        let begun = Instant::now();
        while self.write_out(Instant::now()).is_ok() && !self.out.is_empty() {
            let left = limit.saturating_sub(begun.elapsed());
            let Ok(timeout) = Timespec::try_from(left) else { return };
            let mut fds = [PollFd::new(&self.output, PollFlags::OUT)];
            if left.is_zero() || poll(&mut fds, Some(&timeout)) == Ok(0) {
                return;
            }
        }
    }

    /// Sends an error to Kapacitor, which stops the task.
    pub(super) fn send_error(&mut self, error: String) {
        response::append(
            Message::Error(ErrorResponse { error: cut(error, MAX_TEXT) }),
            &mut self.out,
        );
    }

    /// Ends the task with an error.
    pub(super) fn fail(&mut self, error: String) {
        if !self.is_ending() {
            self.send_error(error.clone());
            self.phase = Phase::Ending(Some(error));
        }
    }

    /// Ends the connection after the worker has done its work.
    pub(super) fn finish(&mut self) {
        if self.core.talk.is_repeating {
            self.core.talk.settle();
            self.handle_events();
            self.out.append(&mut self.core.talk.out);
        }
        if let Phase::Closed { stopped } = &self.phase {
            if let Some(stopped) = stopped.clone() {
                self.send_error(format!(
                    "{stopped}; start it again if it is a daemon, then disable and enable the task"
                ));
            }
            self.phase = Phase::Ending(None);
        }
    }

    /// Returns the time left until Kapacitor must have sent an Init, and the error after that time.
    /// The worker may take longer to accept the Init.
    pub(super) fn until_init(&self) -> Option<(Duration, AgentError)> {
        self.allowance.until_init().filter(|_| !self.core.talk.has_init())
    }

    /// Checks everything that time alone decides.
    pub(super) fn look_at_time(&mut self, now: Instant) -> Result<(), AgentError> {
        if let Some((left, overdue)) = self.until_init()
            && left.is_zero()
        {
            return Err(overdue);
        }
        // Kapacitor may read late. Only the time after the end of the input counts.
        let is_stuck = !self.out.is_empty() && now.duration_since(self.out_moved) >= SIGN_OF_LIFE;
        let is_gone =
            is_stuck && (self.is_closed() || self.is_ending() || has_hung_up(self.input.as_fd()));
        self.gone = self.gone.filter(|_| is_gone).or_else(|| is_gone.then_some(now));
        if let (Some(limit), Some(gone)) = (self.limits.hangup, self.gone)
            && now.duration_since(gone) >= limit
        {
            return Err(AgentError::Worker(format!(
                "abandoning the connection: Kapacitor closed the input and has not read the output for \
                 {limit:?}; undelivered output is lost"
            )));
        }
        if self.is_at_work()
            && self.out.is_empty()
            && now.duration_since(self.last_sign) >= SIGN_OF_LIFE
        {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let life = KeepaliveResponse { time: time as i64 };
            response::append(Message::Keepalive(life), &mut self.out);
            self.link.counters.add(Count::Signs, 1);
            self.write_out(now)?;
        }
        Ok(())
    }
}
