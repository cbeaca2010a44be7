//! Collects the data of a replay for a picture. Without the feature `plot`, nothing is collected.

use udf_proto::Point;
use udf_text::batch::WholeBatch;

use super::output::Lines;
use crate::session::Sink;

/// Sees the data that a replay sends and receives.
#[derive(Default)]
pub(super) struct Watch {
    #[cfg(feature = "plot")]
    pub(super) tracks: Option<super::tracks::Tracks>,
}

impl Watch {
    /// Returns whether the input must be shown.
    pub(super) fn sees(&self) -> bool {
        #[cfg(feature = "plot")]
        return self.tracks.is_some();
        #[cfg(not(feature = "plot"))]
        false
    }

    /// Sees a point before it is sent.
    pub(super) fn point(&mut self, _point: Point<'_>) {
        #[cfg(feature = "plot")]
        if let Some(tracks) = &mut self.tracks {
            tracks.sent.point(_point);
        }
    }

    /// Sees a batch before it is sent.
    pub(super) fn batch(&mut self, _batch: &WholeBatch) {
        #[cfg(feature = "plot")]
        if let Some(tracks) = &mut self.tracks {
            tracks.sent.batch(_batch);
        }
    }

    /// Returns the sink for the data of the UDF, which passes the data on to `lines`.
    pub(super) fn sink(&self, lines: Lines) -> Box<dyn Sink> {
        #[cfg(feature = "plot")]
        if let Some(tracks) = &self.tracks {
            return tracks.sink(lines);
        }
        Box::new(lines)
    }
}
