//! Counts the allocations of an agent per point: index, read, edit and emit.

use std::error::Error;
use std::io::{Cursor, sink};
use std::iter;

use udf_cli::sample::Sample;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{BeginBatch, EndBatch};
use udf_proto::{Init, PointBuf, messages};
use udf_runtime::state::Groups;
use udf_runtime::{
    Agent, BatchView, Emitter, Point, Result as UdfResult, Stream, StreamUdf, Udf, UdfHandler,
    WholeBatchUdf, udf,
};

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

/// Sums a field of each batch.
#[udf(wants = batch, provides = stream)]
struct SumBatch {}

impl WholeBatchUdf for SumBatch {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Stream>) -> UdfResult<()> {
        let values = batch.read(|point| point.number("usage_user"))?;
        Ok(out.build("sum").field("sum", values.iter().sum::<f64>()).send()?)
    }
}

const POINTS: usize = 100_000;
const BATCHES: usize = 100;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let goal = || Goal::AtMost { reach: 0.0, beyond: f64::NAN };
    let (some, more) = (points(POINTS)?, points(2 * POINTS)?);
    let each = more.saturating_sub(some) as f64 / POINTS as f64;
    table.row("allocations for a point, warm", each, "", goal());
    println!("    {some} for a connection with {POINTS} points, {more} for twice as many");
    for count in [1_000, 100_000, 900_000] {
        println!("    {} bytes for each of {count} groups with a sum", bytes_of_groups(count));
    }

    let of = POINTS / BATCHES;
    let (some, more) = (batches(of)?, batches(2 * of)?);
    let each = more.saturating_sub(some) as f64 / POINTS as f64;
    table.row("allocations for a point of a whole batch, warm", each, "", goal());
    println!(
        "    {some} for {BATCHES} batches of {of} points, {more} for batches of twice as many"
    );
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
fn points(points: usize) -> Result<u64, Box<dyn Error>> {
    let sample = Sample::of(&Init::default());
    allocations::<Sum>((0..points).map(|number| Ask::Point(sample.point(number))))
}

/// Returns the number of allocations of a connection with [`BATCHES`] batches of `points` points,
/// after a batch that makes room.
fn batches(points: usize) -> Result<u64, Box<dyn Error>> {
    let sample = Sample::of(&Init::default());
    let batch = |points: usize| {
        let points = (0..points).map(|number| Ask::Point(sample.point(number)));
        iter::once(Ask::Begin(BeginBatch::default()))
            .chain(points)
            .chain(iter::once(Ask::End(EndBatch::default())))
    };
    let sizes = iter::once(2 * POINTS / BATCHES).chain(iter::repeat_n(points, BATCHES));
    allocations::<SumBatch>(sizes.flat_map(batch))
}

/// Returns the number of allocations of a connection with these requests.
fn allocations<T: Udf + 'static>(
    requests: impl Iterator<Item = Ask>,
) -> Result<u64, Box<dyn Error>> {
    let mut input = Vec::new();
    append(Ask::Init(Init::default().into()), &mut input);
    requests.for_each(|request| append(request, &mut input));
    let mut result = Ok(());
    let count = allocation_counter::measure(|| {
        result = Agent::new(Cursor::new(input), sink(), UdfHandler::<T>::new()).run();
    });
    result?;
    Ok(count.count_total)
}
