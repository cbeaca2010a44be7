//! Sends keepalives for busy connections, and closes connections that Kapacitor has abandoned.
//!
//! Kapacitor aborts a task if it receives nothing for its keepalive timeout. Any response counts,
//! including an unsolicited one. One thread of the process checks all connections several times per
//! second. If a connection was busy since the last check and has written nothing, the watchdog
//! sends a keepalive and requests a flush. A connection is busy in a call, in calls that follow
//! each other, while input keeps arriving, and while it waits for the rest of a message or of a
//! batch: within a batch, Kapacitor does not request keepalives. The thread sleeps while no
//! connection is open.
//!
//! When Kapacitor aborts a task, it stops reading the output of the UDF, finishes the message that
//! it is writing, and closes the input. Then it waits for the UDF to end while it holds the lock of
//! its tasks. The watchdog therefore closes a connection if the input has ended and the output is
//! stuck for a short time. While the output is stuck, the watchdog reads some input ahead, so that
//! Kapacitor can finish its message although no thread handles it.

use std::io;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::agent::counters::Count;
use crate::agent::link::{Link, Sign};
use crate::agent::pulse::Call;
use crate::agent::shortage;
use crate::agent::sync::{Condvar, Instant, Mutex, lock};
use crate::agent::transport::Transport;

/// The interval of checks. A busy connection sends something at least every other check.
const LOOK: Duration = Duration::from_millis(70);

/// The watchdog reads input ahead after the output was stuck for this time. It reads batches at
/// every check from then on. It reads a stream after twice the time in each step.
const MAKE_WAY: Duration = Duration::from_secs(1);

/// The maximum time that one check waits for more read-ahead, over all connections. Other
/// connections are not checked meanwhile.
const AHEAD_WITHIN: Duration = Duration::from_millis(10);

/// The time without a read by the peer after which the log reports it.
const STALL: Duration = Duration::from_secs(10);

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchLimits {
    /// The maximum duration of a call, or of a wait for the rest of the input, for which keepalives
    /// are sent. `None` is no limit.
    pub(crate) busy: Option<Duration>,
    /// The time that the output may be stuck after the input has ended. `None` is no limit.
    pub(crate) hangup: Option<Duration>,
    /// The time that `stop` and the destructor of a handler may take after the input has ended.
    pub(crate) stop: Duration,
    /// Whether the input is batches: Kapacitor notices an abort only after the end of a batch.
    pub(crate) reads_batches: bool,
}

/// Watches a connection until it is dropped.
pub(crate) struct Watch {
    watchdog: &'static Watchdog,
    link: Arc<Link>,
}

impl Watch {
    /// Starts to watch a connection.
    ///
    /// # Errors
    /// Returns an error if the watchdog's thread cannot be started.
    pub(crate) fn new(
        link: Arc<Link>,
        transport: Box<dyn Transport>,
        limits: WatchLimits,
    ) -> io::Result<Self> {
        start()?;
        Ok(watchdog().watch(link, transport, limits))
    }

    /// Releases the writing side, after the connection has closed its own.
    pub(crate) fn close_output(&self) {
        let mut watched = lock(&self.watchdog.watched);
        let watched = watched.iter_mut().find(|watched| Arc::ptr_eq(&watched.link, &self.link));
        if let Some(watched) = watched {
            watched.transport.close_output();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.watchdog.watched).retain(|watched| !Arc::ptr_eq(&watched.link, &self.link));
    }
}

/// Returns the watchdog of this process.
fn watchdog() -> &'static Watchdog {
    static WATCHDOG: OnceLock<Watchdog> = OnceLock::new();
    WATCHDOG.get_or_init(Watchdog::default)
}

/// Starts the watchdog's thread of this process, unless it is running. You can retry after an
/// error.
///
/// # Errors
/// Returns an error if the thread cannot be started.
pub(crate) fn start() -> io::Result<()> {
    static RUNS: std::sync::Mutex<bool> = std::sync::Mutex::new(false);
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    if *runs {
        return Ok(());
    }
    let run = || {
        loop {
            // The watchdog must survive any panic, for example in the author's subscriber.
            let _ = catch_unwind(|| watchdog().look());
            thread::sleep(LOOK);
        }
    };
    let started = thread::Builder::new().name("watchdog".to_owned()).spawn(run);
    started.map_err(shortage::of("cannot start the thread that sends keepalives"))?;
    *runs = true;
    Ok(())
}

