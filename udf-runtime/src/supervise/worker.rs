//! A worker: a process of the UDF with its two pipes.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{self, ChildStdout, Command};
use std::time::Duration;

use rustix::io::{ioctl_fionbio, ioctl_fionread};
use udf_host::diagnosis::{self, NoMessage};
use udf_host::process::{Child, Exit, Spawned};
use udf_proto::Info;
use udf_proto::frame::{FrameError, FrameReader};

use super::pipes::READ;
use super::settings::Program;
use super::start::Start;
use crate::agent::worker::SUPERVISOR;

/// How long a worker that has closed its output, or was killed, may take to exit.
pub(super) const EXIT_WITHIN: Duration = Duration::from_millis(500);

/// A worker. Dropping it kills its process, and all processes of its group.
pub(super) struct Worker {
    child: Child,
    /// None after its end.
    input: Option<File>,
    /// Whether the worker has closed its input.
    is_deaf: Cell<bool>,
    pub(super) frames: FrameReader<ChildStdout>,
    /// None while it serves.
    pub(super) start: Option<Start>,
}

/// The result of a read from a worker.
pub(super) enum Got {
    Some,
    Nothing,
    End,
}

impl Worker {
    /// Starts a process. `known` is the description of the worker before.
    ///
    /// # Errors
    /// Returns why the program cannot be started.
    pub(super) fn spawn(
        program: &Program,
        frame_limit: usize,
        known: Option<Info>,
    ) -> Result<Self, String> {
        let mut command = Command::new(&program.program);
        command.args(&program.args).env(SUPERVISOR, process::id().to_string());
        let spawned = Spawned::in_group(&mut command, program.log.clone());
        let Spawned { stdin, stdout, child } = spawned.map_err(|error| error.to_string())?;
        let input = File::from(OwnedFd::from(stdin));
        for pipe in [input.as_fd(), stdout.as_fd()] {
            ioctl_fionbio(pipe, true).map_err(|error| error.to_string())?;
        }
        let mut frames = FrameReader::new(stdout).limit(frame_limit);
        frames.set_base(READ);
        Ok(Worker {
            child,
            input: Some(input),
            is_deaf: Cell::new(false),
            frames,
            start: Some(Start::new(known)),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the pipe to the worker, until its input was ended.
    pub(super) fn input(&self) -> Option<BorrowedFd<'_>> {
        self.input.as_ref().filter(|_| !self.is_deaf.get()).map(AsFd::as_fd)
    }

    pub(super) fn output(&self) -> BorrowedFd<'_> {
        self.frames.get_ref().as_fd()
    }

    /// Writes as much as the pipe takes. A worker that has closed its input is judged by its output.
    pub(super) fn write(&self, bytes: &[u8]) -> usize {
        let Some(mut input) = self.input.as_ref().filter(|_| !self.is_deaf.get()) else { return 0 };
        loop {
            match input.write(bytes) {
                Ok(written) => return written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(_) => {
                    self.is_deaf.set(true);
                    return 0;
                }
            }
        }
    }

    /// Returns the number of written bytes that the worker has not read, as far as the system tells.
    pub(super) fn unread(&self) -> u64 {
        self.input.as_ref().map_or(0, |input| ioctl_fionread(input).unwrap_or(0))
    }

    /// Returns the number of bytes of its output that were not read.
    pub(super) fn unread_output(&self) -> u64 {
        ioctl_fionread(self.output()).unwrap_or(0)
    }

    /// Returns whether the input of the worker was ended.
    pub(super) fn has_ended_input(&self) -> bool {
        self.input.is_none()
    }

    /// Ends the input of the worker.
    pub(super) fn end_input(&mut self) {
        self.input = None;
    }

    /// Reads what the worker has sent.
    ///
    /// # Errors
    /// Returns why the output is not made of frames.
    pub(super) fn read(&mut self) -> Result<Got, String> {
        if let Some(text) = diagnosis::text(self.frames.rest()) {
            return Err(NoMessage::Text(text).to_string());
        }
        match self.frames.fill() {
            Ok(true) => Ok(Got::Some),
            Ok(false) => Ok(Got::End),
            Err(FrameError::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(Got::Nothing),
            Err(FrameError::Io(_) | FrameError::Cut { .. }) => Ok(Got::End),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Returns the exit of the process, if it has exited. A process that it has left behind may hold
    /// its output open.
    pub(super) fn exited(&self) -> Option<Exit> {
        self.child.exited()
    }

    /// Kills the process, and returns how it ended, with its last words. `fault` is the reason why
    /// it must be killed.
    pub(super) fn bury(self, fault: Option<&str>) -> String {
        let exited = self.child.exited();
        self.child.kill();
        let exited =
            exited.or_else(|| self.child.wait(Some(EXIT_WITHIN)).filter(|_| fault.is_none()));
        // The last lines of stderr.
        self.child.wait(Some(EXIT_WITHIN));
        let mut text = format!("worker {} ", self.id());
        let _ = match (fault, exited) {
            (Some(fault), _) => write!(text, "was killed: {fault}"),
            (None, Some(exit)) => write!(text, "died ({exit})"),
            (None, None) => write!(text, "closed its output"),
        };
        if let Some(words) = self.child.last_words() {
            let _ = write!(text, "; its last words: {words}");
        }
        text
    }
}

/// Reads from a descriptor.
pub(super) fn read(fd: &OwnedFd, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(fd, &mut *room) {
            Err(rustix::io::Errno::INTR) => {}
            read => return Ok(read?),
        }
    }
}
