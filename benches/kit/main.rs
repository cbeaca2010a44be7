//! Measures the costs of the kit: the example programs, compared with raw echoes of bytes, and the
//! resources of their processes.
//!
//! `cargo bench -p udf-benches` prints every row of the table in docs/performance.md with its
//! target and its verdict. With names of sections after `--`, it prints only these sections.

mod allocations;
mod binary;
mod echo;
mod growth;
mod idle;
mod lines;
mod liveness;
mod many;
mod nats;
mod programs;
mod state;
mod supervise;
mod table;
mod telegraf;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

/// Prints rows to the table, or returns why it could not measure.
type Section = fn(&mut Table) -> Result<(), Box<dyn Error>>;

const SECTIONS: [(&str, &str, Section); 13] = [
    ("allocations", "allocations of a warm agent", allocations::measure),
    ("echo", "throughput, CPU and round trips, compared with a raw echo", echo::measure),
    ("lines", "line protocol to frames and back", lines::measure),
    ("telegraf", "a UDF in Telegraf, compared with cat", telegraf::measure),
    ("nats", "a UDF over NATS JetStream, compared with a pull and a publish", nats::measure),
    ("supervise", "supervised UDFs, compared with the same ones alone", supervise::measure),
    ("liveness", "how often Kapacitor receives messages from a busy connection", liveness::measure),
    ("many", "1,000 open connections", many::measure),
    ("state", "snapshot and restore of 1 million groups", state::measure),
    ("idle", "a daemon without connections", idle::measure),
    ("size", "the size of a program", binary::size),
    ("build", "a clean build", binary::build),
    ("growth", "how cost grows with fields, groups, batches and connections", growth::measure),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| !arg.starts_with('-')).collect();
    let known = |name: &&str| SECTIONS.iter().any(|(section, ..)| section == name);
    if !names.iter().all(known) || args.iter().any(|arg| arg == "--help") {
        println!("usage: cargo bench -p udf-benches -- [SECTION...]\n\nall sections, or some of:");
        for (name, what, _) in SECTIONS {
            println!("  {name:12} {what}");
        }
        return ExitCode::from(2);
    }
    // Without `--bench`, as a test, the program only has to build.
    if !args.iter().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut table = Table::default();
    let mut failed = false;
    for (name, what, section) in SECTIONS {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        println!("\n{name}: {what}");
        if let Err(error) = section(&mut table) {
            failed = true;
            println!("  {name} could not be measured: {error}");
        }
    }
    table.print();
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
