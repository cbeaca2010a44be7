//! Throughput, CPU and round trips, compared with a raw echo of the same bytes over the same
//! transport.

use std::error::Error;
use std::time::Duration;

use udf_cli::Target;
use udf_cli::bench::{Load, Row, Subject, compare};
use udf_host::Writes;
use udf_proto::{EdgeType, Init, Value};

use crate::programs::{Daemon, example, init, moving_avg};
use crate::table::{Goal, Table};

/// How often the UDF and the echo alternate.
pub(crate) const ROUNDS: usize = 9;

/// The duration of each turn of both.
pub(crate) const SLICE: Duration = Duration::from_secs(2);

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mirror = Daemon::start("mirror", &[])?;
    let average = Daemon::start("moving_avg", &[])?;
    let spawned = Subject::udf(Target::program(example("mirror")?), Init::default());
    let options = init(&[("field", Value::from("usage_user"))]);
    let outliers = Subject::udf(Target::program(example("outliers")?), options);
    let stream = |writes| Load::new(EdgeType::Stream, writes);

    let (echoed, averaged) = (mirror.subject(Init::default()), average.subject(moving_avg()));
    let large = beside(
        "mirror over a socket, of an echo",
        &echoed,
        &stream(Writes::Large),
        0.45,
        0.60,
        table,
    )?;
    beside(
        "moving_avg over a socket, of an echo",
        &averaged,
        &stream(Writes::Large),
        0.35,
        0.50,
        table,
    )?;
    let batches = Load::new(EdgeType::Batch, Writes::Large).batch(1000);
    beside("outliers over pipes, of cat", &outliers, &batches, 0.25, 0.40, table)?;
    beside(
        "mirror, Kapacitor's writes, of an echo",
        &echoed,
        &stream(Writes::Kapacitor),
        0.90,
        0.98,
        table,
    )?;
    beside("mirror over pipes, of cat", &spawned, &stream(Writes::Large), 0.58, 0.72, table)?;

    let cpu = large.cpu_seconds_per_million_points.ok_or("the CPU time is unknown")?;
    let goal = |reach, beyond| Goal::AtMost { reach, beyond };
    table.row("mirror's CPU for a million points", cpu, "s", goal(0.25, 0.16));
    let above = |of: fn(&Row) -> (f64, f64)| {
        let (ours, echo) = of(&large);
        ours - echo
    };
    let p50 = above(|row| (row.latency_us.p50, row.echo_latency_us.p50));
    let p99 = above(|row| (row.latency_us.p99, row.echo_latency_us.p99));
    table.row("round trip above an echo's, p50", p50, "us", goal(2.0, 1.0));
    table.row("round trip above an echo's, p99", p99, "us", goal(5.0, 2.0));
    Ok(())
}

fn beside(
    measure: &str,
    subject: &Subject,
    load: &Load,
    reach: f64,
    beyond: f64,
    table: &mut Table,
) -> Result<Row, Box<dyn Error>> {
    let row = compare(subject, load, ROUNDS, SLICE, None, &mut |_| {})?;
    table.row(measure, row.ratio_to_echo, "", Goal::AtLeast { reach, beyond });
    println!(
        "    {:.2} million points/s of {:.2}; round trips p50 {} and p99 {} us of {} and {}; {} s of CPU for a million",
        row.points_per_second_in / 1e6,
        row.echo_points_per_second / 1e6,
        row.latency_us.p50,
        row.latency_us.p99,
        row.echo_latency_us.p50,
        row.echo_latency_us.p99,
        row.cpu_seconds_per_million_points.unwrap_or(f64::NAN),
    );
    Ok(row)
}
