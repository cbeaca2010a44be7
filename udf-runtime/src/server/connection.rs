//! The open connections of a server. Each one has its own thread.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::{Refusals, tell};
use super::{AnyAccepter, Limits, ServeError};
use crate::agent::agent_error::AgentError;
use crate::agent::allowance::{Allowance, Budget};
use crate::agent::counters::Count;
use crate::agent::error::panic_text;
use crate::agent::input::{Input, Source};
use crate::agent::linger::{LINGER, LINGER_AT_STOP, linger};
use crate::agent::metrics::{Counted, Metrics, Refused};
use crate::agent::rate_limit::RateLimit;
use crate::agent::service::{Ends, Opened, Service};
use crate::agent::shortage;
use crate::agent::stop::Stopping;
use crate::agent::sync::{Condvar, Mutex, MutexGuard, lock, thread};
use crate::agent::transport::Socket;

/// The time that connections have to end after they were shut down.
const CUT: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    limits: Limits,
    budget: Arc<Budget>,
    metrics: Metrics,
    stopping: Stopping,
    open: Mutex<Open>,
    changed: Condvar,
    /// Limits the warnings about connections without an Init, because any peer can cause them.
    late: Mutex<RateLimit>,
}

#[derive(Default)]
struct Open {
    /// The number of accepted connections, which is also the number of the last one.
    accepted: u64,
    streams: HashMap<u64, Arc<Source<UnixStream>>>,
    /// The number of connections that have done their work, and wait for the peer to close.
    lingering: usize,
}

impl Connections {
    pub(super) fn new(limits: Limits, metrics: Metrics, stopping: Stopping) -> Self {
        let budget = Budget::new(&limits, metrics.buffered());
        let (open, changed, late) = (Mutex::default(), Condvar::new(), Mutex::default());
        Connections { limits, budget, metrics, stopping, open, changed, late }
    }

    /// Serves a new connection, or refuses it.
    pub(super) fn open(
        self: &Arc<Self>,
        stream: UnixStream,
        accepter: &mut AnyAccepter,
        refusals: &mut Refusals,
    ) {
        if let Err(error) = stream.set_nonblocking(false) {
            tracing::error!("a connection was dropped: {error}");
            return;
        }
        let most = self.limits.connections;
        if lock(&self.open).streams.len() >= most {
            let reason =
                format!("the limit of {most} open connections is reached; raise --max-connections");
            return refusals.refuse(stream, Refused::Limit, &reason);
        }
        let service = match catch_unwind(AssertUnwindSafe(&mut *accepter)) {
            Ok(service) => service,
            Err(panic) => {
                let reason = format!("creating its handler panicked: {}", panic_text(&*panic));
                return refusals.refuse(stream, Refused::Panic, &reason);
            }
        };
        let stream =
            Source::new(stream, &Allowance::new(&self.budget, &self.limits, &self.stopping));
        let kept = Arc::clone(&stream);
        let number = {
            let mut open = lock(&self.open);
            open.accepted += 1;
            let number = open.accepted;
            open.streams.insert(number, Arc::clone(&stream));
            number
        };
        let mut closing = Closing { connections: Arc::clone(self), number, lingers: false };
        let run = move || {
            let mut counted = None;
            let served = catch_unwind(AssertUnwindSafe(|| {
                let span = tracing::error_span!(
                    "connection",
                    number,
                    task = tracing::field::Empty,
                    node = tracing::field::Empty
                );
                span.in_scope(|| serve(&stream, service, &mut closing, &mut counted));
            }));
            if let Err(panic) = served {
                fail(&stream, &panic_text(&*panic), &mut closing, counted);
            }
            // Drop these last: when `finish` sees the connection gone, nothing of it is left.
            drop(stream);
            drop(closing);
        };
        // If the thread cannot be started, the closure with the stream, its place and the handler
        // is dropped here. That drop may panic.
        let started = catch_unwind(AssertUnwindSafe(|| {
            thread::Builder::new().name(format!("connection-{number}")).spawn(run)
        }));
        if let Ok(Err(error)) = started
            && let Some(stream) = Arc::into_inner(kept)
        {
            let error = shortage::of("cannot start a thread for it")(error);
            refusals.refuse(stream.into_inner(), Refused::Thread, &error.to_string());
        }
    }

    /// Waits for the open connections to handle the requests that they have received.
    pub(super) fn finish(&self) -> Result<(), ServeError> {
        let (grace, begun) = (self.limits.shutdown, Instant::now());
        let is_done = |open: &Open| open.streams.len() == open.lingering;
        let open = self.wait(grace.min(LINGER_AT_STOP), is_done);
        // A connection without a task has little to finish. It may be blocked in a write.
        for stream in open.streams.values().filter(|stream| !stream.allowance().is_started()) {
            let _ = stream.get_ref().shutdown(Shutdown::Both);
        }
        drop(open);
        let open = self.wait(grace.saturating_sub(begun.elapsed()), is_done);
        let unfinished = open.streams.len() - open.lingering;
        drop(open);
        if unfinished > 0 {
            for stream in lock(&self.open).streams.values() {
                let _ = stream.get_ref().shutdown(Shutdown::Both);
            }
        }
        let limit = if unfinished > 0 { CUT } else { LINGER_AT_STOP };
        drop(self.wait(limit, |open| open.streams.is_empty()));
        match unfinished {
            0 => Ok(()),
            connections => Err(ServeError::Unfinished { connections, grace }),
        }
    }

