//! Keeps Kapacitor hearing from connections whose handlers are busy.
//!
//! Kapacitor aborts a task when it hears nothing for its keepalive timeout, and any response counts, also
//! one that it did not ask for. One thread of the process looks at all connections several times a second;
//! on behalf of those that have been at work since the last look, in one call or in many, and have written
//! nothing, it sends a keepalive, and has them write what they have. While no connection is open, it sleeps.

use std::sync::{Arc, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::counters::Count;
use crate::link::{Link, Sign, lock};
use crate::pulse::Call;
use crate::sync::{Condvar, Instant, Mutex};

/// How often the connections are looked at: Kapacitor hears of a busy one at least every other look.
const LOOK: Duration = Duration::from_millis(70);

/// The log says that the other side does not read when it has not for this long.
const STALL: Duration = Duration::from_secs(10);

/// Watches a connection until it is dropped.
pub(crate) struct Watch {
    dog: &'static Dog,
    link: Arc<Link>,
}

impl Watch {
    /// Starts to watch. Kapacitor is kept hearing from a call that takes up to `budget`; none for ever.
    pub(crate) fn new(link: Arc<Link>, budget: Option<Duration>) -> Self {
        dog().watch(link, budget)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.dog.watched).retain(|watched| !Arc::ptr_eq(&watched.link, &self.link));
    }
}

/// The one of this process.
fn dog() -> &'static Dog {
    static DOG: OnceLock<Dog> = OnceLock::new();
    DOG.get_or_init(|| {
        let run = || {
            loop {
                dog().look();
                thread::sleep(LOOK);
            }
        };
        if let Err(error) = thread::Builder::new().name("watchdog".to_owned()).spawn(run) {
            tracing::error!("no thread for keepalives while handlers are busy: {error}");
        }
        Dog::default()
    })
}

/// Who watches.
#[derive(Default)]
pub(crate) struct Dog {
    watched: Mutex<Vec<Watched>>,
    changed: Condvar,
}

impl Dog {
    pub(crate) fn watch(&'static self, link: Arc<Link>, budget: Option<Duration>) -> Watch {
        lock(&self.watched).push(Watched::new(Arc::clone(&link), budget));
        self.changed.notify_one();
        Watch { dog: self, link }
    }

    /// Looks at each connection once; waits for one as long as there is none.
    pub(crate) fn look(&self) {
        let mut watched = lock(&self.watched);
        while watched.is_empty() {
            watched = self.changed.wait(watched).unwrap_or_else(PoisonError::into_inner);
        }
        let now = Instant::now();
        for watched in &mut *watched {
            watched.look(now);
        }
    }
}

/// What was seen of a connection.
struct Watched {
    link: Arc<Link>,
    budget: Option<Duration>,
    /// What was seen at the last look, if it was at work.
    seen: Option<Seen>,
    given_up: bool,
    /// How much had been written when writing was first seen to wait, and when that was.
    full: Option<(u64, Instant)>,
    stalled: bool,
}

/// A look at a connection that is at work.
struct Seen {
    at: Instant,
    /// How often it had come to rest: if that is the same at the next look, it was at work all the time.
    rests: u64,
    /// The number of the call, and for how long it has been seen without waiting for the other side.
    call: u64,
    busy: Duration,
    /// How much had been written.
    written: u64,
}

impl Watched {
    fn new(link: Arc<Link>, budget: Option<Duration>) -> Self {
        Watched { link, budget, seen: None, given_up: false, full: None, stalled: false }
    }

    fn look(&mut self, now: Instant) {
        // In this order: a rest behind the first is not missed at the next look.
        let rests = self.link.pulse.rests();
        let Some((number, call)) = self.link.pulse.present() else {
            self.recover();
            self.seen = None;
            return;
        };
        let written = self.link.counters.get(Count::BytesOut);
        let mut seen = Seen { at: now, rests, call: number, busy: Duration::ZERO, written };
        let before = self.seen.take();
        let before = before.filter(|before| before.call == number || before.rests == rests);
        // Whoever writes: the handler, or a thread of the author's.
        let is_writing = self.link.is_writing();
        let is_at_work = before.is_some();
        let lasts = before.as_ref().is_some_and(|before| before.call == number);
        let is_silent = before.as_ref().is_some_and(|before| before.written == written);
        if let Some(before) = before.filter(|_| lasts) {
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
            self.link.hurry();
        }
        if !lasts && !is_silent {
            return;
        }
        if self.budget.is_some_and(|budget| busy >= budget) && !is_writing {
            self.give_up(busy, number, call);
            return;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        match self.link.show_life(time as i64) {
            Sign::Sent => {
                self.link.counters.add(Count::Signs, 1);
                self.full = None;
            }
            Sign::Full => self.note_full(now),
            Sign::Gone => {}
        }
    }

    /// The handler has returned.
    fn recover(&mut self) {
        if std::mem::take(&mut self.given_up) {
            let (task, node) = self.link.pulse.task();
            tracing::warn!(task, node, "the handler that was given up has returned");
        }
        if std::mem::take(&mut self.stalled) {
            let (task, node) = self.link.pulse.task();
            tracing::info!(task, node, "the other side reads again");
        }
        self.full = None;
    }

    fn give_up(&mut self, busy: Duration, number: u64, call: Call) {
        if !std::mem::replace(&mut self.given_up, true) {
            let (task, node) = self.link.pulse.task();
            tracing::error!(
                task,
                node,
                "the handler hangs: `{call}`, call {number} of this connection, has not returned for {} s; \
                 Kapacitor is no longer told that it is alive, and will abort the task",
                busy.as_secs()
            );
        }
    }

    fn note_full(&mut self, now: Instant) {
        let written = self.link.counters.get(Count::BytesOut);
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
