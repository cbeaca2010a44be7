//! Corrections of invalid arguments.

use udf_proto::{Value, ValueType};
use udf_text::suggest::nearest;

use super::types::Help;

/// Returns corrected arguments: `'10'` becomes 10, `2.0` becomes 2, 300 the nearest end.
pub(crate) fn fixed(came: &[Value], types: &[ValueType], help: &Help) -> Option<Vec<Value>> {
    if came.len() != types.len() {
        return None;
    }
    let places = help.places(types.len());
    let fixed = came.iter().zip(types).zip(&places).map(|((came, &wanted), help)| {
        let value = converted(came, wanted)?;
        match &value {
            Value::String(text) if !help.choices.is_empty() => {
                Some(Value::from(nearest(text, help.texts())?))
            }
            Value::String(_) => Some(value),
            _ => Some(help.limits.nearest(&value).unwrap_or(value)),
        }
    });
    fixed.collect()
}

pub(super) fn converted(came: &Value, wanted: ValueType) -> Option<Value> {
    Some(match (came, wanted) {
        (Value::Duration(nanos), ValueType::Duration) => {
            Value::Duration(nanos.checked_abs().unwrap_or(i64::MAX))
        }
        (value, wanted) if value.value_type() == wanted => value.clone(),
        (Value::Int(int), ValueType::Double) => Value::Double(*int as f64),
        (Value::Int(0), ValueType::Bool) => Value::Bool(false),
        (Value::Int(1), ValueType::Bool) => Value::Bool(true),
        (Value::Int(seconds), ValueType::Duration) => {
            Value::Duration(seconds.checked_abs()?.checked_mul(1_000_000_000)?)
        }
        (Value::Double(double), ValueType::Int) if double.abs() < 1e18 => {
            Value::Int(double.round() as i64)
        }
        (Value::String(text), ValueType::Int) => Value::Int(text.trim().parse().ok()?),
        (Value::String(text), ValueType::Double) => Value::Double(text.trim().parse().ok()?),
        (Value::String(text), ValueType::Bool) => {
            Value::Bool(text.trim().to_ascii_lowercase().parse().ok()?)
        }
        (Value::String(_), ValueType::Duration) => return None,
        (value, ValueType::String) => Value::String(value.to_string()),
        _ => return None,
    })
}
