//! Runs fuzz targets for a given time, or replays the input of a finding.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Arg, Command, value_parser};
use udf_fuzz::targets::TARGETS;
use udf_fuzz::{Settings, Target, replay, run};

fn main() -> ExitCode {
    let names = TARGETS.iter().map(|target| target.name).chain(["all"]).collect::<Vec<_>>();
    let list = TARGETS.iter().map(|target| format!("  {:8} {}\n", target.name, target.promise));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let matches = Command::new("udf-fuzz")
        .about("Feeds every parser of outside input with valid and damaged bytes.")
        .after_help(format!("Targets:\n{}", list.collect::<String>()))
        .args([
            Arg::new("target").required(true).value_parser(names).help("The target, or all"),
            Arg::new("input")
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .help("Run once over each of these files instead"),
            Arg::new("seconds")
                .long("seconds")
                .value_parser(value_parser!(u64))
                .default_value("60")
                .help("Seconds to run each target"),
            Arg::new("seed")
                .long("seed")
                .value_parser(value_parser!(u64))
                .help("Seed of the random numbers; defaults to the time"),
        ])
        .get_matches();
    let seed = matches.get_one("seed").copied().unwrap_or(now.as_nanos() as u64);
    let settings = Settings {
        time: Duration::from_secs(matches.get_one("seconds").copied().unwrap_or(60)),
        seed,
        findings: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("findings"),
    };
    let chosen = matches.get_one::<String>("target").cloned().unwrap_or_default();
    let inputs: Vec<&PathBuf> = matches.get_many("input").into_iter().flatten().collect();
    let mut failed = false;
    for target in TARGETS.iter().filter(|target| chosen == "all" || chosen == target.name) {
        failed |= if inputs.is_empty() { feed(target, &settings) } else { again(target, &inputs) };
    }
    ExitCode::from(u8::from(failed))
}

/// Runs a target. Returns whether there was a finding.
fn feed(target: &Target, settings: &Settings) -> bool {
    println!("{}: {} s, --seed {}", target.name, settings.time.as_secs(), settings.seed);
    match run(target, settings) {
        Ok(done) => {
            println!(
                "{}: {} inputs, {} kept, {} different observations, no finding",
                target.name, done.runs, done.kept, done.seen
            );
            false
        }
        Err(finding) => {
            println!("{finding}");
            true
        }
    }
}

/// Replays inputs. Returns whether one of them still breaks the target.
fn again(target: &Target, inputs: &[&PathBuf]) -> bool {
    let mut failed = false;
    for path in inputs {
        let outcome = std::fs::read(path)
            .map_err(|error| error.to_string())
            .and_then(|input| replay(target, &input));
        match outcome {
            Ok(()) => println!("{}: {} breaks nothing", target.name, path.display()),
            Err(error) => {
                println!("{}: {}: {error}", target.name, path.display());
                failed = true;
            }
        }
    }
    failed
}
