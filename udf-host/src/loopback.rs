//! UDFs that run in this process, over the same frames as any other UDF. For replay and tests.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use udf_text::message::panic_text;

use crate::connection::{Connection, delegate_to_session};
use crate::error::Error;
use crate::interface::Interface;
pub use crate::session::{Cutter, UdfInput, UdfOutput};
use crate::session::{EXPLAINED_WITHIN, Session};
use crate::settings::{Callbacks, Settings};
use crate::socket::{ReadHalf, WriteHalf, serve, split};
use crate::spawn::spawn;

/// The result of a UDF's code: nothing, or the reason of its failure.
pub type UdfResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The code of a UDF, with what it reads from and writes to.
enum Udf {
    InProcess(Box<dyn FnOnce(UdfInput, UdfOutput) -> UdfResult + Send>),
    Socket(Box<dyn FnOnce(ReadHalf, WriteHalf) -> UdfResult + Send>),
}

/// A connection with a UDF that runs on a thread of this process.
///
/// The two sides exchange frames, so everything behaves as with a UDF in another process: the limits
/// of the session, the bounded buffer before the UDF, the end of the input. But the thread of the UDF
/// hands its data to the owner itself. A UDF that returns an error or panics has ended unexpectedly.
///
/// ```
/// use std::io::{Read, Write};
/// use udf_host::{Interface, Loopback};
///
/// // A UDF that answers the first request, whatever it is, with "I want and provide a stream".
/// let udf = Loopback::new(|mut input, mut output| {
///     input.read_exact(&mut [0; 3])?;
///     output.write_all(&[2, 0x0a, 0])?;
///     input.read_to_end(&mut Vec::new())?;
///     Ok(())
/// });
/// udf.open()?;
/// assert!(udf.info()?.options.is_empty());
/// udf.close()?;
/// # Ok::<(), udf_host::Error>(())
/// ```
#[must_use = "no UDF is reached before `open` is called"]
pub struct Loopback {
    udf: Mutex<Option<Udf>>,
    settings: Settings,
    connection: Connection,
    end: Arc<End>,
}

/// How the UDF ended, once it has ended.
#[derive(Default)]
struct End {
    how: Mutex<Option<Result<(), String>>>,
    known: Condvar,
}

impl End {
    fn how(&self) -> MutexGuard<'_, Option<Result<(), String>>> {
        self.how.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, within: Duration) -> Option<Result<(), String>> {
        let waited = self.known.wait_timeout_while(self.how(), within, |how| how.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

impl Loopback {
    /// Creates a connection with `udf`. [`open`](Interface::open) starts `udf` on a new thread.
    pub fn new(udf: impl FnOnce(UdfInput, UdfOutput) -> UdfResult + Send + 'static) -> Self {
        Loopback::of(Udf::InProcess(Box::new(udf)))
    }

    /// Creates a connection with `udf` over a pair of sockets, for code that waits for descriptors.
    pub fn over_socket(
        udf: impl FnOnce(ReadHalf, WriteHalf) -> UdfResult + Send + 'static,
    ) -> Self {
        Loopback::of(Udf::Socket(Box::new(udf)))
    }

    fn of(udf: Udf) -> Self {
        Loopback {
            udf: Mutex::new(Some(udf)),
            settings: Settings::default(),
            connection: Connection::default(),
            end: Arc::default(),
        }
    }

    /// Sets the timeouts and limits.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the callbacks. The kill callback is called after the connection is closed. The thread
    /// of the UDF cannot be killed.
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.connection.set_callbacks(callbacks);
        self
    }

    fn connect(&self, callbacks: Callbacks) -> Result<Session, Error> {
        let setup = |error: io::Error| Error::Setup(Arc::new(error));
        let udf = self.udf.lock().unwrap_or_else(PoisonError::into_inner).take();
        let end = self.end.clone();
        let callbacks = callbacks.before_end(move |error| {
            // The UDF closes its output a moment before it ends.
            match end.wait(EXPLAINED_WITHIN) {
                Some(Err(text)) => Error::Ended(text),
                Some(Ok(())) | None => error,
            }
        });
        match udf.ok_or(Error::AlreadyStarted)? {
            Udf::InProcess(udf) => {
                let end = self.end.clone();
                let start = move |input, output| run(end, move || udf(input, output));
                Ok(Session::in_process(Box::new(start), self.settings.clone(), callbacks))
            }
            Udf::Socket(udf) => {
                let (host_side, udf_side) = UnixStream::pair().map_err(setup)?;
                let (reader, writer) = split(udf_side).map_err(setup)?;
                run(self.end.clone(), move || udf(reader, writer)).map_err(setup)?;
                serve(host_side, self.settings.clone(), callbacks).map_err(setup)
            }
        }
    }
}

/// Runs `udf` on a new thread.
fn run(end: Arc<End>, udf: impl FnOnce() -> UdfResult + Send + 'static) -> io::Result<()> {
    spawn("udf", move || {
        let how = match catch_unwind(AssertUnwindSafe(udf)) {
            Ok(ended) => ended.map_err(|error| error.to_string()),
            Err(panic) => Err(format!("it panicked: {}", panic_text(&*panic))),
        };
        *end.how() = Some(how);
        end.known.notify_all();
    })
}

impl Interface for Loopback {
    fn open(&self) -> Result<(), Error> {
        self.connection.open(|callbacks| self.connect(callbacks))
    }

    /// Ends the input, then waits until the UDF has closed its output. Also reports a failure of
    /// the UDF's code up to one second later.
    fn close(&self) -> Result<(), Error> {
        self.connection.session()?.stop()?;
        match self.end.wait(EXPLAINED_WITHIN) {
            Some(Err(text)) => Err(Error::Ended(text)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    delegate_to_session!();
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback").finish_non_exhaustive()
    }
}
