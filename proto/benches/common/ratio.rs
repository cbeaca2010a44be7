//! Compares the speed of two pieces of code, which run alternately in one process.
//!
//! Times vary by half from one run to the next. Ratios of times that were measured side by side do
//! not.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One comparison and its target.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The target ratio.
    pub(crate) reach: f64,
    /// The ratio at which the target is exceeded.
    pub(crate) beyond: f64,
}

/// How many rounds to measure, and how long.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    rounds: usize,
    /// How long each side runs in a round.
    sample: Duration,
}

impl Effort {
    pub(crate) const FULL: Effort = Effort { rounds: 4001, sample: Duration::from_micros(200) };
    /// About a second per row. Enough to detect code that has become much slower.
    pub(crate) const SHORT: Effort = Effort { rounds: 1001, sample: Duration::from_micros(200) };
}

/// The result of a run.
#[derive(Default)]
pub(crate) struct Verdicts {
    far_below: Vec<&'static str>,
}

impl Verdicts {
    /// Measures a row and prints the ratio. Each call of `reference` and of `ours` handles `items`
    /// points.
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
            ratio if ratio >= row.beyond => "stretch target met",
            ratio if ratio >= row.reach => "met",
            ratio if ratio >= row.reach / 2.0 => "MISSED",
            _ => {
                self.far_below.push(row.name);
                "FAR BELOW"
            }
        };
        println!(
            "{}: {ratio:.1} x (quartiles {low:.1} to {high:.1}; {slow:.0} ns against {fast:.0} ns), \
             target {} x, stretch target {} x: {verdict}",
            row.name, row.reach, row.beyond
        );
    }

    /// Returns failure if a row was below half of its target.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.far_below.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("below half of the target: {}", self.far_below.join(", "));
        ExitCode::FAILURE
    }
}

/// Returns how often `run` fits into `length`, at least once. The calls also warm up the code.
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

/// Returns the seconds per call.
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
