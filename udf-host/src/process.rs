//! UDFs that are programs. The host spawns the program and connects to its stdin and stdout.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use crate::child::{Child, Exit, Killer, Spawned};
use crate::connection::{Connection, delegate_to_session};
use crate::error::Error;
use crate::interface::Interface;
use crate::large_pipes::LargePipes;
use crate::session::{EXPLAINED_WITHIN, Session};
use crate::settings::{Callbacks, Logger, Settings};

/// Spawns a program, whose stderr goes to the logger.
pub type Spawn = fn(&mut Command, Option<Logger>) -> Result<Spawned, Error>;

/// A connection with a program that is spawned for it.
///
/// Kills the program on drop if it is still running.
///
/// ```no_run
/// use udf_host::{Interface, Process};
///
/// let udf = Process::new("/usr/local/bin/outliers").env("UDF_LOG", "debug");
/// udf.open()?;
/// println!("{:?}", udf.info()?);
/// udf.close()?;
/// # Ok::<(), udf_host::Error>(())
/// ```
#[must_use = "no UDF is reached before `open` is called"]
pub struct Process {
    command: Mutex<Command>,
    settings: Settings,
    connection: Connection,
    child: Mutex<Option<Arc<Child>>>,
    spawn: Spawn,
    large_pipes: Option<LargePipes>,
}

impl Process {
    /// Creates a connection with `program`. [`open`](Interface::open) spawns the program.
    ///
    /// A name without a slash is searched in `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Process {
            command: Mutex::new(Command::new(program)),
            settings: Settings::default(),
            connection: Connection::default(),
            child: Mutex::default(),
            spawn: Spawned::new,
            large_pipes: None,
        }
    }

    fn with_command(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(self.command.get_mut().unwrap_or_else(PoisonError::into_inner));
        self
    }

    /// Appends arguments of the program.
    pub fn args(self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.with_command(|command| {
            command.args(args);
        })
    }

    /// Sets an environment variable of the program. The program inherits the environment of this
    /// process.
    pub fn env(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.with_command(|command| {
            command.env(name, value);
        })
    }

    /// Sets the working directory of the program.
    pub fn current_dir(self, directory: impl AsRef<Path>) -> Self {
        self.with_command(|command| {
            command.current_dir(directory);
        })
    }

    /// Makes the program the leader of a new process group; see [`Spawned::in_group`].
    pub fn in_group(self) -> Self {
        self.spawn_with(Spawned::in_group)
    }

    /// Sets the function that spawns the program. Defaults to [`Spawned::new`].
    pub fn spawn_with(mut self, spawn: Spawn) -> Self {
        self.spawn = spawn;
        self
    }

    /// Makes the pipes of the program large, unless eight connections of this process have large
    /// ones; see [`large_pipes`](crate::large_pipes).
    pub fn large_pipes(mut self) -> Self {
        self.large_pipes = LargePipes::claim();
        self
    }

    /// Sets the timeouts and limits.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the callbacks. The kill callback is called after the program is killed.
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.connection.set_callbacks(callbacks);
        self
    }

    /// Returns the process ID of the program once it is spawned.
    pub fn id(&self) -> Option<u32> {
        self.child().map(|child| child.id())
    }

    fn child(&self) -> Option<Arc<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connect(&self, callbacks: Callbacks) -> Result<Session, Error> {
        let spawned = {
            let mut command = self.command.lock().unwrap_or_else(PoisonError::into_inner);
            (self.spawn)(&mut command, callbacks.log.clone())?
        };
        if let Some(large) = &self.large_pipes {
            large.enlarge(spawned.stdin.as_fd());
            large.enlarge(spawned.stdout.as_fd());
        }
        let child = Arc::new(spawned.child);
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child.clone());

        let killed = child.clone();
        let callbacks = callbacks.before_kill(move || killed.kill()).before_end(move |error| {
            // The program closes its output a moment before it exits.
            match child.wait(Some(EXPLAINED_WITHIN)) {
                Some(exited) => {
                    child.error(exited, Some(error).filter(|e| !matches!(e, Error::ClosedEarly)))
                }
                None => error,
            }
        });
        Ok(Session::new(spawned.stdout, spawned.stdin, self.settings.clone(), callbacks))
    }

    /// Returns how long the program may run after its connection has ended.
    fn exit_within(&self, stopped: &Result<(), Error>) -> Option<Duration> {
        match (stopped, self.settings.close_within) {
            (Ok(()), Duration::ZERO) => None,
            (Ok(()), within) => Some(within),
            (Err(_), _) => Some(self.settings.grace()),
        }
    }
}

impl Interface for Process {
    fn open(&self) -> Result<(), Error> {
        self.connection.open(|callbacks| self.connect(callbacks)).inspect_err(|error| {
            // The connection was aborted, or its threads failed to start, after the program was
            // spawned.
            if !matches!(error, Error::AlreadyStarted)
                && let Some(child) = self.child()
            {
                child.kill();
            }
        })
    }

    /// Ends the input, then waits until the program has closed its stdout and exited. An
    /// [`Exit::Unknown`] after an orderly end is not an error.
    fn close(&self) -> Result<(), Error> {
        let stopped = self.connection.session()?.stop();
        let Some(child) = self.child() else { return stopped };
        let within = self.exit_within(&stopped);
        let exited = child.wait(within);
        if exited.is_none() {
            child.kill();
            child.wait(Some(EXPLAINED_WITHIN));
        }
        stopped?;
        match exited {
            Some(exited) if exited.is_failure() => Err(child.error(exited, None)),
            Some(_) => Ok(()),
            None => Err(Error::NeverExits { within: within.unwrap_or_default() }),
        }
    }

    delegate_to_session!();
}

impl Drop for Process {
    fn drop(&mut self) {
        self.connection.abort(Error::Aborted("the process was dropped while in use".to_owned()));
        if let Some(child) = self.child() {
            child.kill();
            child.wait(Some(EXPLAINED_WITHIN));
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("command", &self.command).finish_non_exhaustive()
    }
}
