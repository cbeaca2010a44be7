//! The UDFs of the targets.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::OptionType;
use udf_runtime::state::Groups;
use udf_runtime::{
    Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Group, Point, PointBuf, Points, Result, Stream,
    StreamUdf, udf,
};

/// The volume.
#[derive(Debug, OptionType)]
pub(crate) enum Level {
    /// Low.
    Quiet,
    /// High.
    VeryLoud,
}

/// Every kind of option.
#[udf(wants = stream, provides = stream)]
#[expect(dead_code, reason = "they are set, and that is all")]
pub(crate) struct Everything {
    /// Text.
    #[option]
    field: String,
    /// A range.
    #[option(default = 10, range = 1..=1000)]
    pub(crate) size: usize,
    /// A half-open range.
    #[option(default = 0.5, range = 0.0..1.0)]
    pub(crate) share: f64,
    /// A time.
    #[option(default = "10s")]
    window: Duration,
    /// A choice.
    #[option]
    pub(crate) level: Option<Level>,
    /// Two arguments.
    #[option]
    pair: Option<(i64, String)>,
    /// Several calls.
    #[option(len = ..=3)]
    pub(crate) many: Vec<u32>,
    /// No argument.
    #[option(flag)]
    pub(crate) flag: bool,
    /// An optional argument.
    #[option]
    pub(crate) maybe: Option<bool>,
    /// A path.
    #[option]
    path: Option<PathBuf>,
    /// A small number.
    #[option(default = 0)]
    small: i8,
}

impl StreamUdf for Everything {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

/// A state with several parts.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Mean {
    sum: f64,
    values: VecDeque<f64>,
    #[serde(default)]
    names: BTreeMap<String, Option<i32>>,
}

/// Averages a field by group.
#[udf(wants = stream, provides = stream)]
pub(crate) struct Means {
    /// Field to average.
    #[option(default = "usage")]
    field: String,
    /// Points in the window.
    #[option(default = 3, range = 1..=100)]
    size: usize,
    #[state]
    means: Groups<Mean>,
    #[state]
    total: u64,
    #[state]
    last: Option<String>,
    #[state]
    points: Points,
    #[state]
    newest: PointBuf,
    #[state]
    group: Group,
    #[state]
    begin: BeginBatch,
}

impl StreamUdf for Means {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = point.number(&self.field)?;
        let mean = self.means.of(point);
        mean.sum += value;
        mean.values.push_back(value);
        while mean.values.len() > self.size {
            mean.sum -= mean.values.pop_front().unwrap_or_default();
        }
        mean.names.insert(point.name().to_owned(), None);
        self.total = self.total.wrapping_add(1);
        self.last = point.tag("host").map(str::to_owned);
        if self.points.len() == 5 {
            self.points.clear();
        }
        self.points.push(point);
        self.newest = point.to_buf();
        self.group = Group::from(point);
        self.begin = BeginBatch::from(&self.group);
        out.pass(point)?;
        let mean = mean.sum / mean.values.len() as f64;
        out.edit(point).only_field("mean", mean).tag("fed", "yes").send()?;
        Ok(())
    }
}

/// Returns batches unchanged.
#[udf(wants = batch, provides = batch)]
pub(crate) struct Copies {
    begin: BeginBatch,
    points: Points,
}

impl BatchUdf for Copies {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        self.begin = begin.clone();
        self.points.clear();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        self.points.push(point);
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&self.begin);
        for point in self.points.iter() {
            batch.pass(&point);
            batch.edit(&point).field("more", point.time() as f64).send()?;
        }
        if self.points.len() == 3 {
            // The batch is dropped.
            return Ok(());
        }
        Ok(batch.end(end.tmax)?)
    }
}

/// Makes a batch of every two points of a stream.
#[udf(wants = stream, provides = batch)]
pub(crate) struct Pairs {
    points: Points,
}

impl StreamUdf for Pairs {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        self.points.push(point);
        if self.points.len() < 2 {
            return Ok(());
        }
        let mut batch = out.begin(&BeginBatch { name: point.name().into(), ..Default::default() });
        for point in self.points.iter() {
            batch.pass(&point);
        }
        batch.end(point.time())?;
        self.points.clear();
        Ok(())
    }
}

/// Makes a point of each batch.
#[udf(wants = batch, provides = stream)]
pub(crate) struct Counts {
    #[state]
    count: i64,
}

impl BatchUdf for Counts {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        self.count = 0;
        Ok(())
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.count += 1;
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.build(&end.name).time(end.tmax).field("count", self.count).send()?)
    }
}
