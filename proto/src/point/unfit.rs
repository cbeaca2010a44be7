//! Points that Kapacitor takes and InfluxDB refuses.

use std::fmt;

/// Why a point must not be sent: it travels on through Kapacitor, and then cannot be stored.
///
/// InfluxDB refuses the write that such a point is part of, and Kapacitor writes many points at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Unfit {
    /// The name of the point's measurement.
    pub measurement: String,
    /// The point's group; empty when it is in none.
    pub group: String,
    /// What is wrong with the point.
    pub reason: UnfitReason,
}

/// What is wrong with a point that must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitReason {
    /// It has no field at all.
    #[error("it has no field")]
    NoField,
    /// This field was set to NaN.
    #[error("its field `{}` is NaN", .0.escape_debug())]
    NaN(String),
    /// This field was set to a positive or negative infinity.
    #[error("its field `{}` is infinite", .0.escape_debug())]
    Infinite(String),
    /// A field was set whose name is empty.
    #[error("one of its fields has an empty name")]
    NoFieldName,
    /// A tag was set whose name is empty.
    #[error("one of its tags has an empty name")]
    NoTagName,
    /// The name of its measurement is empty.
    #[error("the name of its measurement is empty")]
    NoName,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfit { measurement, group, reason } = self;
        write!(f, "{reason}")?;
        // Names are data, which may hold line breaks; a log has one line for each message.
        let (measurement, group) = (measurement.escape_debug(), group.escape_debug());
        match (&*self.measurement, &*self.group) {
            ("", "") => Ok(()),
            (_, "") => write!(f, " (measurement `{measurement}`)"),
            ("", _) => write!(f, " (group `{group}`)"),
            _ => write!(f, " (measurement `{measurement}`, group `{group}`)"),
        }
    }
}
