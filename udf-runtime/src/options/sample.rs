//! Arguments for samples and for the line that would do, out of what the types of an option tell.

use udf_proto::{Value, ValueType};

use super::suggest::within;
use super::types::Help;

/// Arguments of these types; none when a type does not tell enough of its values.
pub(crate) fn of_types(types: &[ValueType], help: &Help) -> Option<Vec<Value>> {
    if help.example.len() == types.len() {
        return Some(help.example.clone());
    }
    let places = help.places(types.len());
    types.iter().zip(&places).map(|(&wanted, help)| of_type(wanted, help)).collect()
}

/// The plainest argument that nothing refuses.
fn of_type(wanted: ValueType, help: &Help) -> Option<Value> {
    let example = help.example.iter().cloned();
    if !help.is_whole && help.choices.is_empty() {
        return example.into_iter().next();
    }
    let values: Vec<Value> = match wanted {
        ValueType::Bool => vec![Value::Bool(true)],
        ValueType::Int => numbers([10, 1, -1].map(Value::Int), help),
        ValueType::Double => numbers([1.0, 0.5].map(Value::Double), help),
        ValueType::Duration => numbers([Value::Duration(10_000_000_000)], help),
        ValueType::String if !help.choices.is_empty() => help.texts().map(Value::from).collect(),
        ValueType::String => vec![within(Value::from("text"), help)],
    };
    example.chain(values).find(|value| help.takes(value))
}

/// Some numbers, the nearest within the limits, and what lies between these.
fn numbers<const N: usize>(plain: [Value; N], help: &Help) -> Vec<Value> {
    let nearest = help.limits.nearest(&plain[0]);
    plain.into_iter().chain(nearest).chain(help.limits.marks()).collect()
}
