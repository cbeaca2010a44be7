//! One connection over stdin and stdout, as Kapacitor has it with a UDF that it spawns.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{FileType, fstat};
use rustix::io::ioctl_fionread;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::handler::Handler;
use crate::agent::input::{Input, Source};
use crate::agent::limits::Limits;
use crate::agent::linger::{LINGER, LINGER_AT_STOP, linger};
use crate::agent::ready::{has_hung_up, has_room};
use crate::agent::run::Agent;
use crate::agent::shortage;
use crate::agent::stop::Stop;
use crate::agent::transport::{Report, Transport};

/// A process that must leave waits no longer than this for its log, if a subscriber of the author's waits for whoever
/// reads that.
const LAST_LINE: Duration = Duration::from_millis(1500);

/// Why serving stdin and stdout ended before the input did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StdioError {
    /// Stdin and stdout cannot be used, or a thread cannot be started.
    #[error(transparent)]
    Setup(#[from] io::Error),
    /// The connection failed. If Kapacitor still listens, it was told why.
    #[error("{text}")]
    Failed {
        /// What failed.
        text: String,
        /// The error.
        error: AgentError,
    },
}

/// Serves Kapacitor on stdin and stdout until the input ends, or until `stop` is asked for.
///
/// Nothing else reaches Kapacitor on stdout: all that the UDF prints goes to stderr. Nothing else reads what
/// Kapacitor sends either: for the UDF and the programs that it runs, stdin is empty.
///
/// It ends the process if Kapacitor waits for that and nothing else can end a write to it, and
/// [`grace`](Limits::shutdown) after a stop if the connection has not finished. The status is 1 then. Without the
/// feature `main`, the process kills itself by SIGKILL, so that nothing unwritten can hold it up.
///
/// `udf_runtime::main` calls this function when a program has no arguments. An author's own `main` calls it without
/// the feature `main`, and handles signals itself:
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
/// [`StdioError`].
pub fn serve_stdio(handler: impl Handler, limits: &Limits, stop: &Stop) -> Result<(), StdioError> {
    let span = tracing::error_span!(
        "connection",
        task = tracing::field::Empty,
        node = tracing::field::Empty
    );
    let _entered = span.enter();
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
    // When Kapacitor has read it already, its own error is all that there is.
    if pipes.unread() > 0 {
        tracing::error!(
            "something was printed to stdout before the UDF was served: Kapacitor takes it for a message; print \
             to stderr instead"
        );
    }
    let reader = Input::new(Arc::clone(&input), stop.stopping());
    let agent = Agent::new(reader, output, handler).limits(limits, pipes, &allowance);
    let link = agent.link();
    let result = agent.run();
    has_finished.store(true, Ordering::Relaxed);
    // Kapacitor spawns a UDF for each Info too, which is nothing to be told of.
    if link.pulse.is_started() {
        tracing::info!("the connection has ended: {}", link.counters.totals());
    }
    match (&result, stop.stopping().is_asked()) {
        (_, true) => linger(input.get_ref(), LINGER_AT_STOP),
        (Err(_), false) => linger(input.get_ref(), LINGER),
        (Ok(()), false) => {}
    }
    result.map_err(|error| StdioError::Failed { text: error.told(&link), error })
}

/// Ends the process when it has not finished so long after a stop.
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

/// Ends the process with status 1, whatever its threads wait for, when `report` has been logged or cannot be.
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

/// Ends the process. Unlike `std::process::exit`, this flushes nothing, for which it could wait.
#[cfg(feature = "main")]
fn exit() -> ! {
    signal_hook::low_level::exit(1)
}

/// Ends the process. Unlike `std::process::exit`, this flushes nothing, for which it could wait.
#[cfg(not(feature = "main"))]
fn exit() -> ! {
    // The first process of a container cannot end itself like this.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::exit(1)
}

/// The pipes of a process that Kapacitor has spawned.
struct Pipes {
    input: Arc<Source<File>>,
    /// None once it is closed.
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
        // A socket or a terminal would tell how much there is to read for us.
        let pipe = self.output.as_ref().filter(|_| self.is_pipe);
        pipe.map_or(0, |output| ioctl_fionread(output).unwrap_or(0))
    }

    fn give_up(&self, report: Report) {
        // Nothing else ends a write to a pipe whose other end is open, and Kapacitor waits for our end.
        leave(report);
    }
}
