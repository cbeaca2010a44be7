//! One run of a splitter: until another one is faster, or the worker leaves.

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Fuse, FusedFuture as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;

use super::Settings;
use super::register::{Register, Stored, load, save};
use super::route::{Routed, Router};
use crate::log::{Clock, DeadLetter, Last, Log, Message};
use crate::mark::Mark;
use crate::partition::append::{Piece, append, cut};
use crate::partition::context::Context;
use crate::partition::error::Stop;
use crate::partition::pull::{Pulled, Skipped, check_end, pull};
use crate::partition::shared::arm;
use crate::partition::{Counters, Event, PartitionError};

/// An output: the input of a partition.
#[derive(Debug)]
struct Output {
    /// The sequence of its last message.
    expected: u64,
    /// The number of its lines up to the routed position, since the beginning.
    total: u64,
    /// The number of lines behind the routed position that are in the log.
    skip: u64,
    /// The last mark at the start, until the replay has passed it.
    mark: Option<Mark>,
    /// The messages to append, each with the number of its chunk and of its lines.
    queue: VecDeque<(u64, Piece)>,
    is_appending: bool,
}

/// A chunk on its way.
#[derive(Debug)]
struct Flight {
    upto: u64,
    /// The lines of each partition up to it.
    lines: Vec<u64>,
    /// The number of messages that are not yet in the log.
    waiting: usize,
}

/// The state of a run.
pub(super) struct Run<'a, L, C> {
    context: Context<'a, L, C>,
    settings: &'a Settings,
    counters: &'a Counters,
    leave: watch::Receiver<bool>,
    limit: usize,
    stored: Stored,
    router: Router,
    outputs: Vec<Output>,
    pending: VecDeque<Message>,
    pending_bytes: usize,
    read: u64,
    skipped: Skipped,
    fed: u64,
    /// The number of the first chunk in `in_flight`.
    first: u64,
    in_flight: VecDeque<Flight>,
    /// Letters with the numbers of their chunks.
    dead: VecDeque<(u64, DeadLetter)>,
    /// What is in the log.
    done: Register,
    save_due: Duration,
}

impl<'a, L: Log, C: Clock> Run<'a, L, C> {
    /// Reads the register, and the last message of each partition.
    pub(super) async fn start(
        context: Context<'a, L, C>,
        settings: &'a Settings,
        counters: &'a Counters,
        limit: usize,
        leave: watch::Receiver<bool>,
    ) -> Result<Self, Stop> {
        let mut outputs = Vec::new();
        for partition in 0..settings.partitions {
            let last = || context.log.last(partition);
            let last = context.retry("read the last line of a partition", last).await?;
            let mark = match last {
                None => Mark::default(),
                Some(Last { mark: Some(mark), .. }) => mark,
                Some(Last { seq, mark: None }) => {
                    return Err(PartitionError::Foreign { partition, seq }.into());
                }
            };
            let expected = last.map_or(0, |last| last.seq);
            let (mark, queue) = (Some(mark), VecDeque::new());
            outputs.push(Output { expected, total: 0, skip: 0, mark, queue, is_appending: false });
        }
        // Behind the marks: it may be newer, and then says what is behind them.
        let stored = load(context, settings).await?;
        let after = stored.register.seq;
        let marks = outputs.iter().filter_map(|output| output.mark);
        let reached = marks.map(|mark| mark.upto).fold(after, u64::max);
        let bounds = context.retry("read the bounds of the input", || context.log.bounds()).await?;
        check_end(reached, bounds)?;
        for (output, lines) in outputs.iter_mut().zip(&stored.register.lines) {
            output.total = *lines;
            let mark = output.mark.filter(|mark| mark.upto < after);
            if let Some(mark) = mark {
                output.skip = (mark.total + mark.lines).saturating_sub(*lines);
                output.mark = None;
            }
        }
        context.report.event(&Event::SplitStarted { after });
        counters.position.set(after);
        counters.stored.set(after);
        Ok(Run {
            context,
            settings,
            counters,
            leave,
            limit,
            done: stored.register.clone(),
            stored,
            router: Router::new(&settings.grouping),
            outputs,
            pending: VecDeque::new(),
            pending_bytes: 0,
            read: after,
            skipped: Skipped::default(),
            fed: after,
            first: 0,
            in_flight: VecDeque::new(),
            dead: VecDeque::new(),
            save_due: context.clock.elapsed() + settings.save_every,
        })
    }