    /// Waits until `is_so` returns true, but no longer than `limit`.
    fn wait(&self, limit: Duration, is_so: impl Fn(&Open) -> bool) -> MutexGuard<'_, Open> {
        let open = lock(&self.open);
        let waited = self.changed.wait_timeout_while(open, limit, |open| !is_so(open));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Removes a connection from the list when the connection ends for any reason.
struct Closing {
    connections: Arc<Connections>,
    number: u64,
    lingers: bool,
}

impl Closing {
    /// Marks the work of the connection as done: a stop no longer waits for it.
    fn linger(&mut self) {
        if self.lingers {
            return;
        }
        lock(&self.connections.open).lingering += 1;
        self.lingers = true;
        self.connections.changed.notify_all();
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let mut open = lock(&self.connections.open);
        open.streams.remove(&self.number);
        open.lingering -= usize::from(self.lingers);
        drop(open);
        self.connections.changed.notify_all();
    }
}

fn serve(
    stream: &Arc<Source<UnixStream>>,
    service: Box<dyn Service>,
    closing: &mut Closing,
    counted: &mut Option<Counted>,
) {
    let Connections { limits, metrics, stopping, late, .. } = &*closing.connections;
    let input = Input::new(Arc::clone(stream), stopping.clone());
    let output = WritingEnd { stream: Arc::clone(stream), is_limited: false };
    let ends = Ends {
        reader: Box::new(input),
        writer: Box::new(output),
        transport: Box::new(Socket(Arc::clone(stream))),
        stopping: stopping.clone(),
    };
    let Opened { link, run } = service.open(ends, limits, stream.allowance());
    *counted = Some(metrics.open(Arc::clone(&link)));
    let result = run();
    if result.as_ref().is_err_and(AgentError::is_overdue) {
        metrics.timed_out();
    }
    let totals = link.counters.totals();
    match &result {
        Ok(()) if link.pulse.is_started() => tracing::info!("the connection has ended: {totals}"),
        // These connections are frequent: Kapacitor opens one for each Info, and any peer can open
        // more. Log them at debug level only.
        Ok(()) => tracing::debug!("the connection has ended: {totals}"),
        Err(error @ AgentError::NoInit { .. }) => {
            let held_back = lock(late).pass();
            if let Some(held_back) = held_back {
                tracing::warn!("the connection was closed: {error}{held_back}");
            }
        }
        Err(error) => {
            tracing::error!("the connection has failed: {}: {totals}", error.told(&link));
        }
    }
    *counted = None;
    let has_stopped = stopping.is_asked();
    // Without a task, the peer has only asked for Info. A stop need not wait until the peer has
    // read the end of the output.
    if result.is_err() || (has_stopped && link.pulse.is_started()) {
        closing.linger();
        linger(stream.get_ref(), if has_stopped { LINGER_AT_STOP } else { LINGER });
    }
}

/// Handles a panic outside of the handler, for example in the author's subscriber or in this crate.
fn fail(stream: &Source<UnixStream>, panic: &str, closing: &mut Closing, counted: Option<Counted>) {
    let reason = format!("the connection panicked: {panic}");
    match counted {
        Some(counted) => counted.count(Count::Errors),
        None => closing.connections.metrics.fail(),
    }
    tell(stream.get_ref(), &reason);
    // Log last, because the log itself may have panicked.
    let _ = catch_unwind(|| tracing::error!("the connection has failed: {reason}"));
    closing.linger();
    linger(stream.get_ref(), LINGER);
}

/// The writing side of a socket, which is shut down on drop. Until Init, a write may block only as
/// long as a read.
struct WritingEnd {
    stream: Arc<Source<UnixStream>>,
    is_limited: bool,
}

impl Write for WritingEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.stream.get_ref();
        let due = self.stream.allowance().until_init();
        if due.is_some() || self.is_limited {
            // After the deadline, write as much as there is room for.
            let left = due.as_ref().map(|(left, _)| (*left).max(Duration::from_millis(1)));
            stream.set_write_timeout(left)?;
            self.is_limited = due.is_some();
        }
        match (stream.write(bytes), due) {
            (Err(error), Some((_, overdue))) if error.kind() == ErrorKind::WouldBlock => {
                Err(io::Error::new(ErrorKind::TimedOut, overdue))
            }
            (written, _) => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WritingEnd {
    fn drop(&mut self) {
        // After a panic, the socket must stay open: `fail` still sends the error to the peer.
        if !std::thread::panicking() {
            // This fails if the peer has closed the connection already.
            let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        }
    }
}
