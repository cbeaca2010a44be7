//! Keeps Kapacitor hearing from connections that are at work, and gives up those that it has left.
//!
//! Kapacitor aborts a task when it hears nothing for its keepalive timeout. Any response counts, also one that it
//! did not ask for. One thread of the process looks at all connections several times a second. A connection that
//! has been at work since the last look and has written nothing gets a keepalive, and is asked to write what it
//! has. A connection is at work in a call, in calls that follow each other, while input keeps coming, and while it
//! waits for the rest of a message or of a batch: within a batch, Kapacitor asks for no keepalive. While no
//! connection is open, the thread sleeps.
//!
//! When Kapacitor aborts a task, it reads the output of the UDF no more, finishes the message that it is writing,
//! and closes the input; then it waits for the end of the UDF, while it holds the lock of its tasks. A connection
//! whose input has ended and whose output does not move is therefore given up after a short while. So that the
//! message can be finished although nothing is handled, some input is read ahead while the output stands still.

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

/// How often the connections are looked at: Kapacitor hears of a busy one at least every other look.
const LOOK: Duration = Duration::from_millis(70);

/// The watchdog reads input ahead once the output has stood still for this long: of batches at every look from then
/// on, of a stream after twice as long each time.
const MAKE_WAY: Duration = Duration::from_secs(1);

/// A look waits no longer than this, in all, for more input that it reads ahead: other connections wait for their
/// turn meanwhile.
const AHEAD_WITHIN: Duration = Duration::from_millis(10);

/// The log says that the other side does not read when it has not for this long.
const STALL: Duration = Duration::from_secs(10);

/// For how long a connection is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchLimits {
    /// Kapacitor hears from a call, or from the wait for the rest of the input, for this long; none for ever.
    pub(crate) busy: Option<Duration>,
    /// The output may stand still for this long once the input has ended; none for ever.
    pub(crate) hangup: Option<Duration>,
    /// `stop` and the destructor of a handler may take this long once the input has ended.
    pub(crate) stop: Duration,
    /// Whether the input is batches: Kapacitor notices an abort only behind the end of one.
    pub(crate) reads_batches: bool,
}

/// Watches a connection until it is dropped.
pub(crate) struct Watch {
    watchdog: &'static Watchdog,
    link: Arc<Link>,
}

impl Watch {
    /// Starts to watch.
    ///
    /// # Errors
    /// When nobody watches, since there is no thread for it.
    pub(crate) fn new(
        link: Arc<Link>,
        transport: Box<dyn Transport>,
        limits: WatchLimits,
    ) -> io::Result<Self> {
        start()?;
        Ok(watchdog().watch(link, transport, limits))
    }

    /// Lets go of the writing side, when the connection has closed its own.
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

/// The one of this process.
fn watchdog() -> &'static Watchdog {
    static WATCHDOG: OnceLock<Watchdog> = OnceLock::new();
    WATCHDOG.get_or_init(Watchdog::default)
}

/// Starts the thread of this process that watches, unless it runs. A start that has failed can be tried again.
///
/// # Errors
/// When there is no thread for it.
pub(crate) fn start() -> io::Result<()> {
    static RUNS: std::sync::Mutex<bool> = std::sync::Mutex::new(false);
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    if *runs {
        return Ok(());
    }
    let run = || {
        loop {
            // Whatever panics on the way, a subscriber of the author's perhaps, the watch goes on.
            let _ = catch_unwind(|| watchdog().look());
            thread::sleep(LOOK);
        }
    };
    let started = thread::Builder::new().name("watchdog".to_owned()).spawn(run);
    started.map_err(shortage::of("the thread that sends keepalives could not be started"))?;
    *runs = true;
    Ok(())
}

/// Who watches.
#[derive(Default)]
pub(crate) struct Watchdog {
    watched: Mutex<Vec<Watched>>,
    changed: Condvar,
    /// How often it has looked. It orders nothing.
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

