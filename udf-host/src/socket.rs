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

use crate::connection::{Connection, delegate_to_server};
use crate::error::Error;
use crate::interface::Interface;
use crate::server::Server;
use crate::settings::{Callbacks, Log, Settings};

/// How long Kapacitor tries to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(300);

/// The first pause between two tries; each is twice as long as the one before it.
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
    /// A connection with the UDF at `path`, which is reached by [`open`](Interface::open).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Socket {
            path: path.into(),
            connect_within: CONNECT_WITHIN,
            settings: Settings::default(),
            connection: Connection::default(),
        }
    }

    /// How long to go on trying to connect, with longer and longer pauses; 5 minutes, as Kapacitor
    /// does. With zero, there is one try.
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// The timeouts and limits.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Whom to call. The kill callback is called once the connection is closed.
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.connection.set_callbacks(callbacks);
        self
    }

    fn connect(&self, callbacks: Callbacks) -> Result<Server, Error> {
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

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Interface for Socket {
    /// Connects, again and again until it is reached, aborted, or the time is over.
    fn open(&self) -> Result<(), Error> {
        self.connection.open(|callbacks| self.connect(callbacks))
    }

    fn close(&self) -> Result<(), Error> {
        self.connection.server()?.stop()
    }

    delegate_to_server!();
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Connects to the listener at `path`, again and again until `within` is over. No try waits.
///
/// A listener that accepts nobody, so that its backlog is full, refuses like any other: the error is then of the kind
/// [`WouldBlock`](ErrorKind::WouldBlock). Between two tries, `pause` is called with the last error and a time, for
/// which it sleeps; an error that it returns ends the tries.
///
/// # Errors
/// [`Error::Connect`] with the last error when the time is over, and those of `pause`.
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

/// Tries once, and does not wait.
fn try_to_connect(path: &Path) -> io::Result<UnixStream> {
    // A blocking socket would wait for room in the backlog, for as long as that takes.
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

/// Makes a socket that programs which are spawned do not inherit.
#[cfg(not(target_vendor = "apple"))]
fn nonblocking_socket() -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Makes a socket that programs which are spawned do not inherit, unless they are spawned this very moment.
#[cfg(target_vendor = "apple")]
fn nonblocking_socket() -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// A server over `stream`; the kill callback closes it before it calls that of `callbacks`.
pub(crate) fn serve(
    stream: UnixStream,
    settings: Settings,
    callbacks: Callbacks,
) -> io::Result<Server> {
    let whole = stream.try_clone()?;
    let (reader, writer) = split(stream)?;
    let callbacks = callbacks.before_kill(move || {
        // It fails only when it is closed already.
        let _ = whole.shutdown(Shutdown::Both);
    });
    Ok(Server::new(reader, writer, settings, callbacks))
}

/// Splits a connected socket into its two directions, each of which ends when its half is dropped.
///
/// # Errors
/// When the process has no file descriptor left.
pub fn split(stream: UnixStream) -> io::Result<(ReadHalf, WriteHalf)> {
    let reader = ReadHalf(stream.try_clone()?);
    Ok((reader, WriteHalf(stream)))
}

/// The half of a socket that is read. Dropped, it makes the other side's writes fail.
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

/// The half of a socket that is written. Dropped, it ends the input of the other side.
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
