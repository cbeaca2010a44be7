//! Cuts the input into chunks.

use super::run::{Flight, Position, Run};
use crate::log::{Batch, Clock, Log, Message};
use crate::udf::{Chunk, Udf};

impl<L: Log, U: Udf, C: Clock> Run<'_, L, U, C> {
    /// Takes a batch that begins behind the sequence `after`.
    pub(super) fn take_batch(&mut self, after: u64, mut batch: Batch) {
        batch.messages.retain(|message| message.seq > self.read);
        self.skipped.note(after, &batch);
        for message in &batch.messages {
            self.pending_bytes += cost(message);
            if let (Some(time), Some(ticks)) = (message.tick, &mut self.ticks) {
                ticks.note(time, self.context.clock);
            }
        }
        self.pending.extend(batch.messages);
        self.read = self.read.max(batch.upto);
        self.pending_upto = self.read;
        self.counters.read.set(self.read);
        if self.pending.is_empty() && self.in_flight.is_empty() && self.ready.is_empty() {
            // A quiet partition moves on without its UDF.
            (self.fed, self.done, self.acked) = (self.read, self.read, self.read);
            self.counters.position.set(self.read.max(self.counters.position.get()));
        }
    }

    /// Returns the next chunk, if the UDF can take one.
    pub(super) fn next_chunk(&mut self, is_leaving: bool) -> Option<Chunk> {
        let settings = self.settings;
        let is_idle = self.in_flight.is_empty() && self.ready.is_empty();
        let is_due = !self.is_asked
            && (self.context.clock.elapsed() >= self.snapshot_due
                || self.bytes_since >= settings.snapshot_bytes);
        if is_leaving {
            let asks = is_idle && self.is_dirty && !self.is_asked && !self.has_asked_last;
            self.has_asked_last |= asks;
            return asks.then(|| self.ask());
        }
        if self.in_flight.len() + self.ready.len() >= settings.depth {
            return None;
        }
        let Some(first) = self.pending.front().map(|message| message.seq) else {
            if is_due && is_idle && !self.is_dirty && self.acked > self.stored.register.seq {
                // The state is the stored one.
                self.is_asked = true;
                let position = Position { seq: self.acked, lines: self.total };
                self.snapshot = Some((position, None));
            }
            return (is_due && self.is_dirty).then(|| self.ask());
        };
        let by_message = self.search.by_message(first);
        if by_message && !is_idle {
            return None;
        }
        let is_replay = first <= self.replay;
        // A chunk is wholly on one side of the end of the replay, and of the begin of a search.
        let border = [self.replay, self.search.begin()].into_iter().filter(|at| *at >= first).min();
        let mut bytes = 0;
        let fits = |message: &Message| {
            let fits = bytes < settings.chunk_bytes
                && border.is_none_or(|border| message.seq <= border)
                && !(by_message && bytes > 0);
            bytes += cost(message);
            fits
        };
        let count = self.pending.iter().map(fits).take_while(|fits| *fits).count();
        let messages: Vec<_> = self.pending.drain(..count).collect();
        let bytes = messages.iter().map(cost).sum::<usize>();
        let last = messages.last().map_or(first, |message| message.seq);
        let upto = if self.pending.is_empty() && !is_replay { self.pending_upto } else { last };
        self.pending_bytes -= bytes;
        self.bytes_since += bytes as u64;
        self.is_dirty = true;
        let poison = self.stored.register.poison.iter();
        let leave_out = poison.filter(|line| (first..=last).contains(&line.seq));
        let mut leave_out: Vec<_> = leave_out.map(|line| (line.seq, line.line)).collect();
        leave_out.sort_unstable();
        let one_by_one = by_message && self.search.by_line(first);
        let from = if is_replay { self.fed } else { self.fed.max(self.replay) };
        let message = by_message.then_some(first);
        let messages_count = messages.len();
        let flight = Flight { from, upto, is_replay, messages: messages_count, message };
        self.in_flight.push_back(flight);
        self.fed = upto;
        if is_due {
            self.asked();
        }
        Some(Chunk { messages, upto, leave_out, one_by_one, snapshot: is_due })
    }

    /// Returns an empty chunk that asks for a snapshot.
    fn ask(&mut self) -> Chunk {
        self.asked();
        let (from, upto) = (self.fed, self.fed);
        let is_replay = upto <= self.replay;
        self.in_flight.push_back(Flight { from, upto, is_replay, messages: 0, message: None });
        Chunk { upto, snapshot: true, ..Chunk::default() }
    }

    fn asked(&mut self) {
        (self.is_asked, self.is_dirty, self.bytes_since) = (true, false, 0);
    }
}

/// The memory of a message, about.
fn cost(message: &Message) -> usize {
    message.payload.len() + size_of::<Message>()
}
