//! How much faster one piece of code is than another: measured in turn, in the same process.
//!
//! Times vary by half from one run to the next, ratios of times that were taken side by side do not.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What is compared, and what it should come to.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The ratio to reach.
    pub(crate) reach: f64,
    /// The ratio that is more than asked for.
    pub(crate) beyond: f64,
}

/// How thoroughly to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    rounds: usize,
    /// How long each side runs in a round.
    sample: Duration,
}

impl Effort {
    pub(crate) const FULL: Effort = Effort { rounds: 4001, sample: Duration::from_micros(200) };
    /// A second or so for each row, for machines that only look for what has become much slower.
    pub(crate) const SHORT: Effort = Effort { rounds: 1001, sample: Duration::from_micros(200) };
}

/// What became of the rows of a run.
#[derive(Default)]
pub(crate) struct Verdicts {
    far_below: Vec<&'static str>,
}

impl Verdicts {
    /// Measures a row and prints it. Each call of `reference` and of `ours` handles `items` things.
    pub(crate) fn measure(
        &mut self,
        row: Row,
        effort: Effort,
        items: usize,
        mut reference: impl FnMut(),
        mut ours: impl FnMut(),
    ) {
        let calls = [calls_in(effort.sample, &mut reference), calls_in(effort.sample, &mut ours)];
        let mut times = [Vec::new(), Vec::new()];
        let mut ratios = Vec::new();
        for _ in 0..effort.rounds {
            let slow = time(calls[0], &mut reference);
            let fast = time(calls[1], &mut ours);
            ratios.push(slow / fast);
            times[0].push(slow);
            times[1].push(fast);
        }
        let [slow, fast] = times.map(|mut times| quartiles(&mut times)[1] * 1e9 / items as f64);
        let [low, ratio, high] = quartiles(&mut ratios);
        let verdict = match ratio {
            ratio if ratio >= row.beyond => "beyond",
            ratio if ratio >= row.reach => "reached",
            ratio if ratio >= row.reach / 2.0 => "NOT REACHED",
            _ => {
                self.far_below.push(row.name);
                "FAR BELOW"
            }
        };
        println!(
            "{}: {ratio:.1} x (quartiles {low:.1} to {high:.1}; {slow:.0} ns against {fast:.0} ns), \
             reach {} x, beyond {} x: {verdict}",
            row.name, row.reach, row.beyond
        );
    }

    /// Failure when a row was below half of its reach.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.far_below.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("below half of what is to be reached: {}", self.far_below.join(", "));
        ExitCode::FAILURE
    }
}

/// How often `run` can be called within `length`, at least once; it warms up what it measures.
fn calls_in(length: Duration, run: &mut impl FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        let took = time(calls, run) * f64::from(calls);
        if took > length.as_secs_f64() / 2.0 {
            let calls = f64::from(calls) * length.as_secs_f64() / took;
            return (calls as u32).max(1);
        }
        calls *= 2;
    }
}

/// The seconds that one call takes.
fn time(calls: u32, run: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        run();
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}
