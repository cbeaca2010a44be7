//! Records the CPU usage of this machine as line protocol, with the names of Telegraf's cpu plugin.
//!
//! Each sample has one point for every line of `/proc/stat` that starts with `cpu`. Its fields are
//! the percentages of time in each state since the last sample. This program has recorded
//! `data/cpu.lp`:
//!
//! ```sh
//! cargo run --release --example record -- --samples 1400 --every 1 --host node1 > cpu.lp
//! ```
//!
//! Runs until all samples are taken, or until it is interrupted. Every line is complete.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The columns of a `cpu` line in `/proc/stat`, in order, with Telegraf's names.
const FIELDS: [&str; 10] = [
    "usage_user",
    "usage_nice",
    "usage_system",
    "usage_idle",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];
const USAGE: &str = "usage: record [--samples N] [--every SECONDS] [--host NAME]

Writes the CPU usage of this machine to stdout as line protocol.

  --samples N      how many samples to take (default: until interrupted)
  --every SECONDS  time between two samples, fractions allowed (default: 1)
  --host NAME      value of the tag `host` (default: this machine's name)";

/// The ticks in each state since the start of the machine, for one CPU.
type Ticks = [u64; FIELDS.len()];

fn main() -> ExitCode {
    let settings = match Settings::from_args(std::env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("record: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match record(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("record: {problem}");
            ExitCode::FAILURE
        }
    }
}

struct Settings {
    samples: u64,
    every: Duration,
    host: Option<String>,
}

impl Settings {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut settings =
            Settings { samples: u64::MAX, every: Duration::from_secs(1), host: None };
        while let Some(name) = args.next() {
            if name == "-h" || name == "--help" {
                return Ok(None);
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let wrong = |_| format!("{name} {value}: not a valid number");
            match name.as_str() {
                "--samples" => settings.samples = value.parse().map_err(|_| wrong(()))?,
                "--every" => {
                    let seconds = value.parse().map_err(|_| wrong(()))?;
                    settings.every = Duration::try_from_secs_f64(seconds).map_err(|_| wrong(()))?;
                }
                "--host" => settings.host = Some(value),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        Ok(Some(settings))
    }
}

fn record(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let host = match &settings.host {
        Some(host) => host.clone(),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned(),
    };
    // These characters separate the parts of a line. Valid host names contain none of them.
    let host = host.replace([' ', ',', '=', '\\'], "_");
    let mut before = read_ticks()?;
    let mut next = Instant::now();
    for _ in 0..settings.samples {
        // Counted from the start, so that the samples do not drift.
        next += settings.every;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let after = read_ticks()?;
        let mut lines = String::new();
        for (cpu, ticks) in &after {
            if let Some(usage) = before.get(cpu).and_then(|before| usage(before, ticks)) {
                let fields: Vec<String> = FIELDS
                    .iter()
                    .zip(usage)
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                lines += &format!("cpu,cpu={cpu},host={host} {} {now}\n", fields.join(","));
            }
        }
        std::io::stdout().lock().write_all(lines.as_bytes())?;
        before = after;
    }
    Ok(())
}

/// Returns the percentages between two readings, rounded to hundredths. Returns none if no time has
/// passed.
fn usage(before: &Ticks, after: &Ticks) -> Option<[f64; FIELDS.len()]> {
    let spent: Ticks = std::array::from_fn(|i| after[i].saturating_sub(before[i]));
    // The kernel includes the time of guests in the time of users.
    let total: u64 = spent[..8].iter().sum();
    (total > 0).then(|| spent.map(|ticks| (ticks as f64 * 10_000.0 / total as f64).round() / 100.0))
}

fn read_ticks() -> Result<BTreeMap<String, Ticks>, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let mut all = BTreeMap::new();
    for line in stat.lines().filter(|line| line.starts_with("cpu")) {
        let mut columns = line.split_whitespace();
        let name = match columns.next() {
            Some("cpu") | None => "cpu-total".to_owned(),
            Some(cpu) => cpu.to_owned(),
        };
        let mut ticks = Ticks::default();
        for (tick, column) in ticks.iter_mut().zip(columns) {
            *tick = column.parse()?;
        }
        all.insert(name, ticks);
    }
    Ok(all)
}
