//! What belongs to a group.

use udf_proto::{BeginBatch, Point};

use crate::agent::group::{Group, group_of};
use crate::udf::batch_view::BatchView;

/// A value that belongs to a group: a point, a batch or its begin, a [`Group`], or the id of a
/// group.
pub trait Grouped {
    /// Returns the id of the group, as Kapacitor writes it.
    fn group(&self) -> &str;

    /// Returns the time in nanoseconds since the epoch, if it is known.
    fn time(&self) -> Option<i64> {
        None
    }

    /// Returns the group, unless only its id is known.
    fn to_group(&self) -> Option<Group> {
        None
    }
}

impl Grouped for Point<'_> {
    fn group(&self) -> &str {
        Point::group(*self)
    }

    fn time(&self) -> Option<i64> {
        Some(Point::time(*self))
    }

    fn to_group(&self) -> Option<Group> {
        group_of(*self)
    }
}

impl Grouped for BeginBatch {
    fn group(&self) -> &str {
        &self.group
    }

    fn to_group(&self) -> Option<Group> {
        Some(self.into())
    }
}

impl Grouped for BatchView<'_> {
    fn group(&self) -> &str {
        &self.begin().group
    }

    fn time(&self) -> Option<i64> {
        Some(self.tmax())
    }

    fn to_group(&self) -> Option<Group> {
        Some(self.begin().into())
    }
}

impl Grouped for Group {
    fn group(&self) -> &str {
        self.id()
    }

    fn to_group(&self) -> Option<Group> {
        self.is_complete().then(|| self.clone())
    }
}

impl Grouped for str {
    fn group(&self) -> &str {
        self
    }
}
