//! Measures a UDF and an echo in turns.

use std::time::Duration;

use serde::Serialize;
use udf_host::Writes;

use super::latency::{LatencyOf, Percentiles};
use super::{BenchError, Load, Subject, answers, latency, throughput};

/// The results of a UDF with one load. Numbers are medians of the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// How messages were written: `kapacitor`, the length and the body in two writes; or `large`,
    /// many in one write.
    pub writes: &'static str,
    /// The number of connections at once. The numbers of points are totals over all connections.
    pub connections: usize,
    /// The number of points that the UDF was sent and has handled, per second.
    pub points_per_second_in: f64,
    /// The number of points that the UDF has sent, per second.
    pub points_per_second_out: f64,
    /// The number of points that the echo was sent and has sent back, per second.
    pub echo_points_per_second: f64,
    /// The throughput of the UDF divided by the throughput of the echo, in points.
    pub ratio_to_echo: f64,
    /// The definition of a round trip.
    pub latency_of: LatencyOf,
    /// The round trip times of the UDF, in microseconds.
    pub latency_us: Percentiles,
    /// The round trip times of the echo, in microseconds.
    pub echo_latency_us: Percentiles,
    /// The shares of all round trips of the UDF, and of the echo.
    #[serde(skip)]
    pub round_trips: [RoundTrips; 2],
    /// The CPU time of the UDF for a million points, in seconds. Null if unknown.
    pub cpu_seconds_per_million_points: Option<f64>,
    /// The peak memory of the UDF, in bytes. Null if unknown.
    pub peak_memory_bytes: Option<u64>,
}

/// The next step of the measurement.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Step {
    /// The number of finished rounds.
    pub done: usize,
    /// The total number of rounds.
    pub of: usize,
    /// How messages are written.
    pub writes: Writes,
    /// The number of connections.
    pub connections: usize,
}

/// Returns the name of a way to write, as in tables and JSON.
fn name(writes: Writes) -> &'static str {
    match writes {
        Writes::Large => "large",
        Writes::Kapacitor => "kapacitor",
    }
}

/// Measures `udf` and its echo in turns. Each round takes about `slice`. Round trips are those of
/// `of`, or those that [`answers`] finds. Before each round, `progress` gets the step.
///
/// # Errors
/// The errors of [`throughput`], [`answers`] and [`latency`](latency()).
pub fn compare(
    udf: &Subject,
    load: &Load,
    rounds: usize,
    slice: Duration,
    of: Option<LatencyOf>,
    progress: &mut dyn FnMut(Step),
) -> Result<Row, BenchError> {
    let echo = udf.echo();
    let (flow, trips) = (slice * 2 / 5, slice / 10);
    let of = of.map_or_else(|| answers(udf, load), Ok)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut our_trips, mut their_trips) = (Vec::new(), Vec::new());
    let (mut our_samples, mut their_samples) = (Vec::new(), Vec::new());
    for done in 0..rounds.max(1) {
        let (writes, connections) = (load.writes, load.connections);
        progress(Step { done, of: rounds.max(1), writes, connections });
        ours.push(throughput(udf, load, flow)?);
        theirs.push(throughput(&echo, load, flow)?);
        for (subject, all, percentiles) in
            [(udf, &mut our_samples, &mut our_trips), (&echo, &mut their_samples, &mut their_trips)]
        {
            let latency = latency(subject, load, trips, of)?;
            percentiles.extend(latency.percentiles());
            all.extend(latency.samples);
        }
    }
    let ratios = ours.iter().zip(&theirs);
    Ok(Row {
        writes: name(load.writes),
        connections: load.connections.max(1),
        points_per_second_in: median(ours.iter().map(|flow| flow.points_per_second_in())).round(),
        points_per_second_out: median(ours.iter().map(|flow| flow.points_per_second_out())).round(),
        echo_points_per_second: median(theirs.iter().map(|flow| flow.points_per_second_in()))
            .round(),
        // The ratio of each round separately, so that a slow moment affects both sides of the
        // ratio.
        ratio_to_echo: thousandths(median(
            ratios.map(|(our, their)| our.points_per_second_in() / their.points_per_second_in()),
        )),
        latency_of: of,
        latency_us: middle(&our_trips),
        echo_latency_us: middle(&their_trips),
        round_trips: [shares(our_samples), shares(their_samples)],
        cpu_seconds_per_million_points: some_median(ours.iter().map(|flow| flow.cpu_per_million()))
            .map(thousandths),
        peak_memory_bytes: ours.iter().filter_map(|flow| flow.peak_memory).max(),
    })
}

/// Returns the medians of the percentiles of all rounds, and the longest time of all rounds.
fn middle(rounds: &[Percentiles]) -> Percentiles {
    Percentiles {
        p50: thousandths(median(rounds.iter().map(|round| round.p50))),
        p99: thousandths(median(rounds.iter().map(|round| round.p99))),
        max: thousandths(rounds.iter().map(|round| round.max).fold(0.0, f64::max)),
    }
}

/// Shares of round trips, from 0 to 1, and the microseconds within which each share was made.
pub type RoundTrips = Vec<(f64, f64)>;

/// The number of shares from one more nine to the next: 90 %, 99 %, 99.9 %.
const STEPS: i32 = 40;

/// Returns the times at shares from 0 to 1, which are denser near 1. The last one is the longest.
fn shares(mut samples: Vec<Duration>) -> RoundTrips {
    samples.sort_unstable();
    let (Some(longest), count) = (samples.last(), samples.len() as f64) else { return Vec::new() };
    let micros = |time: &Duration| thousandths(time.as_secs_f64() * 1e6);
    let shares = (0..6 * STEPS).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(STEPS)));
    // Behind the last sample but one, there is only the longest.
    let shares = shares.take_while(|share| (1.0 - share) * count >= 1.0);
    let at = |share: f64| (share, micros(&samples[(share * count) as usize]));
    shares.map(at).chain([(1.0 - 1.0 / count, micros(longest)), (1.0, micros(longest))]).collect()
}

/// Rounds to three decimals. No measurement is more exact.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn some_median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.collect::<Option<Vec<_>>>().map(|values| median(values.into_iter()))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_round_trips_are_dense_near_the_longest() {
        let samples = (1..=10_000).rev().map(Duration::from_micros).collect();
        let shares = shares(samples);
        assert_eq!(shares[0], (0.0, 1.0));
        assert_eq!(shares.last(), Some(&(1.0, 10_000.0)));
        let at = |wanted: f64| {
            shares.iter().find(|(share, _)| *share >= wanted - 1e-9).map(|(_, micros)| *micros)
        };
        assert_eq!((at(0.9), at(0.99), at(0.999)), (Some(9_001.0), Some(9_901.0), Some(9_991.0)));
        assert!(shares.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert!(super::shares(Vec::new()).is_empty());
        assert_eq!(super::shares(vec![Duration::from_micros(7)]).last(), Some(&(1.0, 7.0)));
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 100.0, 1.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 1.0, 2.0, 100.0].into_iter()), 3.0);
        assert_eq!(some_median([Some(1.0), None].into_iter()), None);
    }
}