/// The watchdog and the connections that it watches.
#[derive(Default)]
pub(crate) struct Watchdog {
    watched: Mutex<Vec<Watched>>,
    changed: Condvar,
    /// The number of checks. Relaxed order suffices: only the watchdog's own thread uses it.
    looks: AtomicUsize,
}

impl Watchdog {
    pub(crate) fn watch(
        &'static self,
        link: Arc<Link>,
        transport: Box<dyn Transport>,
        limits: WatchLimits,
    ) -> Watch {
        lock(&self.watched).push(Watched::new(Arc::clone(&link), transport, limits));
        self.changed.notify_one();
        Watch { watchdog: self, link }
    }

    /// Checks each connection once. Blocks while there is none.
    pub(crate) fn look(&self) {
        let mut watched = lock(&self.watched);
        while watched.is_empty() {
            watched = self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner);
        }
        let (now, mut left) = (Instant::now(), AHEAD_WITHIN);
        // Rotate the first connection, because the first one may use up the time for read-ahead.
        let first = self.looks.fetch_add(1, Ordering::Relaxed) % watched.len();
        let (last, first) = watched.split_at_mut(first);
        for watched in first.iter_mut().chain(last) {
            watched.look(now, &mut left);
        }
    }
}

/// A connection with the observations of earlier checks.
struct Watched {
    link: Arc<Link>,
    transport: Box<dyn Transport>,
    limits: WatchLimits,
    /// The number of reads at the last check.
    reads: u64,
    /// The observation of the last check, if the connection was busy.
    seen: Option<Seen>,
    given_up: bool,
    /// The number of bytes written when the output was first seen blocked, and the time of that
    /// check.
    full: Option<(u64, Instant)>,
    stalled: bool,
    stall: Option<Stall>,
    /// Whether the connection was closed because Kapacitor has abandoned it.
    left: bool,
}

/// Output that is blocked and makes no progress.
struct Stall {
    /// The number of bytes that the peer has read.
    read: u64,
    since: Instant,
    /// The time at which the end of the input was observed as well.
    ended: Option<Instant>,
    /// The time without progress before more input is read ahead.
    make_way: Duration,
}

/// An observation of a busy connection.
struct Seen {
    at: Instant,
    /// The number of rests. If the next check sees the same number, the connection was busy all the
    /// time.
    rests: u64,
    /// The number of the call. `None` while the connection waits for the rest of its input.
    call: Option<u64>,
    /// The observed duration of that call or wait, without the time that a write was blocked.
    busy: Duration,
    /// The number of bytes written.
    written: u64,
}

impl Watched {
    fn new(link: Arc<Link>, transport: Box<dyn Transport>, limits: WatchLimits) -> Self {
        Watched {
            link,
            transport,
            limits,
            reads: 0,
            seen: None,
            given_up: false,
            full: None,
            stalled: false,
            stall: None,
            left: false,
        }
    }

