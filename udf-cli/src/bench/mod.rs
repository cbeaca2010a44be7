//! Measures a UDF: throughput, latency, CPU and memory, beside a raw byte echo over the same
//! transport.
//!
//! Both get the same bytes in the same way, in turns. The cost of the machine and the kernel is the
//! same for both, so their ratio shows the cost of the UDF itself. The reported numbers are medians
//! of several rounds.
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

pub use compare::{RoundTrips, Row, Step, compare};
pub use drive::{Throughput, throughput};
pub use latency::{Latency, LatencyOf, Percentiles, answers, latency};
pub use report::Report;
pub use subject::Subject;

use crate::sample::Sample;
use crate::{Peer, Target};

/// How long a UDF may be silent beyond the time of a measurement, before the measurement fails.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The work that the UDF gets.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Load {
    /// The edge: points of a stream, or batches.
    pub edge: EdgeType,
    /// How messages are written.
    pub writes: Writes,
    /// The number of connections at once.
    pub connections: usize,
    /// The number of points in a batch.
    pub batch: usize,
    /// The shape of the points.
    pub sample: Sample,
}

impl Load {
    /// Creates a load of typical points on one connection. Batches have 100 points.
    pub fn new(edge: EdgeType, writes: Writes) -> Self {
        let sample = Sample::of(&Init::default());
        Load { edge, writes, connections: 1, batch: 100, sample }
    }

    /// Sets [`connections`](Load#structfield.connections).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`batch`](Load#structfield.batch).
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets [`sample`](Load#structfield.sample).
    pub fn sample(mut self, sample: Sample) -> Self {
        self.sample = sample;
        self
    }
}

/// Why a measurement failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum BenchError {
    /// The UDF could not be started or connected to, or did not answer Info.
    Udf(Error),
    /// The options do not fit the UDF.
    Options(OptionsError),
    /// The UDF refused its options. Holds the text of the UDF.
    Refused(String),
    /// The UDF failed on the data. Holds the text of the UDF.
    Reported(String),
    /// The UDF closed its output during a measurement, and left these
    /// [traces](crate::Peer::traces).
    Closed(String),
    /// The UDF sent bytes that are not a message.
    Broken(NoMessage),
    /// The UDF did not finish its work.
    Stuck(Duration),
    /// The operating system refused a thread or a pipe.
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
                    "the UDF refused its options: {text}; pass the options that it needs with -o name=value"
                )
            }
            BenchError::Reported(text) => write!(f, "the UDF failed: {text}"),
            BenchError::Closed(traces) if traces.is_empty() => f.write_str(
                "the UDF closed its output during the measurement; `udf check` may say why",
            ),
            BenchError::Closed(traces) => {
                write!(f, "the UDF closed its output during the measurement{traces}")
            }
            BenchError::Broken(problem) => write!(f, "the UDF failed: {problem}"),
            BenchError::Stuck(within) => write!(
                f,
                "the UDF had not answered all of its input {within:?} after the end of the measurement"
            ),
            BenchError::Setup(error) => write!(f, "cannot set up the measurement: {error}"),
        }
    }
}

impl std::error::Error for BenchError {}

impl BenchError {
    /// Adds the traces of the peer if the error is that it closed its output.
    fn with_traces(self, peer: &Peer) -> Self {
        match self {
            BenchError::Closed(_) => BenchError::Closed(peer.traces(TIMEOUT)),
            error => error,
        }
    }
}

/// The settings of a measurement.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct BenchSettings {
    /// The options of the UDF, each `name=value`; see [`udf_text::options`]. Defaults to none.
    pub options: Vec<String>,
    /// The number of connections of the second series. The first series has a single connection.
    /// Defaults to 1: no second series.
    pub connections: usize,
    /// The number of points in a batch, for a UDF that wants batches. Defaults to 100.
    pub batch: usize,
    /// The number of repetitions of each measurement. Defaults to 5.
    pub rounds: usize,
    /// The approximate total time. Defaults to 20 seconds.
    pub time: Duration,
    /// The process whose CPU and memory are measured. Defaults to the spawned or listening process.
    pub pid: Option<u32>,
}

impl Default for BenchSettings {
    fn default() -> Self {
        BenchSettings {
            options: Vec::new(),
            connections: 1,
            batch: 100,
            rounds: 5,
            time: Duration::from_secs(20),
            pid: None,
        }
    }
}

impl BenchSettings {
    /// Sets [`options`](BenchSettings#structfield.options).
    pub fn options(mut self, options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`connections`](BenchSettings#structfield.connections).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`batch`](BenchSettings#structfield.batch).
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets [`rounds`](BenchSettings#structfield.rounds).
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sets [`time`](BenchSettings#structfield.time).
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Sets [`pid`](BenchSettings#structfield.pid).
    pub fn pid(mut self, pid: impl Into<Option<u32>>) -> Self {
        self.pid = pid.into();
        self
    }
}

/// Measures a UDF: with Kapacitor's own writes and with large ones, over one connection and over
/// many. Before each step, `progress` gets the step.
///
/// # Errors
/// When the UDF cannot be connected to, refuses its options, or fails during the measurement.
pub fn run(
    target: &Target,
    settings: &BenchSettings,
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
