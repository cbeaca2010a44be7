//! Measures throughput: as many messages as pass in a given time.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use udf_host::Writes;
use udf_host::diagnosis::fill;
use udf_proto::frame::FrameReader;

use super::block::{Block, Piece};
use super::subject::{Lane, Seen, keepalive, look, named, panicked, spawn};
use super::usage::Usage;
use super::{BenchError, Load, Subject, TIMEOUT};

/// The amount of data that passed, over all connections together.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Throughput {
    /// The number of points sent.
    pub points_in: u64,
    /// The number of points received.
    pub points_out: u64,
    /// The number of bytes sent.
    pub bytes_in: u64,
    /// The time from the first byte sent until everything was answered.
    pub elapsed: Duration,
    /// The CPU time of the UDF for this data. `None` if the system does not provide it.
    pub cpu: Option<Duration>,
    /// The peak memory of the UDF, in bytes; the sum of its processes if it was spawned several
    /// times. `None` if the system does not provide it.
    pub peak_memory: Option<u64>,
}

impl Throughput {
    /// Returns the number of points sent and handled, per second.
    pub fn points_per_second_in(&self) -> f64 {
        self.points_in as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the number of points received, per second.
    pub fn points_per_second_out(&self) -> f64 {
        self.points_out as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the CPU time for a million points sent, in seconds.
    pub fn cpu_per_million(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.points_in.max(1) as f64)
    }
}

/// Sends as much as the other side accepts in this time, and waits until everything is answered.
///
/// A keepalive after the data marks the end. Data that comes after its echo still counts.
///
/// # Errors
/// When the UDF cannot be started, or fails.
pub fn throughput(
    subject: &Subject,
    load: &Load,
    time: Duration,
) -> Result<Throughput, BenchError> {
    let connections = load.connections.max(1);
    let block = Block::new(load);
    let mut lanes = Vec::with_capacity(connections);
    for _ in 0..connections {
        lanes.push(subject.open()?);
    }
    let pids: BTreeSet<u32> = match subject {
        Subject::Udf { .. } => {
            let own = || lanes.iter().filter_map(|lane| lane.peer.pid()).collect();
            subject.pid().map_or_else(own, |pid| BTreeSet::from([pid]))
        }
        Subject::Echo(_) => BTreeSet::new(),
    };
    let before = Usage::of(&pids);
    let (started, until) = (Instant::now(), crate::deadline(time));
    let (sender, events) = channel();
    let (mut peers, mut ends) = (Vec::new(), Vec::new());
    for (lane, Lane { frames, writer, peer }) in lanes.into_iter().enumerate() {
        peers.push(peer);
        let (end, ended) = channel();
        ends.push(end);
        let (block, writes) = (block.clone(), load.writes);
        let (to_write, to_read) = (sender.clone(), sender.clone());
        spawn(move || write(block, writer, writes, until, &to_write, &ended))?;
        spawn(move || read(lane, frames, &to_read))?;
    }
    drop(sender);

    let mut sum = Throughput {
        points_in: 0,
        points_out: 0,
        bytes_in: 0,
        elapsed: Duration::ZERO,
        cpu: None,
        peak_memory: None,
    };
    let (mut settled, mut closed) = (0, 0);
    let give_up = crate::deadline(time.saturating_add(TIMEOUT));
    while closed < connections {
        match events.recv_timeout(give_up.saturating_duration_since(Instant::now())) {
            Ok(Event::Sent { points, bytes }) => {
                sum.points_in += points;
                sum.bytes_in += bytes;
            }
            Ok(Event::Settled(at)) => {
                settled += 1;
                sum.elapsed = sum.elapsed.max(at.duration_since(started));
                if settled == connections {
                    if let (Some(before), Some(after)) = (before, Usage::of(&pids)) {
                        sum.cpu = Some(after.cpu.saturating_sub(before.cpu));
                        sum.peak_memory = Some(after.peak);
                    }
                    // End all inputs now, so that the other sides may close.
                    ends.clear();
                }
            }
            Ok(Event::Closed { points, last_data, .. }) if settled == connections => {
                closed += 1;
                sum.points_out += points;
                let elapsed = last_data.map_or(Duration::ZERO, |at| at.duration_since(started));
                sum.elapsed = sum.elapsed.max(elapsed);
            }
            Ok(Event::Closed { lane, .. }) => {
                return Err(BenchError::Closed(String::new()).with_traces(&peers[lane]));
            }
            Ok(Event::Failed(error)) => return Err(error),
            // Dropping the peers cuts the connections, which ends the threads.
            Err(RecvTimeoutError::Timeout) => return Err(BenchError::Stuck(TIMEOUT)),
            Err(RecvTimeoutError::Disconnected) => return Err(panicked()),
        }
    }
    Ok(sum)
}

enum Event {
    /// Everything was sent.
    Sent {
        points: u64,
        bytes: u64,
    },
    /// Everything was answered.
    Settled(Instant),
    /// The connection of this number has ended.
    Closed {
        lane: usize,
        points: u64,
        last_data: Option<Instant>,
    },
    Failed(BenchError),
}

/// The time of the keepalive after the data. No UDF sends this time by itself.
const LAST: i64 = 4_242_424_242;

/// Sends until the time is over. Keeps the writer open until the sender of `ended` is dropped.
fn write(
    mut block: Block,
    mut writer: Box<dyn Write + Send>,
    writes: Writes,
    until: Instant,
    events: &Sender<Event>,
    ended: &Receiver<()>,
) {
    let (mut points, mut bytes) = (0, 0);
    let mut send = || -> io::Result<()> {
        loop {
            for piece in &block.pieces {
                write_piece(&block, piece, &mut writer, writes)?;
                points += piece.points as u64;
                bytes += piece.bytes.len() as u64;
                if Instant::now() >= until {
                    writer.write_all(&keepalive(LAST))?;
                    return writer.flush();
                }
            }
            block.go_on();
        }
    };
    // After a failed write the other side has closed. The reader notices, and may know the reason.
    if send().is_ok() {
        let _ = events.send(Event::Sent { points, bytes });
    }
    let _ = ended.recv();
}

/// Writes a piece in the given way.
pub(super) fn write_piece(
    block: &Block,
    piece: &Piece,
    writer: &mut impl Write,
    writes: Writes,
) -> io::Result<()> {
    match writes {
        Writes::Large => writer.write_all(&block.bytes[piece.bytes.clone()])?,
        Writes::Kapacitor => {
            for (length, body) in block.frames(piece) {
                writer.write_all(length)?;
                writer.write_all(body)?;
            }
        }
    }
    writer.flush()
}

/// Reads until the other side of the connection of this number closes.
fn read(lane: usize, mut frames: FrameReader<impl Read>, events: &Sender<Event>) {
    let (mut points, mut last_data) = (0, None);
    let mut take = || -> Result<(), BenchError> {
        loop {
            let mut data = false;
            // An invalid length ends the loop: `fill` returns it as an error.
            while let Ok(Some(frame)) = frames.buffered_frame() {
                match look(frame).map_err(|error| named(error, &frames))? {
                    Seen::Point => {
                        points += 1;
                        data = true;
                    }
                    Seen::BatchEnd => data = true,
                    Seen::Echo(LAST) => {
                        let _ = events.send(Event::Settled(Instant::now()));
                    }
                    _ => {}
                }
            }
            if data {
                // Once for all data that came together: reading the clock costs as much as handling
                // a point.
                last_data = Some(Instant::now());
            }
            if !fill(&mut frames).map_err(BenchError::Broken)? {
                return Ok(());
            }
        }
    };
    let result = take();
    // After a failed measurement, the receiver is gone.
    let _ = events.send(match result {
        Ok(()) => Event::Closed { lane, points, last_data },
        Err(error) => Event::Failed(error),
    });
}
