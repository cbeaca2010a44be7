//! One thread, one source of random numbers, and a clock that moves when nothing else does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;
use udf_nats::Clock;

use crate::server::Server;

/// How often each fault happens, of 1000 calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The request is refused, without an effect.
    pub(crate) refused: u32,
    /// The request is lost.
    pub(crate) lost: u32,
    /// The request arrives when its sender has given it up.
    pub(crate) late: u32,
    /// The request arrives, and its answer is lost.
    pub(crate) unanswered: u32,
    /// The UDF dies.
    pub(crate) deaths: u32,
}

/// A call that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Without an effect.
    Refused,
    /// With an effect, or without, or with a later one.
    InDoubt,
}

/// What is on its way between a worker and the server.
type Packet = Box<dyn FnOnce()>;

pub(crate) struct Sim {
    rng: RefCell<Rng>,
    now: Cell<u64>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timer: Cell<u64>,
    network: RefCell<Vec<Packet>>,
    pub(crate) server: RefCell<Server>,
    pub(crate) faults: Cell<Faults>,
    pub(crate) traced: bool,
    /// The events of all workers, if they are kept.
    pub(crate) texts: RefCell<Option<Vec<String>>>,
    /// How often the present poll of a task has looked at the clock.
    pub(crate) looks: Cell<u32>,
}

impl Sim {
    pub(crate) fn new(seed: u64, traced: bool) -> Rc<Self> {
        Rc::new(Sim {
            rng: RefCell::new(Rng::with_seed(seed)),
            now: Cell::new(1_000_000_000),
            timers: RefCell::default(),
            timer: Cell::new(0),
            network: RefCell::default(),
            server: RefCell::default(),
            faults: Cell::default(),
            traced,
            texts: RefCell::default(),
            looks: Cell::new(0),
        })
    }

    pub(crate) fn trace(&self, text: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>9} us  {}", self.now.get() / 1000 - 1_000_000, text());
        }
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.rng.borrow_mut().u64(0..limit)
    }

    pub(crate) fn chance(&self, of_1000: u32) -> bool {
        self.rng.borrow_mut().u32(0..1000) < of_1000
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Delivers a packet. Returns false if there is none.
    pub(crate) fn deliver(&self) -> bool {
        let packet = {
            let mut network = self.network.borrow_mut();
            if network.is_empty() {
                return false;
            }
            let at = self.below(network.len() as u64) as usize;
            network.swap_remove(at)
        };
        packet();
        true
    }

    /// Moves the clock to the next timer. Returns false if there is none.
    pub(crate) fn advance(&self) -> bool {
        let Some((at, waker)) = self.timers.borrow_mut().pop_first() else { return false };
        self.now.set(self.now.get().max(at.0));
        waker.wake();
        true
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.network.borrow().is_empty()
    }

    /// Restarts the server: all packets are lost.
    pub(crate) fn restart_server(&self) {
        self.trace(|| "the server restarts".to_owned());
        // The senders wait until their timeouts.
        let packets = std::mem::take(&mut *self.network.borrow_mut());
        drop(packets);
        self.server.borrow_mut().generation += 1;
    }

    fn send(&self, packet: impl FnOnce() + 'static) {
        self.network.borrow_mut().push(Box::new(packet));
    }

    /// Calls the server. The effect happens there at some time, and the answer comes later.
    pub(crate) async fn call<T: 'static>(
        self: &Rc<Self>,
        effect: impl FnOnce(&mut Server) -> T + 'static,
    ) -> Result<T, Fault> {
        let faults = self.faults.get();
        if self.chance(faults.refused) {
            self.pause().await;
            return Err(Fault::Refused);
        }
        let slot: Rc<RefCell<Slot<T>>> = Rc::default();
        let is_answered = !self.chance(faults.unanswered);
        if !self.chance(faults.lost) {
            let (sim, slot) = (self.clone(), slot.clone());
            self.send(move || {
                let answer = effect(&mut sim.server.borrow_mut());
                if is_answered {
                    sim.send(move || {
                        let mut slot = slot.borrow_mut();
                        slot.answer = Some(answer);
                        if let Some(waker) = slot.waker.take() {
                            waker.wake();
                        }
                    });
                }
            });
        }
        let within = if self.chance(faults.late) { 0 } else { 5_000 };
        let mut timeout = std::pin::pin!(self.sleep_for(Duration::from_millis(within)));
        poll_fn(|cx| {
            let mut slot = slot.borrow_mut();
            if let Some(answer) = slot.answer.take() {
                return Poll::Ready(Ok(answer));
            }
            slot.waker = Some(cx.waker().clone());
            timeout.as_mut().poll(cx).map(|()| Err(Fault::InDoubt))
        })
        .await
    }

    /// Lets others go first.
    pub(crate) async fn pause(&self) {
        let mut is_first = true;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    pub(crate) async fn sleep_for(&self, time: Duration) {
        let until = self.now.get() + time.as_nanos() as u64;
        let mut timer = Timer { sim: self, key: None };
        poll_fn(|cx| {
            timer.forget();
            if self.now.get() >= until {
                return Poll::Ready(());
            }
            self.timer.set(self.timer.get() + 1);
            let key = (until, self.timer.get());
            self.timers.borrow_mut().insert(key, cx.waker().clone());
            timer.key = Some(key);
            Poll::Pending
        })
        .await;
    }
}

/// A timer of a task, which may be dropped before.
struct Timer<'a> {
    sim: &'a Sim,
    key: Option<(u64, u64)>,
}

impl Timer<'_> {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.sim.timers.borrow_mut().remove(&key);
        }
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

struct Slot<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot { answer: None, waker: None }
    }
}

/// The clock of a worker.
pub(crate) struct SimClock(pub(crate) Rc<Sim>);

impl Clock for SimClock {
    fn now(&self) -> i64 {
        self.0.now() as i64
    }

    fn elapsed(&self) -> Duration {
        self.0.looks.set(self.0.looks.get() + 1);
        assert!(self.0.looks.get() < 10_000, "the driver spins");
        Duration::from_nanos(self.0.now())
    }

    async fn sleep(&self, time: Duration) {
        self.0.sleep_for(time).await;
    }
}

/// Whether a task wants to be polled.
#[derive(Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.set(true);
    }
}
