//! Points that Kapacitor accepts and InfluxDB refuses.

use std::fmt;

/// Why a point must not be sent: Kapacitor forwards it, but InfluxDB cannot store it.
///
/// InfluxDB refuses the whole write that contains such a point, and Kapacitor writes many points at
/// once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Unfit {
    /// The name of the point's measurement.
    pub measurement: String,
    /// The point's group. Empty if the point has none.
    pub group: String,
    /// Why the point must not be sent.
    pub reason: UnfitReason,
}

/// Why a point must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitReason {
    /// The point has no field.
    #[error("it has no field")]
    NoField,
    /// The field with this name is NaN.
    #[error("its field `{}` is NaN", .0.escape_debug())]
    NaN(String),
    /// The field with this name is infinite.
    #[error("its field `{}` is infinite", .0.escape_debug())]
    Infinite(String),
    /// A field has an empty name.
    #[error("one of its fields has an empty name")]
    NoFieldName,
    /// A tag has an empty name.
    #[error("one of its tags has an empty name")]
    NoTagName,
    /// The name of the measurement is empty.
    #[error("the name of its measurement is empty")]
    NoName,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfit { measurement, group, reason } = self;
        write!(f, "{reason}")?;
        // Names may contain line breaks, but a log message is one line.
        let (measurement, group) = (measurement.escape_debug(), group.escape_debug());
        match (&*self.measurement, &*self.group) {
            ("", "") => Ok(()),
            (_, "") => write!(f, " (measurement `{measurement}`)"),
            ("", _) => write!(f, " (group `{group}`)"),
            _ => write!(f, " (measurement `{measurement}`, group `{group}`)"),
        }
    }
}
