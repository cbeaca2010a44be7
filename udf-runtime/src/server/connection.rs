//! The open connections of a server, each on a thread of its own.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::refusal::{Refusals, tell};
use super::{Accepter, Limits, ServeError};
use crate::agent::agent_error::AgentError;
use crate::agent::allowance::{Allowance, Budget};
use crate::agent::counters::Count;
use crate::agent::error::panic_text;
use crate::agent::handler::Handler;
use crate::agent::input::{Input, Source};
use crate::agent::linger::{LINGER, LINGER_AT_STOP, linger};
use crate::agent::metrics::{Counted, Metrics, Refused};
use crate::agent::rate_limit::RateLimit;
use crate::agent::run::Agent;
use crate::agent::shortage;
use crate::agent::stop::Stopping;
use crate::agent::sync::{Condvar, Mutex, MutexGuard, lock, thread};
use crate::agent::transport::Socket;

/// How long connections have to end after they were cut.
const CUT: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    limits: Limits,
    budget: Arc<Budget>,
    metrics: Metrics,
    stopping: Stopping,
    open: Mutex<Open>,
    changed: Condvar,
    /// Warnings of connections without an Init: any peer can cause them.
    late: Mutex<RateLimit>,
}

#[derive(Default)]
struct Open {
    /// How many were accepted; also the number of the last one.
    accepted: u64,
    streams: HashMap<u64, Arc<Source<UnixStream>>>,
    /// How many of them have done their work, and wait for the other side to close.
    lingering: usize,
}

impl Connections {
    pub(super) fn new(limits: Limits, metrics: Metrics, stopping: Stopping) -> Self {
        let budget = Budget::new(&limits, metrics.buffered());
        let (open, changed, late) = (Mutex::default(), Condvar::new(), Mutex::default());
        Connections { limits, budget, metrics, stopping, open, changed, late }
    }

    /// Serves one more connection, unless that is refused.
    pub(super) fn open(
        self: &Arc<Self>,
        stream: UnixStream,
        accepter: &mut impl Accepter,
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
        let handler = match catch_unwind(AssertUnwindSafe(|| accepter.accept())) {
            Ok(handler) => handler,
            Err(panic) => {
                let reason =
                    format!("its handler panicked when it was made: {}", panic_text(&*panic));
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
                span.in_scope(|| serve(&stream, handler, &mut closing, &mut counted));
            }));
            if let Err(panic) = served {
                fail(&stream, &panic_text(&*panic), &mut closing, counted);
            }
            // At the end of all: whoever waits for it finds nothing left behind.
            drop(stream);
            drop(closing);
        };
        // Without a thread, the stream, its place and the handler are dropped here, and a drop may panic.
        let started = catch_unwind(AssertUnwindSafe(|| {
            thread::Builder::new().name(format!("connection-{number}")).spawn(run)
        }));
        if let Ok(Err(error)) = started
            && let Some(stream) = Arc::into_inner(kept)
        {
            let error = shortage::of("no thread could be started for it")(error);
            refusals.refuse(stream.into_inner(), Refused::Thread, &error.to_string());
        }
    }

    /// Waits for the open connections, which finish what they have received.
    pub(super) fn finish(&self) -> Result<(), ServeError> {
        let grace = self.limits.shutdown;
        let open = self.wait(grace, |open| open.streams.len() == open.lingering);
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

    /// Waits until that is so, but not for longer than `limit`.
    fn wait(&self, limit: Duration, is_so: impl Fn(&Open) -> bool) -> MutexGuard<'_, Open> {
        let open = lock(&self.open);
        let waited = self.changed.wait_timeout_while(open, limit, |open| !is_so(open));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Takes a connection off the list when it ends, however it does.
struct Closing {
    connections: Arc<Connections>,
    number: u64,
    lingers: bool,
}

impl Closing {
    /// The connection has done its work: a stop need not wait for it any more.
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
    handler: impl Handler,
    closing: &mut Closing,
    counted: &mut Option<Counted>,
) {
    let Connections { limits, metrics, stopping, late, .. } = &*closing.connections;
    let input = Input::new(Arc::clone(stream), stopping.clone());
    let output = WritingEnd { stream: Arc::clone(stream), is_limited: false };
    let agent = Agent::new(input, output, handler).limits(
        limits,
        Socket(Arc::clone(stream)),
        stream.allowance(),
    );
    let link = agent.link();
    *counted = Some(metrics.open(Arc::clone(&link)));
    let result = agent.run();
    if result.as_ref().is_err_and(AgentError::is_overdue) {
        metrics.timed_out();
    }
    let totals = link.counters.totals();
    match &result {
        Ok(()) if link.pulse.is_started() => tracing::info!("the connection has ended: {totals}"),
        // Kapacitor asks for Info again and again, and whoever else connects can do so as often as it likes.
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
    // Without a task, nothing but Info was asked: a stop need not wait until the other side has read its end.
    if result.is_err() || (has_stopped && link.pulse.is_started()) {
        closing.linger();
        linger(stream.get_ref(), if has_stopped { LINGER_AT_STOP } else { LINGER });
    }
}

/// Something has panicked that is not the handler: a subscriber of the author's, or this crate.
fn fail(stream: &Source<UnixStream>, panic: &str, closing: &mut Closing, counted: Option<Counted>) {
    let reason = format!("the connection panicked: {panic}");
    match counted {
        Some(counted) => counted.count(Count::Errors),
        None => closing.connections.metrics.fail(),
    }
    tell(stream.get_ref(), &reason);
    // Last: it may be the log that panics.
    let _ = catch_unwind(|| tracing::error!("the connection has failed: {reason}"));
    closing.linger();
    linger(stream.get_ref(), LINGER);
}

/// The writing side of a socket, which is closed when this is dropped. Until Init, a write waits for the other
/// side no longer than a read.
struct WritingEnd {
    stream: Arc<Source<UnixStream>>,
    is_limited: bool,
}

impl Write for WritingEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.stream.get_ref();
        let due = self.stream.allowance().until_init();
        if due.is_some() || self.is_limited {
            // What is overdue already is written as far as there is room.
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
        // Whoever catches the panic still has to tell the other side.
        if !std::thread::panicking() {
            // It fails when the other side has gone already.
            let _ = self.stream.get_ref().shutdown(Shutdown::Write);
        }
    }
}
