//! Round trips: one thing is sent, and its answer awaited, again and again.

use std::io::{Read, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use udf_host::Writes;
use udf_proto::EdgeType;
use udf_proto::frame::FrameReader;

use super::block::Block;
use super::drive::write_piece;
use super::subject::{Lane, Seen, bounded, keepalive, next, panicked, spawn};
use super::{BenchError, Load, PATIENCE, Subject};

/// How long round trips took.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Latency {
    /// How long each round trip took, over all connections, sorted.
    pub samples: Vec<Duration>,
}

/// What a round trip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyOf {
    /// A point, until a point comes back.
    Point,
    /// A batch, until the end of a batch comes back.
    Batch,
    /// A point or a batch and a keepalive behind it, until that is echoed: the UDF does not answer each point, or
    /// batch.
    Keepalive,
}

/// Some of many round trips, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of them were no longer.
    pub p50: f64,
    /// 99 of 100 were no longer.
    pub p99: f64,
    /// The longest of all.
    pub max: f64,
}

impl Latency {
    /// The usual summary; none without a round trip.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let micros = |sample: &Duration| sample.as_secs_f64() * 1e6;
        let at = |share: f64| {
            let rank = (share * self.samples.len() as f64).ceil() as usize;
            self.samples.get(rank.saturating_sub(1)).map(micros)
        };
        Some(Percentiles { p50: at(0.5)?, p99: at(0.99)?, max: self.samples.last().map(micros)? })
    }
}

/// Makes round trips for this time, on each connection of the load at once. What is awaited is `of`, whoever answers.
///
/// # Errors
/// When the UDF cannot be started, or fails.
pub fn latency(
    subject: &Subject,
    load: &Load,
    time: Duration,
    of: LatencyOf,
) -> Result<Latency, BenchError> {
    let mut lanes = Vec::new();
    for _ in 0..load.connections.max(1) {
        lanes.push(subject.open()?);
    }
    let (sender, results) = channel();
    let mut peers = Vec::new();
    for (lane, Lane { frames, writer, peer }) in lanes.into_iter().enumerate() {
        peers.push(peer);
        let (mut trips, sender) = (Trips::new(frames, writer, load), sender.clone());
        let work = move || {
            // When nobody waits for it any more, it is of no use.
            let _ = sender.send((lane, trips.run(of, time)));
        };
        spawn(work)?;
    }
    drop(sender);
    let mut samples = Vec::new();
    for _ in &peers {
        // Dropped, the peers are cut off, and the threads end.
        let result = results.recv_timeout(time.saturating_add(PATIENCE));
        let (lane, result) = result.map_err(|error| match error {
            RecvTimeoutError::Timeout => BenchError::Stuck(PATIENCE),
            RecvTimeoutError::Disconnected => panicked(),
        })?;
        samples.extend(result.map_err(|error| error.with_traces(&peers[lane]))?);
    }
    samples.sort_unstable();
    Ok(Latency { samples })
}

/// How long an answer is waited for, to see whether there is one to each point or batch.
const LOOK: Duration = Duration::from_secs(5);

/// Sees on a connection of its own what the UDF answers: its data, or keepalives alone. That takes 5 seconds if it
/// is keepalives alone; it is the same for all loads of one edge.
///
/// # Errors
/// When the UDF cannot be started, or fails.
pub fn answers(subject: &Subject, load: &Load) -> Result<LatencyOf, BenchError> {
    let data = match load.edge {
        EdgeType::Stream => LatencyOf::Point,
        EdgeType::Batch => LatencyOf::Batch,
    };
    let Lane { frames, writer, peer } = subject.open()?;
    let mut trips = Trips::new(frames, writer, load);
    // Not once alone: it may answer some of them.
    let work = move || (0..3).try_for_each(|_| trips.run(data, Duration::ZERO).map(drop));
    match bounded(LOOK, || peer.cut(), work) {
        Ok(()) => Ok(data),
        Err(BenchError::Stuck(_)) => Ok(LatencyOf::Keepalive),
        Err(error) => Err(error.with_traces(&peer)),
    }
}

/// The first of the times of keepalives: none that a UDF would send by itself.
const FIRST: i64 = 42_424_242;

/// The round trips of one connection.
struct Trips {
    frames: FrameReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    block: Block,
    writes: Writes,
    keepalives: i64,
}

impl Trips {
    fn new(
        frames: FrameReader<Box<dyn Read + Send>>,
        writer: Box<dyn Write + Send>,
        load: &Load,
    ) -> Self {
        Trips { frames, writer, block: Block::single(load), writes: load.writes, keepalives: FIRST }
    }

    fn run(&mut self, of: LatencyOf, time: Duration) -> Result<Vec<Duration>, BenchError> {
        let (mut samples, until) = (Vec::new(), crate::deadline(time));
        while samples.is_empty() || Instant::now() < until {
            self.block.go_on();
            self.keepalives += 1;
            let awaited = (of == LatencyOf::Keepalive).then_some(self.keepalives);
            let Trips { frames, writer, block, writes, .. } = self;
            let started = Instant::now();
            if block.bytes.len() <= NO_WAIT {
                send(writer, block, *writes, awaited);
                wait(frames, of, awaited)?;
            } else {
                thread::scope(|scope| {
                    let sending = thread::Builder::new().name("bench".to_owned());
                    let send = || send(writer, block, *writes, awaited);
                    sending.spawn_scoped(scope, send).map_err(BenchError::Setup)?;
                    wait(frames, of, awaited)
                })?;
            }
            samples.push(started.elapsed());
        }
        Ok(samples)
    }
}

/// What both directions have room for, whatever they are made of; of more than this, the answer must be read
/// while it is written, or each side waits for the other.
const NO_WAIT: usize = 32 << 10;

/// Sends the point or batch, and a keepalive of this time behind it if one is awaited.
fn send(writer: &mut impl Write, block: &Block, writes: Writes, awaited: Option<i64>) {
    let mut pieces = block.pieces.iter();
    let sent = pieces.try_for_each(|piece| write_piece(block, piece, writer, writes));
    let sent = sent.and_then(|()| match awaited {
        Some(time) => writer.write_all(&keepalive(time)),
        None => Ok(()),
    });
    // When it fails, the other side has closed, and reading says more.
    let _ = sent.and_then(|()| writer.flush());
}

/// Waits for the end of a round trip.
fn wait(
    frames: &mut FrameReader<impl Read>,
    of: LatencyOf,
    awaited: Option<i64>,
) -> Result<(), BenchError> {
    loop {
        match next(frames)? {
            Seen::Echo(echo) if awaited == Some(echo) => return Ok(()),
            other if is_end(of, &other) => return Ok(()),
            _ => {}
        }
    }
}

/// Whether a round trip of data ends with it.
fn is_end(of: LatencyOf, seen: &Seen) -> bool {
    match seen {
        Seen::Point => of == LatencyOf::Point,
        Seen::BatchEnd => of == LatencyOf::Batch,
        _ => false,
    }
}
