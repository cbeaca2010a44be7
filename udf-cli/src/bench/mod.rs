//! How fast a UDF is: throughput, latency, CPU and memory, beside a raw byte echo over the same transport.
//!
//! Both are given the same bytes in the same way, in turns, so that what the machine and the kernel cost is in both
//! of them, and their ratio says what the UDF itself costs. What is reported are medians of several rounds.
//!
//! ```no_run
//! use std::time::Duration;
//! use udf_cli::bench::{Load, Subject, compare};
//! use udf_cli::{Target, Transport};
//! use udf_host::Writes;
//! use udf_proto::{EdgeType, Init};
//!
//! let mirror = Subject::udf(Target::program("target/release/examples/mirror"), Init::default());
//! let load = Load::new(EdgeType::Stream, Writes::Kapacitor);
//! let row = compare(&mirror, &load, 5, Duration::from_secs(2), None, &mut |_| {})?;
//! println!("{:.0} points/s, {:.2} of an echo", row.points_per_second_in, row.ratio_to_echo);
//! # Ok::<(), udf_cli::bench::BenchError>(())
//! ```

mod block;
mod compare;
mod drive;
mod latency;
mod report;
mod subject;
mod usage;

use std::time::Duration;

use udf_host::diagnosis::NoMessage;
use udf_host::{Error, Writes};
use udf_proto::{EdgeType, Init};
use udf_text::options::OptionsError;

pub use compare::{Row, Step, compare};
pub use drive::{Throughput, throughput};
pub use latency::{Latency, LatencyOf, Percentiles, answers, latency};
pub use report::Report;
pub use subject::Subject;

use crate::sample::Sample;
use crate::{Peer, Target};

/// How long a UDF may be silent beyond the time of a measurement, before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a UDF is given to do.
#[derive(Debug, Clone)]
pub struct Load {
    /// Points of a stream, or batches.
    pub edge: EdgeType,
    /// How messages are written.
    pub writes: Writes,
    /// Over how many connections at once.
    pub connections: usize,
    /// How many points a batch has.
    pub batch: usize,
    /// What points look like.
    pub sample: Sample,
}

impl Load {
    /// Typical points, on one connection; batches have 100 of them.
    pub fn new(edge: EdgeType, writes: Writes) -> Self {
        let sample = Sample::of(&Init::default());
        Load { edge, writes, connections: 1, batch: 100, sample }
    }
}

/// Why something could not be measured.
#[derive(Debug)]
#[non_exhaustive]
pub enum BenchError {
    /// The UDF could not be started or reached, or did not say what it is.
    Udf(Error),
    /// The options are none of the UDF.
    Options(OptionsError),
    /// The UDF did not start with its options; the text is its own.
    Refused(String),
    /// It failed at what it was given; the text is its own.
    Reported(String),
    /// It closed its side in the middle of a measurement, and left these [traces](crate::Peer::traces).
    Closed(String),
    /// It sent what is no message.
    Broken(NoMessage),
    /// It did not come to an end with what it was given.
    Stuck(Duration),
    /// The machine gave no thread or no pipe.
    Setup(std::io::Error),
}

impl std::fmt::Display for BenchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BenchError::Udf(error) => error.fmt(f),
            BenchError::Options(error) => error.fmt(f),
            BenchError::Refused(text) => {
                write!(
                    f,
                    "the UDF refused its options: {text}; pass those that it needs with -o name=value"
                )
            }
            BenchError::Reported(text) => write!(f, "the UDF failed: {text}"),
            BenchError::Closed(traces) if traces.is_empty() => f.write_str(
                "the UDF closed its side while it was measured; `udf check` may say why",
            ),
            BenchError::Closed(traces) => {
                write!(f, "the UDF closed its side while it was measured{traces}")
            }
            BenchError::Broken(problem) => write!(f, "the UDF failed: {problem}"),
            BenchError::Stuck(within) => write!(
                f,
                "the UDF had not answered all that it was sent {within:?} after the end of the measurement"
            ),
            BenchError::Setup(error) => write!(f, "the measurement could not be set up: {error}"),
        }
    }
}

impl std::error::Error for BenchError {}

impl BenchError {
    /// Adds what the peer that it is about has left behind, if that has closed its side.
    fn with_traces(self, peer: &Peer) -> Self {
        match self {
            BenchError::Closed(_) => BenchError::Closed(peer.traces(PATIENCE)),
            error => error,
        }
    }
}

/// How a UDF is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its options, each `name=value`; see [`udf_text::options`].
    pub options: Vec<String>,
    /// How many connections there are at once, beside the measurements with a single one.
    pub connections: usize,
    /// How many points a batch has, for a UDF that wants batches.
    pub batch: usize,
    /// How often each measurement is repeated.
    pub rounds: usize,
    /// How long all of it takes, about.
    pub time: Duration,
    /// The process whose CPU and memory are read, when it is not the one that was spawned or that listens.
    pub pid: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            options: Vec::new(),
            connections: 1,
            batch: 100,
            rounds: 5,
            time: Duration::from_secs(20),
            pid: None,
        }
    }
}

/// Measures a UDF: with Kapacitor's own writes and with large ones, over one connection and over many.
/// `progress` is told what comes next, before each step.
///
/// # Errors
/// When it cannot be reached, refuses its options, or fails on the way.
pub fn run(
    target: &Target,
    settings: &Settings,
    progress: &mut dyn FnMut(Step),
) -> Result<Report, BenchError> {
    let info = target.info().map_err(BenchError::Udf)?;
    let options = udf_text::options::parse(&info, &settings.options);
    let options = options.map_err(BenchError::Options)?;
    let init = Init { options, task_id: "bench".into(), node_id: "bench2".into() };
    let sample = Sample::of(&init);
    let subject = Subject::Udf { target: target.clone(), init, pid: settings.pid };

    let mut loads = Vec::new();
    for connections in [1, settings.connections] {
        for writes in [Writes::Kapacitor, Writes::Large] {
            let batch = settings.batch.max(1);
            loads.push(Load {
                edge: info.wants,
                writes,
                connections,
                batch,
                sample: sample.clone(),
            });
        }
    }
    loads.truncate(if settings.connections > 1 { 4 } else { 2 });
    let rounds = settings.rounds.max(1);
    let steps = loads.len() * rounds;
    let slice = settings.time / u32::try_from(steps).unwrap_or(u32::MAX);
    let (mut rows, mut of) = (Vec::<Row>::new(), None);
    for load in &loads {
        let done = rows.len() * rounds;
        let mut tell = |step: Step| progress(Step { done: done + step.done, of: steps, ..step });
        let row = compare(&subject, load, rounds, slice, of, &mut tell)?;
        of = Some(row.latency_of);
        rows.push(row);
    }
    Ok(Report::new(target, &info, settings, &sample, rows))
}
