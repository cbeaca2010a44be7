//! Describes a line that was read into a frame.

use std::ops::Range;

/// A line that [`LineReader::next_frame`](super::LineReader::next_frame) has read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineInfo {
    /// The time of the point, in nanoseconds since the epoch.
    pub time: i64,
    /// Whether the line contains the time.
    pub has_time: bool,
    /// The position of the encoded point in the output, without the head of its frame. A
    /// [`PointIndex`](udf_proto::point::PointIndex) reads the point. Empty if all fields of the
    /// line were [dropped](super::LineReader::drop_unfit).
    pub point: Range<usize>,
}
