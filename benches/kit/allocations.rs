//! Counts the allocations of an agent per point: index, read, edit and emit.

use std::error::Error;
use std::io::{Cursor, sink};

use udf_cli::sample::Sample;
use udf_proto::messages::request::Message as Ask;
use udf_proto::{Init, PointBuf, messages};
use udf_runtime::state::Groups;
use udf_runtime::{Agent, Emitter, Point, Result as UdfResult, Stream, StreamUdf, UdfHandler, udf};

use crate::table::{Goal, Table};
use crate::wire::append;

/// Sums a field by group.
#[udf(wants = stream, provides = stream)]
struct Sum {
    sums: Groups<f64>,
}

impl StreamUdf for Sum {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> UdfResult<()> {
        let sum = self.sums.of(point);
        *sum += point.number("usage_user")?;
        Ok(out.edit(point).only_field("sum", *sum).send()?)
    }
}

const POINTS: usize = 100_000;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let (some, more) = (allocations(POINTS)?, allocations(2 * POINTS)?);
    let each = more.saturating_sub(some) as f64 / POINTS as f64;
    table.row(
        "allocations for a point, warm",
        each,
        "",
        Goal::AtMost { reach: 0.0, beyond: f64::NAN },
    );
    println!("    {some} for a connection with {POINTS} points, {more} for twice as many");
    for count in [1_000, 100_000, 900_000] {
        println!("    {} bytes for each of {count} groups with a sum", bytes_of_groups(count));
    }
    Ok(())
}

/// Returns the memory of each of `count` groups of points by host, with a float for a value.
fn bytes_of_groups(count: usize) -> usize {
    let mut sums = Groups::<f64>::default();
    let measured = allocation_counter::measure(|| {
        for number in 0..count {
            let host = format!("host{number:07}");
            let point = PointBuf::from(messages::Point {
                name: "cpu".to_owned(),
                group: format!("host={host}"),
                dimensions: vec!["host".to_owned()],
                tags: [("host".to_owned(), host), ("cpu".to_owned(), "0".to_owned())].into(),
                ..messages::Point::default()
            });
            *sums.of(&point.as_point()) += 1.0;
        }
    });
    measured.bytes_current as usize / count
}

/// Returns the number of allocations of a connection with `points` points.
fn allocations(points: usize) -> Result<u64, Box<dyn Error>> {
    let sample = Sample::of(&Init::default());
    let mut input = Vec::new();
    append(Ask::Init(Init::default().into()), &mut input);
    for number in 0..points {
        append(Ask::Point(sample.point(number)), &mut input);
    }
    let mut result = Ok(());
    let count = allocation_counter::measure(|| {
        result = Agent::new(Cursor::new(input), sink(), UdfHandler::<Sum>::new()).run();
    });
    result?;
    Ok(count.count_total)
}
