//! UDFs that listen on a Unix socket, and the two halves of such a connection.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::connection::{Connection, delegate_to_session};
use crate::error::Error;
use crate::interface::Interface;
use crate::session::Session;
use crate::settings::{Callbacks, Log, Settings};

/// How long Kapacitor tries to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(300);

/// The pause after the first attempt. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection with a UDF that listens on a Unix socket.
///
/// ```no_run
/// use udf_host::{Interface, Socket};
///
/// let udf = Socket::new("/run/outliers.sock");
/// udf.open()?;
/// println!("{:?}", udf.info()?);
/// udf.close()?;
/// # Ok::<(), udf_host::Error>(())
/// ```
#[must_use = "no UDF is reached before `open` is called"]
pub struct Socket {
    path: PathBuf,
    connect_within: Duration,
    settings: Settings,
    connection: Connection,
}

impl Socket {
    /// Creates a connection with the UDF at `path`. [`open`](Interface::open) connects to the
    /// socket.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Socket {
            path: path.into(),
            connect_within: CONNECT_WITHIN,
            settings: Settings::default(),
            connection: Connection::default(),
        }
    }

    /// Sets how long to try to connect, with growing pauses. Zero means a single attempt. Defaults
    /// to 5 minutes, as in Kapacitor.
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// Sets the timeouts and limits.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the callbacks. The kill callback is called after the connection is closed.
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.connection.set_callbacks(callbacks);
        self
    }

    fn connect(&self, callbacks: Callbacks) -> Result<Session, Error> {
        let stream = self.stream(&callbacks)?;
        serve(stream, self.settings.clone(), callbacks).map_err(|e| Error::Setup(Arc::new(e)))
    }

    fn stream(&self, callbacks: &Callbacks) -> Result<UnixStream, Error> {
        connect(&self.path, self.connect_within, |error, retry_in| {
            if let Some(log) = &callbacks.log {
                log(&Log::Connecting { error: &error, retry_in });
            }
            self.connection.pause(retry_in)
        })
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Interface for Socket {
    /// Tries to connect until it succeeds, the connection is aborted, or the time limit passes.
    fn open(&self) -> Result<(), Error> {
        self.connection.open(|callbacks| self.connect(callbacks))
    }

    fn close(&self) -> Result<(), Error> {
        self.connection.session()?.stop()
    }

    delegate_to_session!();
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Tries to connect to the listener at `path` until `within` has passed. A single attempt never
/// blocks.
///
/// A listener whose backlog is full, because it does not accept, refuses like any other listener:
/// the error is of the kind [`WouldBlock`](ErrorKind::WouldBlock). Between two attempts, `pause` is
/// called with the last error and the time to sleep. An error from `pause` ends the attempts.
///
/// # Errors
/// [`Error::Connect`] with the last error after the time limit, and the errors of `pause`.
pub fn connect(
    path: &Path,
    within: Duration,
    mut pause: impl FnMut(io::Error, Duration) -> Result<(), Error>,
) -> Result<UnixStream, Error> {
    let started = Instant::now();
    let mut time = FIRST_PAUSE;
    loop {
        let error = match try_to_connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let left = within.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(Error::Connect { path: path.to_owned(), within, error: Arc::new(error) });
        }
        pause(error, time.min(left))?;
        time = (2 * time).min(LONGEST_PAUSE);
    }
}

/// Makes one attempt without blocking.
fn try_to_connect(path: &Path) -> io::Result<UnixStream> {
    // A blocking `connect` would wait for room in the backlog without any limit.
    let socket = nonblocking_socket()?;
    let address = SocketAddrUnix::new(path)?;
    rustix::net::connect(&socket, &address).map_err(|error| match error {
        Errno::AGAIN => io::Error::new(
            ErrorKind::WouldBlock,
            "the listener does not accept connections, and its backlog is full",
        ),
        error => error.into(),
    })?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Creates a socket that spawned programs do not inherit.
#[cfg(not(target_vendor = "apple"))]
fn nonblocking_socket() -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Creates a socket that spawned programs do not inherit, except a program that is spawned between
/// the two system calls.
#[cfg(target_vendor = "apple")]
fn nonblocking_socket() -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Creates a session over `stream`. The kill callback closes `stream` before it calls the one of
/// `callbacks`.
pub(crate) fn serve(
    stream: UnixStream,
    settings: Settings,
    callbacks: Callbacks,
) -> io::Result<Session> {
    let whole = stream.try_clone()?;
    let (reader, writer) = split(stream)?;
    let callbacks = callbacks.before_kill(move || {
        // Fails only when the socket is already closed.
        let _ = whole.shutdown(Shutdown::Both);
    });
    Ok(Session::new(reader, writer, settings, callbacks))
}

/// Splits a connected socket into its two directions. Each direction ends when its half is dropped.
///
/// # Errors
/// When the process has no file descriptor left.
pub fn split(stream: UnixStream) -> io::Result<(ReadHalf, WriteHalf)> {
    let reader = ReadHalf(stream.try_clone()?);
    Ok((reader, WriteHalf(stream)))
}

/// The reading half of a socket. After its drop, writes of the other side fail.
#[derive(Debug)]
pub struct ReadHalf(UnixStream);

impl Read for ReadHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Drop for ReadHalf {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Read);
    }
}

/// The writing half of a socket. Its drop ends the input of the other side.
#[derive(Debug)]
pub struct WriteHalf(UnixStream);

impl Write for WriteHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for WriteHalf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
