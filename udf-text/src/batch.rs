//! Whole batches.

use std::collections::BTreeMap;

use udf_proto::{BeginBatch, EndBatch, Points};

/// A batch of points, sent to a UDF or by a UDF.
///
/// On the wire, a batch is a BeginBatch, its points, and an EndBatch. Two batches are equal if all
/// members are equal. The order of tags and fields within a point does not matter.
///
/// ```
/// use udf_text::batch::WholeBatch;
/// use udf_proto::{PointBuf, messages};
///
/// let mut batch = WholeBatch { name: "cpu".into(), tmax: 10, ..WholeBatch::default() };
/// let point = PointBuf::from(messages::Point { time: 7, ..Default::default() });
/// batch.points.push(&point.as_point());
/// assert_eq!(batch, batch.clone());
/// ```
#[derive(Debug, Clone, Default)]
pub struct WholeBatch {
    /// The name of the measurement.
    pub name: String,
    /// The group, empty without grouping. Kapacitor recomputes the group of a batch from a UDF.
    pub group: String,
    /// The tags that all points share.
    pub tags: BTreeMap<String, String>,
    /// Whether the measurement's name is part of the group.
    pub by_name: bool,
    /// The time of the batch in nanoseconds since the epoch. No point is later.
    pub tmax: i64,
    /// The points. Kapacitor sends only the time, group, tags and fields of each.
    pub points: Points,
}

impl WholeBatch {
    /// Returns the message that begins the batch. Its size is the number of points.
    pub fn begin(&self) -> BeginBatch {
        BeginBatch {
            name: self.name.clone(),
            group: self.group.clone(),
            tags: self.tags.clone(),
            size: i64::try_from(self.points.len()).unwrap_or(i64::MAX),
            by_name: self.by_name,
        }
    }

    /// Returns the message that ends the batch. As in the messages of Kapacitor, `byName` is unset.
    pub fn end(&self) -> EndBatch {
        EndBatch {
            name: self.name.clone(),
            group: self.group.clone(),
            tmax: self.tmax,
            tags: self.tags.clone(),
            by_name: false,
        }
    }
}

impl PartialEq for WholeBatch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.group == other.group
            && self.tags == other.tags
            && self.by_name == other.by_name
            && self.tmax == other.tmax
            && self.points.iter().eq(other.points.iter())
    }
}
