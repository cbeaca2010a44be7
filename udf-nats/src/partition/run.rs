//! One run of a partition: from the start of its UDF until another worker is faster, the UDF ends,
//! or the worker leaves.
//!
//! Input is read ahead, a few chunks are in the UDF or wait for the log, and appends follow
//! each other. All of it happens in one task:
//!
//! ```text
//! pull -> pending -> UDF (in flight) -> ready -> append -> acknowledged -> snapshot
//! ```

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{Fuse, FusedFuture as _};
use tokio::sync::watch;

use super::append::{Piece, append, cut};
use super::error::{PartitionError, Stop};
use super::event::Event;
use super::pull::{Pulled, Skipped, pull};
use super::register::{Store, Stored};
use super::search::{Death, Search};
use super::shared::arm;
use super::ticks::Ticks;
use super::{Context, Counters, Settings};
use crate::log::{Clock, Log, Message};
use crate::mark::Mark;
use crate::udf::{Output, Udf, UdfError};

/// A chunk in the UDF.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) from: u64,
    pub(super) upto: u64,
    /// Whether its output is in the log.
    pub(super) is_replay: bool,
    pub(super) messages: usize,
    /// Its only message, if the UDF gets one message at a time.
    pub(super) message: Option<u64>,
}

/// A chunk whose output waits for the log.
#[derive(Debug)]
pub(super) struct Ready {
    upto: u64,
    pieces: std::vec::IntoIter<Piece>,
    /// The number of lines up to `upto`.
    total: u64,
    /// The number of lines in `pieces`.
    lines: u64,
    snapshot: Option<Bytes>,
}

/// A position in the input, and the number of lines up to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) seq: u64,
    pub(super) lines: u64,
}

/// The state of a run. Positions are sequences of the input.
#[derive(Debug)]
pub(super) struct Run<'a, L, U, C> {
    pub(super) context: Context<'a, L, C>,
    pub(super) settings: &'a Settings,
    pub(super) counters: &'a Counters,
    pub(super) udf: &'a mut U,
    pub(super) search: &'a mut Search,
    pub(super) leave: watch::Receiver<bool>,
    /// A limit of messages that is lower than that of the log.
    pub(super) limit: usize,
    pub(super) stored: Stored,
    /// The sequence of the last output message.
    pub(super) expected: u64,
    /// The input up to here was read.
    pub(super) read: u64,
    pub(super) skipped: Skipped,
    pub(super) pending: VecDeque<Message>,
    pub(super) pending_bytes: usize,
    pub(super) pending_upto: u64,
    /// The input up to here was handed to the UDF.
    pub(super) fed: u64,
    /// The input up to here was handled by the UDF.
    pub(super) done: u64,
    /// The output of the input up to here is in the log.
    pub(super) acked: u64,
    /// The input up to here is replayed without output.
    pub(super) replay: u64,
    /// When the replay has begun, until it has ended.
    pub(super) begun: Option<Duration>,
    /// The last mark of the output at the start.
    pub(super) mark: Mark,
    /// The number of lines up to `done`, since the beginning of the input.
    pub(super) total: u64,
    /// The number of lines behind `done` that are in the log.
    pub(super) skip: u64,
    pub(super) in_flight: VecDeque<Flight>,
    pub(super) ready: VecDeque<Ready>,
    /// A snapshot whose output is in the log, with its position.
    pub(super) snapshot: Option<(Position, Option<Bytes>)>,
    pub(super) snapshot_due: Duration,
    /// The bytes of input since the last snapshot.
    pub(super) bytes_since: u64,
    /// Whether the UDF has got input since the last snapshot.
    pub(super) is_dirty: bool,
    /// Whether the UDF has handled a line since the register was last stored.
    pub(super) has_handled: bool,
    /// Whether a snapshot is under way.
    pub(super) is_asked: bool,
    pub(super) has_asked_last: bool,
    pub(super) ticks: Option<Ticks>,
}

