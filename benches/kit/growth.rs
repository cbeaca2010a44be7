//! Measures how the cost of a point grows with fields, groups, batches and connections.

use std::error::Error;
use std::time::Duration;

use udf_cli::Target;
use udf_cli::bench::{Load, Subject, compare};
use udf_host::Writes;
use udf_proto::{EdgeType, Init, Value};

use crate::programs::{Daemon, example, init, moving_avg};
use crate::table::Table;

const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_secs(1);

pub(crate) fn measure(_: &mut Table) -> Result<(), Box<dyn Error>> {
    let (mirrors, averages) = (Daemon::start("mirror", &[])?, Daemon::start("moving_avg", &[])?);
    let (mirror, average) = (mirrors.subject(Init::default()), averages.subject(moving_avg()));
    let options = init(&[("field", Value::from("usage_user"))]);
    let outliers = Subject::udf(Target::program(example("outliers")?), options);
    let stream = Load::new(EdgeType::Stream, Writes::Large);
    let batch = Load::new(EdgeType::Batch, Writes::Large);

    for fields in [2, 5, 10, 20, 50] {
        let sample = stream.sample.clone().fields(fields);
        let load = stream.clone().sample(sample);
        line("mirror over a socket, floats in a point", fields, &mirror, &load)?;
    }
    for groups in [1, 8, 1000, 100_000, 1_000_000] {
        let sample = stream.sample.clone().groups(groups);
        let load = stream.clone().sample(sample);
        line("moving_avg over a socket, groups", groups, &average, &load)?;
    }
    for points in [1, 10, 100, 1000, 10_000] {
        let load = batch.clone().batch(points);
        line("outliers over pipes, points in a batch", points, &outliers, &load)?;
    }
    for connections in [1, 2, 8, 64, 256] {
        let load = stream.clone().connections(connections);
        line("mirror over a socket, connections", connections, &mirror, &load)?;
    }
    Ok(())
}

fn line(what: &str, count: usize, subject: &Subject, load: &Load) -> Result<(), Box<dyn Error>> {
    let row = compare(subject, load, ROUNDS, SLICE, None, &mut |_| {})?;
    println!(
        "  {what}: {count:>7}: {:.2} million points/s, {:.2} of an echo, {:.2} s of CPU for a million, {} MiB",
        row.points_per_second_in / 1e6,
        row.ratio_to_echo,
        row.cpu_seconds_per_million_points.unwrap_or(f64::NAN),
        row.peak_memory_bytes.unwrap_or_default() >> 20,
    );
    Ok(())
}
