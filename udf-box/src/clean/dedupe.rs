//! Points that repeat the values before them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, FieldValue, Point, Result, Stream, StreamUdf, udf};

use crate::common::{hash, seconds};

/// Drops points whose values are those of the point before.
#[udf(wants = stream, provides = stream)]
pub struct Dedupe {
    /// A field to compare. Call it once for each field. Defaults to all fields.
    #[option(name = "field", len = ..=100, example = "value")]
    fields: Vec<FieldName>,
    /// Time after which an unchanged point is sent again.
    #[option(default = "10m", range = "1ms"..)]
    every: Duration,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with = fields, max = max_groups)]
    sent: Groups<Option<Sent>>,
}

/// The point that was sent last.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sent {
    time: i64,
    /// The hash of its values.
    values: u64,
}

fn hash_of(name: &str, value: FieldValue<'_>) -> u64 {
    let name = [name.as_bytes(), &[0xff]].concat();
    match value {
        // A series may switch between floats and integers.
        FieldValue::Int(value) if value.unsigned_abs() < 1 << 53 => {
            hash(&[&name, b"f", &(value as f64).to_bits().to_le_bytes()])
        }
        FieldValue::Int(value) => hash(&[&name, b"i", &value.to_le_bytes()]),
        FieldValue::Float(value) => hash(&[&name, b"f", &value.to_bits().to_le_bytes()]),
        FieldValue::String(value) => hash(&[&name, b"s", value.as_bytes()]),
        FieldValue::Bool(value) => hash(&[&name, b"b", &[u8::from(value)]]),
    }
}

impl Dedupe {
    /// Returns the hash of the values that are compared. The order of the fields does not matter.
    fn values(&self, point: &Point<'_>) -> Result<u64> {
        if self.fields.is_empty() {
            let hashes = point.fields().map(|(name, value)| hash_of(name, value));
            return Ok(hashes.fold(0, u64::wrapping_add));
        }
        let mut sum = 0u64;
        for name in &self.fields {
            let value = point.field(name).ok_or_else(|| point.no_field(name, "a value"))?;
            sum = sum.wrapping_add(hash_of(name, value));
        }
        Ok(sum)
    }
}

impl StreamUdf for Dedupe {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, values) = (point.time(), self.values(point)?);
        let sent = self.sent.of(point);
        if let Some(last) = sent {
            let is_due = seconds(last.time, time) >= self.every.as_secs_f64();
            if values == last.values && !is_due {
                return Ok(());
            }
            // A late point does not make the next one late.
            last.time = last.time.max(time);
            last.values = values;
        } else {
            *sent = Some(Sent { time, values });
        }
        Ok(out.pass(point)?)
    }
}
