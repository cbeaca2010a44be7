//! The output of an edge, and built points.

use std::convert::Infallible;

use udf_host::{Error, Interface, Loopback, Receiver};
use udf_proto::point::{EditScratch, PointSink};

use super::WholeBatch;
use super::lines::{self, Line};
use crate::agent::edge::{Batch, Edge, Stream};
use udf_proto::{Point, PointBuf};

/// The output of a UDF that provides this edge: points, or whole batches.
pub trait Emitted: Edge {
    /// [`PointBuf`] or [`WholeBatch`].
    type Item: std::fmt::Debug;

    #[doc(hidden)]
    fn receiver(udf: &Loopback) -> Result<Receiver<Self::Item>, Error>;
    #[doc(hidden)]
    fn lines(item: &Self::Item, lines: &mut Vec<Line>);
}

impl Emitted for Stream {
    type Item = PointBuf;

    fn receiver(udf: &Loopback) -> Result<Receiver<PointBuf>, Error> {
        udf.point_out()
    }

    fn lines(item: &PointBuf, lines: &mut Vec<Line>) {
        let point = item.as_point();
        lines.push(lines::point(point.name(), point.tags().collect(), &point));
    }
}

impl Emitted for Batch {
    type Item = WholeBatch;

    fn receiver(udf: &Loopback) -> Result<Receiver<WholeBatch>, Error> {
        udf.batch_out()
    }

    fn lines(batch: &WholeBatch, lines: &mut Vec<Line>) {
        lines.push(lines::batch(&batch.name, &batch.tags, batch.tmax));
        for point in batch.points.iter() {
            // The tags of a batch apply to all its points, even if the points do not repeat them.
            let shared = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            lines.push(lines::point(&batch.name, shared.chain(point.tags()).collect(), &point));
        }
    }
}

/// Receives the point that [`point`](super::point()) builds.
#[derive(Debug, Default)]
pub struct Built {
    scratch: EditScratch,
    bytes: Vec<u8>,
}

impl Built {
    pub(super) fn into_point(self) -> PointBuf {
        PointBuf::parse(self.bytes).expect("what is built is a point")
    }
}

impl PointSink for Built {
    type Error = Infallible;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.scratch
    }

    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Infallible> {
        self.bytes.clear();
        self.scratch.plan(base);
        self.scratch.write(base, &mut self.bytes);
        Ok(())
    }
}
