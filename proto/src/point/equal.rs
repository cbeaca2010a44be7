//! Compares points. The order of tags and fields on the wire does not matter.

use std::collections::BTreeMap;

use super::{Point, PointBuf};

impl PartialEq for Point<'_> {
    /// Returns whether all members are equal. Tags and fields are compared by name, like maps; the
    /// order of the dimensions matters.
    fn eq(&self, other: &Self) -> bool {
        self.time() == other.time()
            && self.name() == other.name()
            && self.database() == other.database()
            && self.retention_policy() == other.retention_policy()
            && self.group() == other.group()
            && self.by_name() == other.by_name()
            && self.dimensions().eq(other.dimensions())
            && self.tags().collect::<BTreeMap<_, _>>() == other.tags().collect()
            && self.fields().collect::<BTreeMap<_, _>>() == other.fields().collect()
    }
}

impl PartialEq for PointBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_point() == other.as_point()
    }
}
