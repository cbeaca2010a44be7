//! Serves UDFs on a Unix socket, with a separate connection for each use in a task.

mod connection;
mod doors;
mod refusal;
mod reserve;
mod rounds;
pub(crate) mod socket_file;
mod users;

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::connection::Connections;
pub(crate) use self::doors::Door;
use self::doors::{Woken, wait};
use self::refusal::Refusals;
use self::reserve::Reserve;
use self::rounds::Rounds;
pub(crate) use self::rounds::Supervisor;
use self::socket_file::{BindError, SocketFile, SocketOptions};
pub(crate) use self::users::why_not;
use crate::agent::any::AnyHandler;
use crate::agent::handler::Handler;
use crate::agent::limits::Limits;
use crate::agent::metrics::{Metrics, Refused};
use crate::agent::rate_limit::RateLimit;
use crate::agent::service::Service;
use crate::agent::stop::Stop;
use crate::agent::{shortage, watchdog};

/// Creates the handler for each connection.
///
/// Any function that returns a handler is an accepter.
pub trait Accepter: Send + 'static {
    /// The type of the handlers.
    type Handler: Handler;

    /// Creates the handler for a new connection.
    fn accept(&mut self) -> Self::Handler;
}

impl<H: Handler, F: FnMut() -> H + Send + 'static> Accepter for F {
    type Handler = H;

    fn accept(&mut self) -> H {
        self()
    }
}

/// Creates what serves each connection.
pub(crate) type AnyAccepter = Box<dyn FnMut() -> Box<dyn Service> + Send>;

/// The reason why [`Server::serve`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The server cannot accept further connections.
    #[error("cannot accept connections: {0}")]
    Accept(io::Error),
    /// One of the allowed users cannot be distinguished from others.
    #[error("user {uid} cannot be allowed: {why}")]
    AllowedUser {
        /// The id of the user.
        uid: u32,
        /// The users who would be admitted as well.
        why: String,
    },
    /// Some connections did not finish within the grace period after a stop.
    #[error(
        "{connections} connections did not finish within {grace:?} of the stop and were closed"
    )]
    Unfinished {
        /// The number of these connections.
        connections: usize,
        /// The grace period.
        grace: Duration,
    },
}

/// Accepts connections on a Unix socket, and serves each with its own handler and thread.
///
/// A connection that fails, panics or hangs does not affect others. After a [stop](Stop::stop), the
/// server accepts no more connections, and open connections handle the requests that they have
/// received.
///
/// ```no_run
/// # use udf_runtime::{Server, Udf, UdfHandler};
/// # fn serve<T: Udf + 'static>() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::bind("/run/udfs/moving_avg.sock", UdfHandler::<T>::new)?;
/// server.stop_on_signals()?;
/// server.serve()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a server does nothing until `serve` is called"]
pub struct Server {
    doors: Vec<Door>,
    limits: Limits,
    stop: Stop,
    reserve: Reserve,
    allowed_users: Vec<u32>,
    metrics: Metrics,
}

impl Server {
    /// Creates a server on an existing listener. The server does not remove the listener's file.
    ///
    /// # Errors
    /// Returns an error if the process has no descriptors left, or if the thread that sends
    /// keepalives cannot be started.
    pub fn new(listener: UnixListener, mut accepter: impl Accepter) -> io::Result<Self> {
        let mut handler = move || Box::new(accepter.accept()) as Box<dyn AnyHandler>;
        let accepter: AnyAccepter = Box::new(move || Box::new(handler()));
        Server::with(vec![Door { listener, file: None, accepter }])
    }

    /// Creates a server as [`new`](Self::new) does, with several sockets. The limits hold for all of
    /// them together.
    pub(crate) fn with(doors: Vec<Door>) -> io::Result<Self> {
        let stop = Stop::new()?;
        let reserve = Reserve::new()?;
        watchdog::start()?;
        Ok(Server {
            doors,
            limits: Limits::default(),
            stop,
            reserve,
            allowed_users: Vec::new(),
            metrics: Metrics::new(),
        })
    }

    /// Creates a server with a socket at `path`, and removes the socket when the server ends; see
    /// [`SocketFile::bind`].
    ///
    /// # Errors
    /// Returns an error if the socket cannot be created, or if another server is using it.
    pub fn bind(path: impl AsRef<Path>, accepter: impl Accepter) -> Result<Self, BindError> {
        let (listener, file) = SocketFile::bind(path.as_ref(), &SocketOptions::default())?;
        let server = Server::new(listener, accepter)
            .map_err(|error| BindError::Socket { path: path.as_ref().to_owned(), error })?;
        Ok(server.file(file))
    }

