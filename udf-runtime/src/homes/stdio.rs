//! Serves one connection over stdin and stdout, for a UDF that Kapacitor spawns.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::ioctl_fionread;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::AnyHandler;
use crate::agent::guard;
use crate::agent::handler::Handler;
use crate::agent::input::{Input, Source};
use crate::agent::limits::Limits;
use crate::agent::linger::{LINGER, LINGER_AT_STOP, linger};
use crate::agent::ready::{has_hung_up, has_room};
use crate::agent::service::{Ends, Opened, Service};
use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::agent::transport::{Report, Transport};
use crate::agent::worker;

/// The maximum time that an exiting process waits for its log. The author's subscriber may block
/// until somebody reads the log.
const LAST_LINE: Duration = Duration::from_millis(1500);

/// The exit status of Rust programs that panic.
const PANICKED: i32 = 101;

/// The reason why serving stdin and stdout ended before the input did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StdioError {
    /// Stdin and stdout cannot be used, or a thread cannot be started.
    #[error(transparent)]
    Setup(#[from] io::Error),
    /// The connection failed. If Kapacitor still reads, it was sent the reason.
    #[error("{text}")]
    Failed {
        /// The text of the failure.
        text: String,
        /// The error.
        error: AgentError,
    },
}

/// Serves Kapacitor on stdin and stdout until the input ends, or until `stop` is requested.
///
/// Stdout carries the protocol only: everything that the UDF prints goes to stderr. For the UDF and
/// the programs that it runs, stdin is empty.
///
/// This function ends the process if Kapacitor waits for its exit and nothing else can end a
/// blocked write. It also ends the process [`shutdown`](Limits::shutdown) after a stop if the
/// connection has not finished. The exit status is then 1. Without the feature `main`, the process
/// kills itself with SIGKILL, so that no buffered output can delay the exit.
///
/// Under a supervisor (`udf supervise`), a panic of the UDF ends the process with status 101, and
/// the supervisor starts another one.
///
/// `udf_runtime::main` calls this function when a program has no arguments. Without the feature
/// `main`, an author's own `main` calls it, and handles signals itself:
///
/// ```no_run
/// # use udf_runtime::{Limits, Stop, Udf, UdfHandler, serve_stdio};
/// # fn serve<T: Udf + 'static>() -> Result<(), Box<dyn std::error::Error>> {
/// let stop = Stop::new()?;
/// serve_stdio(UdfHandler::<T>::new(), &Limits::default(), &stop)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`StdioError`].
pub fn serve_stdio(handler: impl Handler, limits: &Limits, stop: &Stop) -> Result<(), StdioError> {
    let handler: Box<dyn AnyHandler> = Box::new(handler);
    serve(Box::new(handler), limits, stop)
}

/// Serves as [`serve_stdio`] does.
pub(super) fn serve(
    service: Box<dyn Service>,
    limits: &Limits,
    stop: &Stop,
) -> Result<(), StdioError> {
    let span = tracing::error_span!(
        "connection",
        task = tracing::field::Empty,
        node = tracing::field::Empty
    );
    let _entered = span.enter();
    if worker::is_worker() {
        if !worker::follow_supervisor() {
            leave(|| {});
        }
        guard::crash_at_panics(crash);
    }
    let has_finished = Arc::new(AtomicBool::new(false));
    stop.on_stop(give_up_in_time(limits.shutdown, Arc::clone(&has_finished)))?;
    let allowance = Allowance::of_process(limits);
    let setup = || -> io::Result<_> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let input = Source::new(input, &allowance);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let pipes = Pipes {
            input: Arc::clone(&input),
            output: Some(output.as_fd().try_clone_to_owned()?),
            is_pipe: FileType::from_raw_mode(fstat(&output)?.st_mode).is_fifo(),
        };
        rustix::stdio::dup2_stdout(io::stderr())?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok((input, output, pipes))
    };
    let setup = setup().map_err(shortage::of("stdin and stdout cannot be used"));
    let (input, output, pipes) = setup?;
    // If Kapacitor has already read these bytes, it logs an error of its own, and this cannot be
    // detected.
    if pipes.unread() > 0 {
        tracing::error!(
            "output was printed to stdout before the UDF was served, and Kapacitor reads it as a message; \
             print to stderr instead"
        );
    }
    let reader = Input::new(Arc::clone(&input), stop.stopping());
    let ends = Ends {
        reader: Box::new(reader),
        writer: Box::new(output),
        transport: Box::new(pipes),
        stopping: stop.stopping(),
    };
    let Opened { link, run } = service.open(ends, limits, &allowance);
    let result = run();
    has_finished.store(true, Ordering::Relaxed);
    // Kapacitor also spawns a UDF for each Info. That needs no log line.
    let totals = link.counters.totals();
    match worker::is_worker() {
        // The supervisor logs the counts of all workers of the connection.
        true => tracing::debug!("the worker has ended: {totals}"),
        false if link.pulse.is_started() => tracing::info!("the connection has ended: {totals}"),
        false => {}
    }
    match (&result, stop.stopping().is_asked()) {
        (_, true) => linger(input.get_ref(), LINGER_AT_STOP),
        (Err(_), false) => linger(input.get_ref(), LINGER),
        (Ok(()), false) => {}
    }
    result.map_err(|error| StdioError::Failed { text: error.told(&link), error })
}

