//! UDFs that listen on a Unix socket, and the two halves of such a connection.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::{Connection, delegate_to_server};
use crate::{Callbacks, Error, Interface, Log, Server, Settings};

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
pub struct Socket {
    path: PathBuf,
    connect_within: Duration,
    settings: Settings,
    callbacks: Mutex<Callbacks>,
    connection: Connection,
}

impl Socket {
    /// A connection with the UDF at `path`, which is reached by [`open`](Interface::open).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Socket {
            path: path.into(),
            connect_within: CONNECT_WITHIN,
            settings: Settings::default(),
            callbacks: Mutex::default(),
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
        self.callbacks = Mutex::new(callbacks);
        self
    }

    fn connect(&self) -> Result<Server, Error> {
        let callbacks =
            std::mem::take(&mut *self.callbacks.lock().unwrap_or_else(PoisonError::into_inner));
        let stream = self.stream(&callbacks)?;
        serve(stream, self.settings.clone(), callbacks).map_err(|e| Error::Setup(Arc::new(e)))
    }

    fn stream(&self, callbacks: &Callbacks) -> Result<UnixStream, Error> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match UnixStream::connect(&self.path) {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let left = self.connect_within.saturating_sub(started.elapsed());
            if left.is_zero() {
                let (path, within) = (self.path.clone(), self.connect_within);
                return Err(Error::Connect { path, within, error: Arc::new(error) });
            }
            let retry_in = pause.min(left);
            if let Some(log) = &callbacks.log {
                log(&Log::Connecting { error: &error, retry_in });
            }
            self.connection.pause(retry_in)?;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Interface for Socket {
    /// Connects, again and again until it is reached, aborted, or the time is over.
    fn open(&self) -> Result<(), Error> {
        self.connection.open(|| self.connect())
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

/// A server over `stream`; the kill callback closes it before it calls that of `callbacks`.
pub(crate) fn serve(
    stream: UnixStream,
    settings: Settings,
    mut callbacks: Callbacks,
) -> io::Result<Server> {
    let whole = stream.try_clone()?;
    let (reader, writer) = split(stream)?;
    let owners = callbacks.kill.take();
    let callbacks = callbacks.on_kill(move || {
        // It fails only when it is closed already.
        let _ = whole.shutdown(Shutdown::Both);
        if let Some(kill) = owners {
            kill();
        }
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