    /// Checks the connection. Waits up to `left` for more read-ahead, and subtracts the time used.
    fn look(&mut self, now: Instant, left: &mut Duration) {
        self.look_for_hangup(now, left);
        // The rests must be read first: a rest after that read then shows at the next check.
        let pulse = &self.link.pulse;
        let (rests, reads, call) = (pulse.rests(), pulse.reads(), pulse.present());
        let has_read = std::mem::replace(&mut self.reads, reads) != reads;
        if call.is_none() && !has_read && !pulse.is_within_input() {
            self.recover();
            self.seen = None;
            return;
        }
        let written = self.link.counters.get(Count::BytesOut);
        let number = call.map(|(number, _)| number);
        let mut seen = Seen { at: now, rests, call: number, busy: Duration::ZERO, written };
        let before = self.seen.take();
        let before =
            before.filter(|before| has_read || before.rests == rests || before.call == number);
        // The writer may be the handler or another thread of the author.
        let is_writing = self.link.is_writing();
        let is_at_work = before.is_some();
        let is_silent = before.as_ref().is_some_and(|before| before.written == written);
        let lasting =
            before.filter(|before| before.call == number && (number.is_some() || !has_read));
        let lasts = lasting.is_some();
        if let Some(before) = lasting {
            seen.busy = before.busy;
            if !is_writing {
                seen.busy += now.duration_since(before.at);
            }
        } else {
            self.recover();
        }
        let busy = seen.busy;
        self.seen = Some(seen);
        if is_at_work {
            self.link.request_flush();
        }
        if !lasts && !is_silent {
            return;
        }
        if self.limits.busy.is_some_and(|budget| busy >= budget) && !is_writing {
            self.fall_silent(busy, call);
            return;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        match self.link.show_life(time as i64, || self.transport.has_room()) {
            Sign::Sent => {
                self.link.counters.add(Count::Signs, 1);
                self.full = None;
            }
            Sign::Full => self.note_full(now),
            Sign::Gone => {}
        }
    }

    /// Checks for stuck output, and closes the connection if its input ended too long ago.
    fn look_for_hangup(&mut self, now: Instant, left: &mut Duration) {
        let Some(limit) = self.limits.hangup else { return };
        let (unread, written) = (self.transport.unread(), self.link.written());
        let waits = unread > 0 || self.link.is_writing();
        // A call that exceeded its budget may never write again, and a process may never exit.
        // Kapacitor waits for both.
        let hangs = self.given_up || (self.link.is_closed() && self.transport.is_waited_for());
        if self.left || !(waits || hangs) {
            self.stall = None;
            return;
        }
        let limit = if self.link.is_closed() { limit.max(self.limits.stop) } else { limit };
        let read = written.saturating_sub(unread);
        let begun = Stall { read, since: now, ended: None, make_way: MAKE_WAY };
        let mut stall = self.stall.take().filter(|stall| stall.read == read).unwrap_or(begun);
        if !self.transport.has_hung_up() {
            stall.ended = None;
            // Before Init, Kapacitor has no message to finish.
            let has_started = self.link.pulse.is_started();
            if has_started && now.duration_since(stall.since) >= stall.make_way {
                if !self.limits.reads_batches {
                    stall.make_way = stall.make_way.saturating_mul(2);
                }
                self.transport.make_way(left);
            }
            self.stall = Some(stall);
            return;
        }
        let ended = *stall.ended.get_or_insert(now);
        if now.duration_since(ended) < limit {
            self.stall = Some(stall);
            return;
        }
        self.left = true;
        let link = Arc::clone(&self.link);
        self.transport.give_up(Box::new(move || {
            let (task, node) = link.pulse.task();
            if waits {
                tracing::error!(
                    task,
                    node,
                    "abandoning the connection: Kapacitor closed the input and has not read the output \
                     for {limit:?}; undelivered output is lost"
                );
            } else {
                tracing::error!(
                    task,
                    node,
                    "abandoning the connection: Kapacitor closed the input, and `{}` has not returned for {limit:?}",
                    link.pulse.present().map_or_else(|| link.pulse.last_call(), |(_, call)| call)
                );
            }
        }));
    }

    /// Resets the reports, because the connection makes progress again or is idle.
    fn recover(&mut self) {
        if std::mem::take(&mut self.given_up) {
            let (task, node) = self.link.pulse.task();
            tracing::warn!(task, node, "the connection makes progress again; sending keepalives");
        }
        if std::mem::take(&mut self.stalled) {
            let (task, node) = self.link.pulse.task();
            tracing::info!(task, node, "the peer reads again");
        }
        self.full = None;
    }

    /// Stops sending keepalives for a call or a wait that has exceeded its budget.
    fn fall_silent(&mut self, busy: Duration, call: Option<(u64, Call)>) {
        if std::mem::replace(&mut self.given_up, true) {
            return;
        }
        let (task, node) = self.link.pulse.task();
        let busy = busy.as_secs();
        match call {
            Some((number, call)) => tracing::error!(
                task,
                node,
                "the handler hangs: `{call}`, call {number} of this connection, has not returned for {busy} s; \
                 sending no more keepalives, so Kapacitor will abort the task"
            ),
            None => tracing::error!(
                task,
                node,
                "the input stopped {busy} s ago within a message or a batch; \
                 sending no more keepalives, so Kapacitor will abort the task"
            ),
        }
    }

    fn note_full(&mut self, now: Instant) {
        let written = self.link.written();
        let since = match self.full {
            Some((before, since)) if before == written => since,
            _ => now,
        };
        self.full = Some((written, since));
        if now.duration_since(since) >= STALL && !std::mem::replace(&mut self.stalled, true) {
            let (task, node) = self.link.pulse.task();
            tracing::warn!(
                task,
                node,
                "the peer has not read the output for {} s: a node after this one blocks, and the UDF waits for it",
                STALL.as_secs()
            );
        }
    }
}
