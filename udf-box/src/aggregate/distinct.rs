//! The number of different values, in bounded memory.

use std::time::Duration;

use cardinality_estimator::CardinalityEstimator;
use serde::{Deserialize, Serialize};
use udf_runtime::options::{FieldName, TagName};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Tick, udf};

use crate::common::window::{Closed, Window};
use crate::common::{hash, subject};

/// How many different values a tag or a field has in a window of time, by HyperLogLog.
#[udf(wants = stream, provides = stream, tick = every, at_least_one_of(field, tag))]
pub struct Distinct {
    /// Field whose values are counted.
    #[option(conflicts = tag)]
    field: Option<FieldName>,
    /// Tag whose values are counted.
    #[option]
    tag: Option<TagName>,
    /// Length of a window. Windows are aligned to 1970-01-01.
    #[option(default = "1m", range = "1ms"..)]
    every: Duration,
    /// Name of the field that is sent.
    #[option(default = "distinct")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, tag, every), max = max_groups)]
    windows: Groups<Window<Values>>,
}

/// The values of a window.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Values {
    seen: CardinalityEstimator<str>,
    count: i64,
}

impl Distinct {
    /// Sends the number of values of a window.
    fn send(
        &self,
        group: &Group,
        closed: &Closed<Values>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let Values { seen, count } = &closed.value;
        let point = out.build_in(group).time(closed.end);
        // A float, because it is an estimate.
        Ok(point.field(&self.r#as, seen.estimate() as f64).field("count", *count).send()?)
    }
}

impl StreamUdf for Distinct {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = subject::value(point, self.field.as_ref(), self.tag.as_ref())?;
        let closed = Window::add(&mut self.windows, point, self.every, |values| {
            values.seen.insert_hash(mixed(hash(&[value.as_bytes()])));
            values.count += 1;
        });
        closed.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}

impl Tick for Distinct {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let silent = Window::silent(&mut self.windows);
        silent.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}

/// Spreads the bits of a hash: the estimate needs all of them (the finalizer of MurmurHash3).
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
