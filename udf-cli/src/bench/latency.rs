//! Measures round trips: sends one message and waits for its answer, again and again.

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
use super::{BenchError, Load, Subject, TIMEOUT};

/// The times of round trips.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Latency {
    /// The time of each round trip, over all connections, sorted.
    pub samples: Vec<Duration>,
}

/// The definition of a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LatencyOf {
    /// From sending a point until a point comes back.
    Point,
    /// From sending a batch until the end of a batch comes back.
    Batch,
    /// From sending a point or a batch with a keepalive after it, until the echo of the keepalive.
    /// For a UDF that does not answer each point or batch.
    Keepalive,
}

/// Percentiles of round trip times, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

impl Latency {
    /// Returns the percentiles, or `None` if there was no round trip.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let micros = |sample: &Duration| sample.as_secs_f64() * 1e6;
        let at = |share: f64| {
            let rank = (share * self.samples.len() as f64).ceil() as usize;
            self.samples.get(rank.saturating_sub(1)).map(micros)
        };
        Some(Percentiles { p50: at(0.5)?, p99: at(0.99)?, max: self.samples.last().map(micros)? })
    }
}

/// Makes round trips for this time, on each connection of the load at once. `of` defines the
/// awaited answer, for a UDF and an echo alike.
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
            // The receiver is gone if it has stopped waiting.
            let _ = sender.send((lane, trips.run(of, time)));
        };
        spawn(work)?;
    }
    drop(sender);
    let mut samples = Vec::new();
    for _ in &peers {
        // Dropping the peers cuts the connections, which ends the threads.
        let result = results.recv_timeout(time.saturating_add(TIMEOUT));
        let (lane, result) = result.map_err(|error| match error {
            RecvTimeoutError::Timeout => BenchError::Stuck(TIMEOUT),
            RecvTimeoutError::Disconnected => panicked(),
        })?;
        samples.extend(result.map_err(|error| error.with_traces(&peers[lane]))?);
    }
    samples.sort_unstable();
    Ok(Latency { samples })
}

/// How long to wait for an answer, to find out whether each point or batch has one.
const LOOK: Duration = Duration::from_secs(5);

/// Finds out, on a separate connection, whether the UDF answers each point or batch with data, or
/// only keepalives. Takes 5 seconds if only keepalives are answered. The result holds for all loads
/// of one edge.
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
    // Several times, since a UDF may answer only some of the points or batches.
    let work = move || (0..3).try_for_each(|_| trips.run(data, Duration::ZERO).map(drop));
    match bounded(LOOK, || peer.cut(), work) {
        Ok(()) => Ok(data),
        Err(BenchError::Stuck(_)) => Ok(LatencyOf::Keepalive),
        Err(error) => Err(error.with_traces(&peer)),
    }
}

/// The time of the first keepalive. No UDF sends such times by itself.
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

/// The number of bytes that both directions can hold over any transport. Beyond this, the answer
/// must be read during the write, or each side waits for the other.
const NO_WAIT: usize = 32 << 10;

/// Sends the point or batch, followed by a keepalive of this time if its echo is awaited.
fn send(writer: &mut impl Write, block: &Block, writes: Writes, awaited: Option<i64>) {
    let mut pieces = block.pieces.iter();
    let sent = pieces.try_for_each(|piece| write_piece(block, piece, writer, writes));
    let sent = sent.and_then(|()| match awaited {
        Some(time) => writer.write_all(&keepalive(time)),
        None => Ok(()),
    });
    // After a failed write the other side has closed. Reading shows the reason.
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

/// Returns whether `seen` ends a round trip of data.
fn is_end(of: LatencyOf, seen: &Seen) -> bool {
    match seen {
        Seen::Point => of == LatencyOf::Point,
        Seen::BatchEnd => of == LatencyOf::Batch,
        _ => false,
    }
}