    /// Removes this file when the server stops.
    pub fn file(mut self, file: SocketFile) -> Self {
        if let Some(door) = self.doors.first_mut() {
            door.file = Some(file);
        }
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves only processes of these users. An empty list allows all users.
    ///
    /// In a user namespace, all unmapped users look like the user `overflowuid` (65534). That user
    /// cannot be allowed there.
    pub fn allowed_users(mut self, uids: Vec<u32>) -> Self {
        self.allowed_users = uids;
        self
    }

    /// Returns the counts of the server's connections. You can read them at any time.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Returns a handle that stops the server from any thread.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves connections until a stop, and returns when every connection has ended.
    ///
    /// # Errors
    /// Returns an error if no further connections can be accepted, if connections do not finish
    /// within the grace period after a stop, or if an allowed user cannot be distinguished from
    /// others.
    pub fn serve(self) -> Result<(), ServeError> {
        self.serve_under(())
    }

    /// Serves as [`serve`](Self::serve) does, and reports its rounds to `supervisor`.
    pub(crate) fn serve_under(self, supervisor: impl Supervisor) -> Result<(), ServeError> {
        let Server { doors, limits, stop, mut reserve, allowed_users, metrics } = self;
        for &uid in &allowed_users {
            why_not(uid).map_or(Ok(()), |why| Err(ServeError::AllowedUser { uid, why }))?;
        }
        let (mut sockets, mut files) = (Vec::new(), Vec::new());
        for Door { listener, file, accepter } in doors {
            listener.set_nonblocking(true).map_err(ServeError::Accept)?;
            sockets.push((listener, accepter));
            files.extend(file);
        }
        let stopping = stop.stopping();
        let mut refusals = Refusals::new(metrics.clone(), limits.connections);
        let mut pause = AcceptPause::default();
        let connections = Arc::new(Connections::new(limits, metrics, stopping.clone()));
        let mut rounds = Rounds::new(&files, supervisor);
        let mut turn = || {
            let (pauses, round) = (pause.take(), rounds.until_next());
            let timeout = pauses.unwrap_or(round);
            let timeout = refusals.until_look().map_or(timeout, |look| look.min(timeout));
            let listeners = sockets.iter().map(|(listener, _)| listener);
            let woken = wait(listeners, &stopping, pauses.is_some(), timeout);
            refusals.look_after();
            // If this fails, the next turn tries again.
            let _ = reserve.fill();
            let ready = match woken {
                Ok(Woken::Stopped) => return ControlFlow::Break(Ok(())),
                Ok(Woken::Connections(ready)) => ready,
                Ok(Woken::Timeout) => return ControlFlow::Continue(()),
                Err(error) => return ControlFlow::Break(Err(ServeError::Accept(error.into()))),
            };
            for at in ready {
                let (listener, accepter) = &mut sockets[at];
                match listener.accept() {
                    Ok((stream, _)) => match not_allowed(&stream, &allowed_users) {
                        None => connections.open(stream, accepter, &mut refusals),
                        Some(reason) => refusals.refuse(stream, Refused::User, &reason),
                    },
                    // The listener is still readable: the next turn tries again.
                    Err(error)
                        if shortage::is_of_descriptors(&error) && refusals.close_unrelated() => {}
                    Err(error) if shortage::is_of_descriptors(&error) && reserve.give_up() => {
                        // The connection may be gone by now.
                        if let Ok((stream, _)) = listener.accept() {
                            let error = shortage::of("there is no descriptor for it")(error);
                            refusals.refuse(stream, Refused::Descriptors, &error.to_string());
                        }
                    }
                    // The freed descriptor goes into the reserve, and the next turn uses it.
                    Err(error)
                        if shortage::is_of_descriptors(&error) && refusals.close_oldest() => {}
                    Err(error) if pause.passes(&error) => {}
                    Err(error) => return ControlFlow::Break(Err(ServeError::Accept(error))),
                }
            }
            ControlFlow::Continue(())
        };
        let accepted = loop {
            // The author's subscriber may panic in any log line. Keep accepting connections.
            match catch_unwind(AssertUnwindSafe(&mut turn)) {
                Ok(ControlFlow::Break(accepted)) => break accepted,
                Ok(ControlFlow::Continue(())) | Err(_) => {}
            }
        };
        let _ = catch_unwind(AssertUnwindSafe(|| {
            pause.end();
            refusals.end();
        }));
        // Ask the connections to stop as well, if an error ended the loop.
        stop.stop();
        rounds.end();
        drop(sockets);
        drop(files);
        let finished = connections.finish();
        accepted.and(finished)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listeners", &self.doors.iter().map(|door| &door.listener).collect::<Vec<_>>())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The pause of accepting after temporary errors, for example when descriptors run out.
#[derive(Default)]
struct AcceptPause {
    next: Option<Duration>,
    waiting: RateLimit,
}

impl AcceptPause {
    const PAUSE: Duration = Duration::from_millis(200);

    fn take(&mut self) -> Option<Duration> {
        self.next.take()
    }

    /// Returns whether the error is temporary. Schedules a pause, unless the error affects only one
    /// connection.
    fn passes(&mut self, error: &io::Error) -> bool {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::WOULDBLOCK | Errno::INTR | Errno::CONNABORTED) => true,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.next = Some(Self::PAUSE);
                if let Some(held_back) = self.waiting.pass() {
                    let error = shortage::text(error);
                    tracing::error!("cannot accept a connection yet: {error}{held_back}");
                }
                true
            }
            _ => false,
        }
    }

    /// Logs the number of suppressed warnings. Call this when no other warning follows.
    fn end(&mut self) {
        let held_back = self.waiting.rest();
        if held_back > 0 {
            tracing::error!(
                "connections could not be accepted {held_back} more times since the last warning"
            );
        }
    }
}

/// Returns the reason to refuse the peer's process, if there is one.
fn not_allowed(stream: &UnixStream, users: &[u32]) -> Option<String> {
    if users.is_empty() {
        return None;
    }
    match peer_of(stream) {
        Ok(user) if users.contains(&user) => None,
        Ok(user) => Some(format!("user {user} is not allowed by --allow-uid")),
        Err(error) => Some(format!("cannot determine its user: {error}")),
    }
}

#[cfg(target_os = "linux")]
fn peer_of(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

#[cfg(not(target_os = "linux"))]
fn peer_of(_stream: &UnixStream) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
