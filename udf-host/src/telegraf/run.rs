//! Connects Telegraf with a UDF, and looks after both until the end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::isatty;
use udf_proto::{EdgeType, Info, Init, OptionCall};
use udf_text::line_protocol::LineReader;
use udf_text::options;

use super::event::{Event, TelegrafError};
use super::input::{Input, Target, now};
use super::output::Lines;
use super::saver::{Kept, Saver};
use super::shared::{Counts, Report, Shared};
use super::stdin::Stdin;
use super::stdout::Stdout;
use super::windows::Gathering;
use super::{END_WITHIN, Ends, SAVE_EVERY, Summary, Telegraf, Windows, end};
use crate::error::Error;
use crate::interface::Interface;
use crate::large_pipes::LargePipes;
use crate::replay::Connect;
use crate::spawn::spawn;

impl Telegraf {
    /// Serves Telegraf until the end of stdin. Calls `log` with every event worth logging.
    ///
    /// `connect` is called twice: for the edges and options of the UDF, and for its run.
    ///
    /// # Errors
    /// When the options do not fit the UDF, when the UDF or a pipe fails, or when the end takes
    /// longer than [`END_WITHIN`]. The process must then exit: threads may still wait for the UDF.
    pub fn run(
        &self,
        connect: Connect<'_>,
        ends: Ends,
        log: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<Summary, TelegrafError> {
        let info = describe(connect)?;
        let options = options::parse(&info, &self.options)?;
        let windows = self.windows_of(&info)?;
        let large = LargePipes::claim();
        if let Some(large) = &large {
            large.enlarge(ends.stdin.as_fd());
            large.enlarge(ends.stdout.as_fd());
        }
        let pipe = ends.stdout.try_clone()?;
        let stdout = Mutex::new(Stdout::new(File::from(ends.stdout.try_clone()?)));
        let shared = Arc::new(Shared { log: Box::new(log), counts: Counts::default(), stdout });
        let served = self.connect(connect, &info, &options, windows, ends, &shared);
        end::leave(served, &shared.stdout, &pipe)?;
        Ok(shared.summary())
    }

    /// Connects to the UDF, and serves until its end. Returns the time by which the process must
    /// have ended.
    fn connect(
        &self,
        connect: Connect<'_>,
        info: &Info,
        options: &[OptionCall],
        windows: Option<Windows>,
        ends: Ends,
        shared: &Arc<Shared>,
    ) -> Result<Instant, TelegrafError> {
        let kept = Kept::open(self, shared)?;
        let state = kept.as_ref().map_or(Ok(None), |kept| kept.load(shared))?;
        let start = |state| {
            let lines = |reports| Lines::new(Arc::clone(shared), reports);
            Running::start(connect, info, self.init(options), state, lines)
        };
        let running = match (start(state.as_deref()), &kept) {
            (Err(TelegrafError::Udf(Error::RestoreRefused(why))), Some(kept)) => {
                kept.unfit(&format!("the UDF refused the state: {why}"), shared)?;
                start(None)?
            }
            (running, kept) => {
                let running = running?;
                if let (Some(state), Some(kept)) = (state, kept) {
                    shared.log(&Event::Restored { path: kept.path(), bytes: state.len() });
                }
                running
            }
        };
        let saver = kept.map(|kept| Saver::new(kept, &running.udf, shared));
        self.serve(running, saver, windows, ends, shared)
    }

    fn init(&self, options: &[OptionCall]) -> Init {
        let (task_id, node_id) = ("telegraf".to_owned(), self.name.clone());
        Init { options: options.to_vec(), task_id, node_id }
    }

    /// Returns the windows for a UDF, if it wants batches.
    fn windows_of(&self, info: &Info) -> Result<Option<Windows>, TelegrafError> {
        match (info.wants, self.windows) {
            (EdgeType::Batch, None) => Err(TelegrafError::NoWindows),
            (EdgeType::Stream, Some(_)) => Err(TelegrafError::WindowsOfStream),
            (_, Some(Windows { every: ..=0, .. } | Windows { grace: ..0, .. })) => {
                Err(TelegrafError::BadWindows)
            }
            (_, windows) => Ok(windows),
        }
    }

    fn serve(
        &self,
        running: Running,
        saver: Option<Arc<Saver>>,
        windows: Option<Windows>,
        ends: Ends,
        shared: &Arc<Shared>,
    ) -> Result<Instant, TelegrafError> {
        let Running { udf, reports, received } = running;
        let target = match windows {
            None => Target::Stream(udf.point_in()?),
            Some(windows) => {
                let windows = Arc::new(Mutex::new(Gathering::new(windows)));
                Target::Windows(windows, udf.batch_in()?)
            }
        };
        // The clock stops when this is dropped.
        let (_ticking, until) = channel();
        if let Some(windows) = windows {
            start_clock(target.clone(), windows, until)?;
        }
        start_signals(ends.signal, reports.clone())?;
        let (cut, cutter) = io::pipe()?;
        // Nobody finishes a line on a terminal after Ctrl+C.
        let grace = if isatty(&ends.stdin) { Duration::ZERO } else { END_WITHIN };
        let ended = reports.clone();
        let stdin = Stdin::new(ends.stdin, cut, move || {
            let _ = ended.send(Report::StdinEnded);
        });
        let mut input = Input {
            lines: LineReader::new(stdin, self.grouping.clone())
                .source(self.database.clone(), self.retention_policy.clone())
                .clock(now)
                .drop_unfit(),
            target,
            grace: windows.map_or(Duration::ZERO, |windows| {
                Duration::from_nanos(windows.grace.unsigned_abs())
            }),
            keeps_original: self.keep_original,
            shared: Arc::clone(shared),
        };
        spawn("telegraf-in", move || {
            // After a panic, nobody would read stdin, and Telegraf would wait forever.
            let ended = catch_unwind(AssertUnwindSafe(|| input.run()));
            let panicked = Error::Panicked("reads stdin");
            let _ = reports.send(Report::InputEnded(ended.unwrap_or(Err(panicked.into()))));
        })?;
        let deadline = watch(&udf, saver.as_ref(), &received, (cutter, grace), shared)?;
        end::finish(udf, saver, deadline)?;
        Ok(deadline)
    }
}

/// A UDF that has accepted its options, and the reports about it.
struct Running {
    udf: Arc<dyn Interface>,
    reports: Sender<Report>,
    received: Receiver<Report>,
}

impl Running {
    /// Connects to the UDF, hands it its options and its state, and its data to the sink that
    /// `lines` makes.
    fn start(
        connect: Connect<'_>,
        info: &Info,
        init: Init,
        state: Option<&[u8]>,
        lines: impl FnOnce(Sender<Report>) -> Lines,
    ) -> Result<Self, TelegrafError> {
        let (reports, received) = channel();
        let udf: Arc<dyn Interface> = Arc::from(connect());
        udf.open()?;
        udf.data_to(info.provides, Box::new(lines(reports.clone())))?;
        let started = udf.init(init).and_then(|()| match state {
            Some(state) => udf.restore(state.to_vec()),
            None => Ok(()),
        });
        if let Err(error) = started {
            // The refusal says more than any later error of the connection.
            let _ = udf.close();
            return Err(match error {
                Error::InitRefused(why) => TelegrafError::Refused(why),
                error => error.into(),
            });
        }
        Ok(Running { udf, reports, received })
    }
}

/// Asks for the edges and options of the UDF. A UDF that has answered need not end in order.
fn describe(connect: Connect<'_>) -> Result<Info, Error> {
    let udf = connect();
    udf.open()?;
    let info = udf.info();
    let closed = udf.close();
    info.map_err(|error| closed.err().unwrap_or(error))
}

/// Waits until the UDF has got all input. Saves the state from time to time. Returns the time by
/// which the process must have ended.
///
/// After a signal and the grace period, the input is cut off.
fn watch(
    udf: &Arc<dyn Interface>,
    saver: Option<&Arc<Saver>>,
    reports: &Receiver<Report>,
    (cutter, grace): (io::PipeWriter, Duration),
    shared: &Shared,
) -> Result<Instant, TelegrafError> {
    let save = || saver.into_iter().for_each(Saver::start);
    let mut cutter = Some(cutter);
    let (mut cut_at, mut deadline) = (None, None);
    let mut save_at = Instant::now() + SAVE_EVERY;
    loop {
        let next = [cut_at, deadline].into_iter().flatten().fold(save_at, Instant::min);
        match reports.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Report::StdinEnded) => {
                deadline.get_or_insert_with(|| Instant::now() + END_WITHIN);
                cut_at = None;
            }
            Ok(Report::InputEnded(ended)) => match ended {
                Ok(()) => return Ok(deadline.unwrap_or_else(|| Instant::now() + END_WITHIN)),
                Err(TelegrafError::Udf(error)) => {
                    return Err(end::failure(Arc::clone(udf), error));
                }
                Err(error) => return Err(error),
            },
            Ok(Report::OutputEnded) => {
                return Err(end::failure(Arc::clone(udf), Error::ClosedEarly));
            }
            Ok(Report::Signal) if deadline.is_none() => {
                shared.log(&Event::Signal { saves_state: saver.is_some(), grace });
                save();
                cut_at = Some(Instant::now() + grace);
            }
            Ok(Report::Signal) => {}
            Err(_) if deadline.is_some_and(|at| at <= Instant::now()) => {
                return Err(TelegrafError::TooLate(END_WITHIN, "the UDF has not taken all input"));
            }
            Err(_) if cut_at.is_some_and(|at| at <= Instant::now()) => {
                if !grace.is_zero() {
                    shared.log(&Event::Cut);
                }
                (cut_at, deadline) = (None, Some(Instant::now() + END_WITHIN));
                cutter.take();
            }
            Err(_) => {
                save();
                save_at = Instant::now() + SAVE_EVERY;
            }
        }
    }
}

/// Ends windows by the clock, on a new thread, until the other end of `until` is dropped.
fn start_clock(target: Target, windows: Windows, until: Receiver<()>) -> io::Result<()> {
    let pause = Gathering::new(windows).pause();
    spawn("telegraf-clock", move || {
        // The thread that reads stdin, or the end of the connection, reports an error.
        while until.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
            && target.send_ended().is_ok()
        {}
    })
}

/// Reports when the signal has come.
fn start_signals(signal: OwnedFd, reports: Sender<Report>) -> io::Result<()> {
    spawn("telegraf-signal", move || {
        while poll(&mut [PollFd::from_borrowed_fd(signal.as_fd(), PollFlags::IN)], None)
            == Err(Errno::INTR)
        {}
        let _ = reports.send(Report::Signal);
    })
}