    /// Splits input until the worker leaves.
    pub(super) async fn drive(mut self) -> Result<(), Stop> {
        let (context, settings) = (self.context, self.settings);
        let (clock, mut leave) = (context.clock, self.leave.clone());
        let mut appending = FuturesUnordered::new();
        let mut pulling = pin!(Fuse::terminated());
        let mut saving = pin!(Fuse::terminated());
        let mut burying = pin!(Fuse::terminated());
        let mut timer = pin!(Fuse::terminated());
        let mut timer_at = None;
        let (mut input, mut is_reading) = (None, true);
        loop {
            let is_leaving = *leave.borrow() || leave.has_changed().is_err();
            self.finish();
            while !is_leaving && self.in_flight.len() < settings.depth && !self.pending.is_empty() {
                self.route();
                // All of it may be in the log already.
                self.finish();
            }
            for (partition, output) in self.outputs.iter_mut().enumerate() {
                if !output.is_appending
                    && let Some((chunk, piece)) = output.queue.pop_front()
                {
                    output.is_appending = true;
                    let expected = output.expected;
                    appending.push(async move {
                        let appended = append(context, partition as u32, piece, expected).await;
                        (partition, chunk, appended)
                    });
                }
            }
            if burying.is_terminated()
                && let Some((chunk, letter)) = self.dead.pop_front()
            {
                burying.set(bury(context, chunk, letter).fuse());
            }
            let has_news = self.done.seq > self.stored.register.seq;
            let is_idle = self.in_flight.is_empty();
            let is_due = clock.elapsed() >= self.save_due || is_leaving && is_idle;
            if saving.is_terminated() && has_news && is_due {
                let (revision, register) = (self.stored.revision, self.done.clone());
                let skipped = mem::take(&mut self.skipped);
                let save = async move {
                    skipped.check(context, settings.skip_lost).await?;
                    save(context, settings, revision, register).await
                };
                saving.set(save.fuse());
            }
            if is_leaving && is_idle && saving.is_terminated() {
                return Ok(());
            }
            if is_reading && !is_leaving && self.pending_bytes < 2 * settings.chunk_bytes {
                is_reading = false;
                pulling.set(pull(context, input.take(), self.read, settings.skip_lost).fuse());
            }
            let waits = has_news && saving.is_terminated();
            let due = waits.then_some(self.save_due);
            arm(timer.as_mut(), &mut timer_at, due, |due| {
                clock.sleep(due.saturating_sub(clock.elapsed()))
            });

            tokio::select! {
                biased;
                Some((partition, chunk, appended)) = appending.next(), if !appending.is_empty() => {
                    let output = &mut self.outputs[partition];
                    (output.expected, output.is_appending) = (appended?, false);
                    self.counters.messages_out.add(1);
                    self.arrived(chunk);
                }
                chunk = &mut burying, if !burying.is_terminated() => self.arrived(chunk?),
                stored = &mut saving, if !saving.is_terminated() => {
                    self.stored = stored?;
                    self.counters.stored.set(self.stored.register.seq);
                    self.save_due = clock.elapsed() + settings.save_every;
                }
                pulled = &mut pulling, if !pulling.is_terminated() => {
                    let Pulled { input: open, mut batch, after } = pulled?;
                    (input, is_reading) = (Some(open), true);
                    batch.messages.retain(|message| message.seq > self.read);
                    self.skipped.note(after, &batch);
                    self.pending_bytes += batch.messages.iter().map(cost).sum::<usize>();
                    self.pending.extend(batch.messages);
                    self.read = self.read.max(batch.upto);
                    self.counters.read.set(self.read);
                    if self.pending.is_empty() && self.in_flight.is_empty() {
                        // A raw subject without lines moves on with its stream.
                        (self.fed, self.done.seq) = (self.read, self.read);
                        self.counters.position.set(self.read);
                    }
                }
                () = &mut timer, if !timer.is_terminated() => {}
                _ = leave.changed(), if !is_leaving => {}
            }
        }
    }

