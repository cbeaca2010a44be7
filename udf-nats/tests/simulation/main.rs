//! Runs the drivers over a log in memory, in thousands of orders, with faults.
//!
//! In each run, several workers drive one or more partitions at once, or split raw input. Workers are dropped at any
//! point, paused and woken, told to leave, and started. Requests are refused, lost, late, or not
//! answered, the server restarts, and the UDF dies. At the end, the output must be that of a run
//! without faults, line for line.
//!
//! A run follows from its seed alone. `SIM_SEED=n` runs one seed, and prints what happens.
//! `SIM_RUNS=n` sets the number of seeds.

mod log;
mod oracle;
mod server;
mod sim;
mod udf;
mod unhappy;
mod worker;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::Kind;

/// The seeds of an ordinary test run, for each kind.
const RUNS: u64 = 2500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn the_output_of_each_partition_is_that_of_a_run_without_faults() {
    run_all(Kind::Partitions);
}

#[test]
fn each_raw_line_is_in_its_partition_once() {
    run_all(Kind::Split);
}

fn run_all(kind: Kind) {
    if let Some(seed) = number("SIM_SEED") {
        world::run(kind, seed, true).expect("the output is right");
        return;
    }
    let mut done = world::Counts::default();
    for seed in 0..number("SIM_RUNS").unwrap_or(RUNS) {
        match catch_unwind(AssertUnwindSafe(|| world::run(kind, seed, false))) {
            Ok(Ok(counts)) => done.add(&counts),
            Ok(Err(why)) => panic!("seed {seed}: {why}\nto run it again: SIM_SEED={seed}"),
            Err(_) => panic!("seed {seed} panicked\nto run it again: SIM_SEED={seed}"),
        }
    }
    println!("{done:?}");
    // The faults are worth nothing if they do not happen.
    assert!(number("SIM_RUNS").is_some() || done.are_all_large(kind), "{done:?}");
}