    /// Looks at each connection once; waits for one as long as there is none.
    pub(crate) fn look(&self) {
        let mut watched = lock(&self.watched);
        while watched.is_empty() {
            watched = self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner);
        }
        let (now, mut left) = (Instant::now(), AHEAD_WITHIN);
        // Each time, another one comes first: it may be the one that uses up the time.
        let first = self.looks.fetch_add(1, Ordering::Relaxed) % watched.len();
        let (last, first) = watched.split_at_mut(first);
        for watched in first.iter_mut().chain(last) {
            watched.look(now, &mut left);
        }
    }
}

/// What was seen of a connection.
struct Watched {
    link: Arc<Link>,
    transport: Box<dyn Transport>,
    limits: WatchLimits,
    /// How often input had come at the last look.
    reads: u64,
    /// What was seen at the last look, if it was at work.
    seen: Option<Seen>,
    given_up: bool,
    /// How much had been written when writing was first seen to wait, and when that was.
    full: Option<(u64, Instant)>,
    stalled: bool,
    stall: Option<Stall>,
    /// Whether it was given up because Kapacitor has left it.
    left: bool,
}

/// Output that waits and does not move.
struct Stall {
    /// How much the other side has read.
    read: u64,
    since: Instant,
    /// When the input was seen to have ended as well.
    ended: Option<Instant>,
    /// For how long it stands still before more input is read ahead.
    make_way: Duration,
}

/// A look at a connection that is at work.
struct Seen {
    at: Instant,
    /// How often it had come to rest: if that is the same at the next look, it was at work all the time.
    rests: u64,
    /// The number of the call; none while it waits for the rest of its input.
    call: Option<u64>,
    /// For how long that call, or that wait, has been seen without waiting for the other side to read.
    busy: Duration,
    /// How much had been written.
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

    /// Waits for more input that is read ahead for up to `left`, and takes from that what was used.
    fn look(&mut self, now: Instant, left: &mut Duration) {
        self.look_for_hangup(now, left);
        // In this order: a rest behind the first is not missed at the next look.
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
        // Whoever writes: the handler, or a thread of the author's.
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

    /// Looks after output that stands still: gives the connection up when its input has ended for too long.
    fn look_for_hangup(&mut self, now: Instant, left: &mut Duration) {
        let Some(limit) = self.limits.hangup else { return };
        let (unread, written) = (self.transport.unread(), self.link.written());
        let waits = unread > 0 || self.link.is_writing();
        // A call that has used up its budget may never write again, and a process may never end: Kapacitor waits
        // for both.
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
            // Before Init there is no message that Kapacitor would have to finish.
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
                    "Kapacitor has closed the input and has not read the output for {limit:?}: giving up, with \
                     output that was not delivered"
                );
            } else {
                tracing::error!(
                    task,
                    node,
                    "Kapacitor has closed the input, and `{}` has not returned for {limit:?}: giving up",
                    link.pulse.last_call()
                );
            }
        }));
    }

    /// It works again, or rests.
    fn recover(&mut self) {
        if std::mem::take(&mut self.given_up) {
            let (task, node) = self.link.pulse.task();
            tracing::warn!(task, node, "the connection that was given up goes on");
        }
        if std::mem::take(&mut self.stalled) {
            let (task, node) = self.link.pulse.task();
            tracing::info!(task, node, "the other side reads again");
        }
        self.full = None;
    }

    /// Sends no more signs of life for what has used up its budget.
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
                 Kapacitor is no longer told that it is alive, and will abort the task"
            ),
            None => tracing::error!(
                task,
                node,
                "the input stopped {busy} s ago within a message or a batch; \
                 Kapacitor is no longer told that the UDF is alive, and will abort the task"
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
                "the other side has not read for {} s: something behind this node blocks, and the UDF \
                 waits for it",
                STALL.as_secs()
            );
        }
    }
}
