//! One connection over stdin and stdout, as Kapacitor has it with a UDF that it spawns.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::logs::one_line;
use crate::linger::linger;
use crate::stop::{Stop, Stopped};
use crate::{Agent, Handler, Limits};

/// Serves Kapacitor on stdin and stdout until the input ends, or a signal asks to stop.
///
/// Nothing else reaches Kapacitor on stdout: what the UDF prints goes to stderr. Nothing else reads what
/// Kapacitor sends either: for the UDF and the programs that it runs, stdin is empty.
///
/// # Errors
/// What failed, in one line.
pub(super) fn serve(handler: impl Handler, limits: &Limits) -> Result<(), String> {
    let setup = || -> io::Result<_> {
        let (stop, stopped) = Stop::new()?;
        stop.on_signals()?;
        let farewell = limits.farewell;
        stop.on_stop(move || {
            thread::sleep(farewell);
            tracing::error!(
                "what was received is not finished {farewell:?} after the signal: giving up"
            );
            std::process::exit(1);
        })?;
        let input = Arc::new(File::from(io::stdin().as_fd().try_clone_to_owned()?));
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        rustix::stdio::dup2_stdout(io::stderr())?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        let watched = output.try_clone()?;
        // Both are needed for as long as the connection lives: without the first, it counts as stopped.
        Ok((stop, input, stopped, output, watched))
    };
    let (_stop, input, stopped, output, watched) =
        setup().map_err(|error| format!("stdin and stdout cannot be used: {error}"))?;
    let span = tracing::info_span!(
        "connection",
        task = tracing::field::Empty,
        node = tracing::field::Empty
    );
    let _entered = span.enter();
    let reader = Input { input: Arc::clone(&input), stopped, stopping: false };
    let agent = Agent::new(reader, output, handler)
        .with_frame_limit(limits.frame)
        .with_unfit_points(limits.unfit_points)
        .with_liveness(watched, limits.busy);
    let link = agent.link();
    let result = agent.run();
    // Kapacitor spawns a UDF for each Info too, which is nothing to be told of.
    if link.pulse.is_started() {
        tracing::info!("the connection has ended: {}", link.counters.totals());
    }
    if result.is_err() {
        linger(&*input);
    }
    result.map_err(|error| one_line(&error.told(&link)))
}

/// Stdin, which ends at a stop once everything that has been received is read.
struct Input {
    input: Arc<File>,
    stopped: PipeReader,
    stopping: bool,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut fds = [
                PollFd::new(&*self.input, PollFlags::IN),
                PollFd::new(&self.stopped, PollFlags::IN),
            ];
            let watched = if self.stopping { &mut fds[..1] } else { &mut fds[..] };
            let timeout = self.stopping.then(Timespec::default);
            match poll(watched, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            if !fds[0].revents().is_empty() {
                return (&*self.input).read(buffer);
            }
            if self.stopping {
                return Err(Stopped::error());
            }
            self.stopping = !fds[1].revents().is_empty();
        }
    }
}