    /// Routes a chunk of pending messages.
    fn route(&mut self) {
        let mut bytes = 0;
        let fits = |message: &Message| {
            let fits = bytes < self.settings.chunk_bytes;
            bytes += cost(message);
            fits
        };
        let count = self.pending.iter().map(fits).take_while(|fits| *fits).count();
        let messages: Vec<_> = self.pending.drain(..count).collect();
        self.pending_bytes -= messages.iter().map(cost).sum::<usize>();
        let last = messages.last().map_or(self.fed, |message| message.seq);
        let (from, upto) = (self.fed, if self.pending.is_empty() { self.read } else { last });
        let replay: Vec<_> =
            self.outputs.iter().map(|output| output.mark.map_or(0, |mark| mark.upto)).collect();
        let Routed { lines, replayed, dead, invalid, first_invalid } =
            self.router.route(&messages, &replay);
        let chunk = self.first + self.in_flight.len() as u64;
        let (report, counters) = (self.context.report, self.counters);
        let limit = self.limit.min(self.context.log.max_payload());
        let mut waiting = dead.len();
        for ((output, lines), replayed) in self.outputs.iter_mut().zip(lines).zip(replayed) {
            let count = lines.len();
            if count > replayed
                && let Some(mark) = output.mark.take()
            {
                let now = output.total + replayed as u64;
                if now != mark.total {
                    report.event(&Event::Differs { before: mark.total, now });
                    output.total = mark.total.saturating_sub(replayed as u64);
                }
                output.skip = mark.lines;
            }
            let skipped = output.skip.min((count - replayed) as u64);
            output.skip -= skipped;
            let skip = replayed + skipped as usize;
            counters.lines_in.add((count - replayed) as u64);
            counters.lines_out.add((count - skip) as u64);
            let from = Mark { upto: from, total: output.total, lines: 0, poison: 0 };
            output.total += count as u64;
            let pieces = cut(lines, skip, (from, upto), limit, |bytes| {
                counters.unwritable.add(1);
                report.event(&Event::LineTooLong { bytes, limit });
            });
            waiting += pieces.len();
            output.queue.extend(pieces.into_iter().map(|piece| (chunk, piece)));
        }
        counters.messages_in.add(count as u64);
        counters.invalid.add(invalid);
        if let Some(first) = &first_invalid {
            report.event(&Event::Invalid { count: invalid, first });
        }
        self.dead.extend(dead.into_iter().map(|letter| (chunk, letter)));
        let lines = self.outputs.iter().map(|output| output.total).collect();
        self.in_flight.push_back(Flight { upto, lines, waiting });
        self.fed = upto;
    }

    /// Notes that a message of a chunk is in the log.
    fn arrived(&mut self, chunk: u64) {
        self.in_flight[(chunk - self.first) as usize].waiting -= 1;
    }

    /// Takes away the chunks that are in the log.
    fn finish(&mut self) {
        while let Some(flight) = self.in_flight.pop_front_if(|flight| flight.waiting == 0) {
            (self.done.seq, self.done.lines) = (flight.upto, flight.lines);
            self.first += 1;
            self.counters.position.set(flight.upto);
        }
    }
}

/// Appends a dead letter of a chunk.
async fn bury<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    chunk: u64,
    letter: DeadLetter,
) -> Result<u64, Stop> {
    let append = || context.log.dead_letter(letter.clone());
    context.retry("append to the dead-letter subject", append).await?;
    Ok(chunk)
}

/// The memory of a message, about.
fn cost(message: &Message) -> usize {
    message.payload.len() + size_of::<Message>()
}
