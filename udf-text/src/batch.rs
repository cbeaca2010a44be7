//! What travels in the channels beside single points: a batch as a whole.

use std::collections::BTreeMap;

use udf_proto::{BeginBatch, EndBatch, Points};

/// A batch, on its way to a UDF or from it.
///
/// On the wire it is a BeginBatch, its points, and an EndBatch. Two batches are equal when all their
/// members are, in whatever order the tags and fields of a point lie on the wire.
///
/// ```
/// use udf_text::batch::Batch;
/// use udf_proto::{PointBuf, messages};
///
/// let mut batch = Batch { name: "cpu".into(), tmax: 10, ..Batch::default() };
/// let point = PointBuf::from(messages::Point { time: 7, ..Default::default() });
/// batch.points.push(&point.as_point());
/// assert_eq!(batch, batch.clone());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The name of the measurement.
    pub name: String,
    /// The group; empty without grouping. Kapacitor computes that of a returned batch again.
    pub group: String,
    /// The tags that all its points share.
    pub tags: BTreeMap<String, String>,
    /// Whether the measurement's name is part of the group.
    pub by_name: bool,
    /// The time of the batch, in nanoseconds since the epoch; no point of it is later.
    pub tmax: i64,
    /// The points. Those that Kapacitor sends carry only time, group, tags and fields.
    pub points: Points,
}

impl Batch {
    /// The message that opens the batch; its size is the number of points.
    pub fn begin(&self) -> BeginBatch {
        BeginBatch {
            name: self.name.clone(),
            group: self.group.clone(),
            tags: self.tags.clone(),
            size: i64::try_from(self.points.len()).unwrap_or(i64::MAX),
            by_name: self.by_name,
        }
    }

    /// The message that closes the batch. Kapacitor leaves `byName` unset in it, and so does this.
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

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.group == other.group
            && self.tags == other.tags
            && self.by_name == other.by_name
            && self.tmax == other.tmax
            && self.points.iter().eq(other.points.iter())
    }
}
