//! Checks with many groups, and with batches of every length.

use udf_proto::EdgeType;
use udf_proto::messages::request::Message as Ask;

use super::context::Context;
use super::points::{shortened, sized};
use super::values::or_stops;
use super::{Check, CheckResult, Needs, Outcome, Where, check};

pub(super) const CHECKS: [Check; 3] = [
    check("many_groups", Needs::Data, many_groups, "groups come and go, thousands of them")
        .after(&["keepalive_while_busy"]),
    check(
        "short_batches",
        Needs::Data,
        short_batches,
        "a window with little data is a batch of two points, of one, or of none",
    )
    .only(Where::Wants(EdgeType::Batch)),
    check(
        "batch_size_hint",
        Needs::Data,
        batch_size_hint,
        "the size of a batch is a hint: the batch is handled even if the size is 0 or incorrect",
    )
    .only(Where::Wants(EdgeType::Batch)),
];

/// The number of groups.
const GROUPS: usize = 2000;

fn many_groups(context: &mut Context) -> CheckResult {
    let Some(data) = context.source.grouped(context.wants(), GROUPS) else {
        return Ok(Outcome::Skip("its points are not grouped by tags; see --group-by".to_owned()));
    };
    let mut wire = context.started()?;
    context.feed_slowly(&mut wire, data.into_iter().flatten().collect())?;
    Ok(Outcome::Pass)
}

/// Returns an ordinary batch with at most this many points.
fn batch(context: &Context, number: usize, most: usize) -> Vec<Ask> {
    shortened(context.source.batch(number), most)
}

fn short_batches(context: &mut Context) -> CheckResult {
    for (what, points) in
        [("a batch of two points", 2), ("a batch of one point", 1), ("a batch without points", 0)]
    {
        let mut wire = context.started()?;
        context.feed(&mut wire, 0..1);
        for ask in batch(context, 1, points) {
            wire.ask(ask);
        }
        let verdict = or_stops(wire.settle(), what)?;
        if verdict != Outcome::Pass {
            return Ok(verdict);
        }
    }
    Ok(Outcome::Pass)
}

fn batch_size_hint(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    for (number, size) in [0, 1, 1 << 20].into_iter().enumerate() {
        let mut batch = context.source.batch(number);
        let points = batch.iter().filter(|ask| matches!(ask, Ask::Point(_))).count();
        sized(&mut batch, size);
        for ask in batch {
            wire.ask(ask);
        }
        if let Err(fault) = wire.settle() {
            return Ok(Outcome::Fail(format!(
                "a batch of {points} points with the size {size}: {fault}"
            )));
        }
    }
    Ok(Outcome::Pass)
}
