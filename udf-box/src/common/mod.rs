//! The parts that several UDFs use.

pub(crate) mod latest;
pub(crate) mod scaled;
pub(crate) mod spread;
pub(crate) mod subject;
pub(crate) mod unmatched;
pub(crate) mod window;

use udf_runtime::{FieldError, Point};

/// Returns a field that must be a finite number. A NaN or an infinity would stay in the state of a
/// group forever, so it counts as a missing field.
pub(crate) fn number(point: &Point<'_>, field: &str) -> Result<f64, FieldError> {
    let value = point.number(field)?;
    if value.is_finite() { Ok(value) } else { Err(point.no_field(field, "a finite number")) }
}

/// Returns the seconds between two times, negative if `to` is earlier.
pub(crate) fn seconds(from: i64, to: i64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

/// Returns a hash that is the same in each process, so that a snapshot can have it (FNV-1a).
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
