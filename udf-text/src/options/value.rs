//! Parses one argument by its type.

use udf_proto::{Value, ValueType};

use super::split::Piece;
use crate::duration;

/// Parses a value of the type `expected`.
///
/// # Errors
/// How to write a value of this type, or why the text is invalid.
pub(super) fn parse(piece: &Piece, expected: ValueType) -> Result<Value, String> {
    if expected == ValueType::String {
        return Ok(Value::String(piece.text.clone()));
    }
    if piece.quoted {
        return Err("only a STRING can be quoted".to_owned());
    }
    let text = piece.text.trim();
    match expected {
        ValueType::Bool => match text {
            "TRUE" | "true" => Ok(Value::Bool(true)),
            "FALSE" | "false" => Ok(Value::Bool(false)),
            _ => Err("write TRUE or FALSE".to_owned()),
        },
        ValueType::Int => match text.parse() {
            Ok(value) => Ok(Value::Int(value)),
            Err(_) if is_integer(text) => {
                Err(format!("integers are from {} to {}", i64::MIN, i64::MAX))
            }
            Err(_) => Err("write a whole number, like 10".to_owned()),
        },
        ValueType::Double => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Double(value)),
            Ok(_) => Err("a TICKscript can contain only finite numbers".to_owned()),
            Err(_) => Err("write a number, like 1.5".to_owned()),
        },
        ValueType::Duration => {
            duration::nanos(text).map(Value::Duration).map_err(|error| error.to_string())
        }
        ValueType::String => unreachable!("a string is what was typed"),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