/// Ends the process if it has not finished by this time after a stop.
fn give_up_in_time(
    grace: Duration,
    has_finished: Arc<AtomicBool>,
) -> impl FnOnce() + Send + 'static {
    let span = tracing::Span::current();
    move || {
        thread::sleep(grace);
        if !has_finished.load(Ordering::Relaxed) {
            leave(|| {
                let _entered = span.enter();
                tracing::error!(
                    "shutdown timed out after {grace:?} with input still unprocessed; exiting"
                );
            });
        }
    }
}

/// Ends the process with status 1, even if all threads are blocked. Waits until `report` has been
/// logged, for a bounded time.
fn leave(report: impl FnOnce()) -> ! {
    let in_time = move || {
        thread::sleep(LAST_LINE);
        exit()
    };
    if thread::Builder::new().name("exit".to_owned()).spawn(in_time).is_ok() {
        report();
        #[cfg(feature = "main")]
        super::logs::finish(None);
    }
    exit()
}

/// Ends the process of a worker after a panic, with the status of a panic in `main`. The panic has
/// been logged.
fn crash() -> ! {
    #[cfg(feature = "main")]
    signal_hook::low_level::exit(PANICKED);
    #[cfg(not(feature = "main"))]
    std::process::exit(PANICKED)
}

/// Ends the process. Unlike `std::process::exit`, this flushes nothing, because a flush could
/// block.
#[cfg(feature = "main")]
fn exit() -> ! {
    signal_hook::low_level::exit(1)
}

/// Ends the process. Unlike `std::process::exit`, this flushes nothing, because a flush could
/// block.
#[cfg(not(feature = "main"))]
fn exit() -> ! {
    // The first process of a container cannot kill itself this way.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::exit(1)
}

/// The stdin and stdout of a process that Kapacitor has spawned.
struct Pipes {
    input: Arc<Source<File>>,
    /// `None` after the pipe was closed.
    output: Option<OwnedFd>,
    is_pipe: bool,
}

impl Transport for Pipes {
    fn has_room(&self) -> bool {
        self.output.as_ref().is_some_and(|output| has_room(output.as_fd()))
    }

    fn has_hung_up(&self) -> bool {
        has_hung_up(self.input.get_ref().as_fd())
    }

    fn close_output(&mut self) {
        self.output = None;
    }

    fn is_waited_for(&self) -> bool {
        true
    }

    fn make_way(&self, left: &mut Duration) {
        self.input.read_ahead(left);
    }

    fn unread(&self) -> u64 {
        // For a socket or a terminal, the system would report our own unread input instead.
        let pipe = self.output.as_ref().filter(|_| self.is_pipe);
        pipe.map_or(0, |output| ioctl_fionread(output).unwrap_or(0))
    }

    fn descriptors(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        let output = self.output.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = match open_again(output) {
            Some(output) => output,
            None => {
                let output = output.try_clone()?;
                rustix::io::ioctl_fionbio(&output, true)?;
                output
            }
        };
        Ok((self.input.get_ref().as_fd().try_clone_to_owned()?, output))
    }

    fn give_up(&self, report: Report) {
        // Nothing else ends a blocked write to a pipe whose reader is open, and Kapacitor waits for
        // our exit.
        leave(report);
    }
}

/// Opens a pipe again, so that only this process sees that its writes do not block. Other processes
/// may share the pipe, such as a shell.
#[cfg(target_os = "linux")]
#[cfg_attr(not(feature = "main"), allow(dead_code, reason = "only a supervisor needs it"))]
fn open_again(pipe: &OwnedFd) -> Option<OwnedFd> {
    let is_pipe = FileType::from_raw_mode(fstat(pipe).ok()?.st_mode).is_fifo();
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    is_pipe.then(|| rustix::fs::open(path, flags, Mode::empty()).ok())?
}

#[cfg(not(target_os = "linux"))]
#[cfg_attr(not(feature = "main"), allow(dead_code, reason = "only a supervisor needs it"))]
fn open_again(_: &OwnedFd) -> Option<OwnedFd> {
    None
}
