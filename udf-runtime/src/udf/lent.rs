//! A UDF that workers use.

use udf_proto::Point;

use crate::agent::crew::{Crew, Job};

/// A UDF that workers use at the same time.
pub trait LentUdf<T>: Send {
    /// Returns the call for a copy of a point.
    fn job(&self, point: &Point<'_>, crew: &Crew) -> Job;
    /// Returns the UDF, or itself while a worker uses it.
    fn regain(self: Box<Self>) -> Result<T, Box<dyn LentUdf<T>>>;
}
