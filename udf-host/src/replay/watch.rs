//! Sees the data of a replay on its way.

use udf_proto::Point;
use udf_text::batch::WholeBatch;

use super::output::Lines;
use crate::session::Sink;

/// Sees the data that a replay sends and receives.
pub(super) trait Watch {
    /// Whether the input must be shown.
    const SEES: bool;

    /// Sees a point before it is sent.
    fn point(&mut self, point: Point<'_>);

    /// Sees a batch before it is sent.
    fn batch(&mut self, batch: &WholeBatch);

    /// Returns the sink for the data of the UDF, which passes it on to `lines`.
    fn sink(&self, lines: Lines) -> Box<dyn Sink>;
}

/// Sees nothing.
impl Watch for () {
    const SEES: bool = false;

    fn point(&mut self, _point: Point<'_>) {}

    fn batch(&mut self, _batch: &WholeBatch) {}

    fn sink(&self, lines: Lines) -> Box<dyn Sink> {
        Box::new(lines)
    }
}