impl<L: Log, U: Udf, C: Clock> Run<'_, L, U, C> {
    /// Handles input until the worker leaves.
    pub(super) async fn drive(mut self) -> Result<(), Stop> {
        let (context, settings) = (self.context, self.settings);
        let (Context { log, clock, .. }, mut leave) = (context, self.leave.clone());
        let mut pulling = pin!(Fuse::terminated());
        let mut appending = pin!(Fuse::terminated());
        let mut storing = pin!(Fuse::terminated());
        let mut ticking = pin!(Fuse::terminated());
        let mut timer = pin!(Fuse::terminated());
        let mut timer_at = None;
        let mut input = None;
        let mut is_reading = true;
        loop {
            let is_leaving = *leave.borrow() || leave.has_changed().is_err();
            // First: chunks that are done make room for others.
            if appending.is_terminated()
                && let Some(piece) = self.next_piece()
            {
                appending.set(append(context, settings.partition, piece, self.expected).fuse());
            }
            while let Some(chunk) = self.next_chunk(is_leaving) {
                self.udf.feed(chunk);
            }
            if storing.is_terminated()
                && let Some((position, state)) = self.snapshot.take()
            {
                let (mut base, output) = (self.stored.clone(), self.expected);
                if mem::take(&mut self.has_handled) {
                    base.register.poison_in_a_row = 0;
                }
                let (store, skipped) = (Store { context, settings }, mem::take(&mut self.skipped));
                storing.set(keep(store, base, (position, output, skipped), state).fuse());
            }
            let is_idle = self.in_flight.is_empty() && self.ready.is_empty();
            if is_leaving && is_idle && storing.is_terminated() {
                return Ok(());
            }
            if is_reading && !is_leaving && self.pending_bytes < 2 * settings.chunk_bytes {
                is_reading = false;
                pulling.set(pull(context, input.take(), self.read, settings.skip_lost).fuse());
            }
            if !is_leaving
                && ticking.is_terminated()
                && let Some(time) = self.ticks.as_mut().and_then(|ticks| ticks.take(clock))
            {
                ticking.set(log.append_tick(time).fuse());
            }
            let due = if is_leaving { None } else { self.due(ticking.is_terminated()) };
            arm(timer.as_mut(), &mut timer_at, due, |due| {
                clock.sleep(due.saturating_sub(clock.elapsed()))
            });

            tokio::select! {
                biased;
                appended = &mut appending, if !appending.is_terminated() => {
                    self.appended(appended?);
                }
                output = self.udf.output(), if !self.in_flight.is_empty() => {
                    self.take_output(output)?;
                }
                stored = &mut storing, if !storing.is_terminated() => {
                    self.kept(stored?);
                }
                pulled = &mut pulling, if !pulling.is_terminated() => {
                    let Pulled { input: open, batch, after } = pulled?;
                    (input, is_reading) = (Some(open), true);
                    self.take_batch(after, batch);
                }
                // A tick that was not appended is followed by the next one.
                _ = &mut ticking, if !ticking.is_terminated() => {}
                () = &mut timer, if !timer.is_terminated() => {}
                _ = leave.changed(), if !is_leaving => {}
            }
        }
    }

    /// Returns when a tick or a snapshot is due. While chunks are on their way, their ends lead to
    /// the next snapshot.
    fn due(&self, may_tick: bool) -> Option<Duration> {
        let tick = self.ticks.as_ref().filter(|_| may_tick).map(|ticks| ticks.due);
        let is_idle = self.in_flight.is_empty() && self.ready.is_empty();
        let has_news = self.is_dirty || self.acked > self.stored.register.seq;
        let waits = is_idle && has_news && !self.is_asked;
        tick.into_iter().chain(waits.then_some(self.snapshot_due)).min()
    }

    fn take_output(&mut self, output: Result<Output, UdfError>) -> Result<(), Stop> {
        let Flight { from, upto, is_replay, messages, message } =
            self.in_flight.pop_front().expect("a chunk is in flight");
        let output = output.map_err(|error| match error {
            UdfError::Ended { why, line } => {
                let (done, fed) = (self.done, self.fed);
                Stop::Udf(Death { why, done, fed, message, line })
            }
            UdfError::Refused(why) => PartitionError::Refused(why).into(),
        })?;
        self.done = upto;
        self.search.done(upto);
        self.has_handled |= output.lines_in > 0;
        let Output { lines, snapshot, .. } = output;
        let count = lines.len() as u64;
        let (mut pieces, mut new) = (Vec::new(), 0);
        if is_replay {
            self.skip = self.skip.saturating_sub(count);
        } else {
            self.end_replay();
            self.counters.messages_in.add(messages as u64);
            self.counters.lines_in.add(output.lines_in);
            self.note_left_out(&output.left_out);
            let skipped = self.skip.min(count);
            (self.skip, new) = (self.skip - skipped, count - skipped);
            let (total, poison) = (self.total, self.stored.register.version);
            let from = Mark { upto: from, total, lines: 0, poison };
            let limit = self.limit.min(self.context.log.max_payload());
            pieces = cut(lines, skipped as usize, (from, upto), limit, |bytes| {
                self.counters.unwritable.add(1);
                self.context.report.event(&Event::LineTooLong { bytes, limit });
            });
        }
        self.total += count;
        let (pieces, total) = (pieces.into_iter(), self.total);
        self.ready.push_back(Ready { upto, pieces, total, lines: new, snapshot });
        Ok(())
    }

    /// Ends the replay, if it has not ended before.
    fn end_replay(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        let within = self.context.clock.elapsed().saturating_sub(begun);
        self.context.report.event(&Event::Replayed { within });
        if self.total != self.mark.total {
            let (before, now) = (self.mark.total, self.total);
            self.context.report.event(&Event::Differs { before, now });
            (self.total, self.skip) = (self.mark.total, self.mark.lines);
        }
    }

    /// Returns the next message to append. Chunks without one are done.
    fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let front = self.ready.front_mut()?;
            if let Some(piece) = front.pieces.next() {
                return Some(piece);
            }
            let Ready { upto, total, lines, snapshot, .. } = self.ready.pop_front()?;
            self.acked = upto;
            self.counters.position.set(upto.max(self.counters.position.get()));
            self.counters.lines_out.add(lines);
            if let Some(state) = snapshot {
                let position = Position { seq: upto, lines: total };
                self.snapshot = Some((position, Some(state)));
            }
        }
    }

    fn appended(&mut self, seq: u64) {
        self.expected = seq;
        self.counters.messages_out.add(1);
    }

    fn kept(&mut self, stored: Stored) {
        let register = &stored.register;
        let bytes = register.state.as_ref().map_or(0, |state| state.bytes);
        self.counters.stored.set(register.seq);
        self.counters.state_bytes.set(bytes);
        if stored.register.state != self.stored.register.state {
            self.context.report.event(&Event::Stored { seq: register.seq, bytes });
        }
        self.stored = stored;
        self.is_asked = false;
        self.snapshot_due = self.context.clock.elapsed() + self.settings.snapshot_every;
    }
}

/// Stores a snapshot, unless input was lost before it.
async fn keep<L: Log, C: Clock>(
    store: Store<'_, L, C>,
    base: Stored,
    (position, output, skipped): (Position, u64, Skipped),
    state: Option<Bytes>,
) -> Result<Stored, Stop> {
    skipped.check(store.context, store.settings.skip_lost).await?;
    let mut register = base.register.clone();
    (register.seq, register.lines, register.output) = (position.seq, position.lines, output);
    register.poison.retain(|line| line.seq > position.seq);
    store.save(base, register, state).await
}
