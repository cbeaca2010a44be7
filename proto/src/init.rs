//! The options of a task: the calls in its TICKscript and their arguments.

use std::fmt;

use crate::entries::MAX_ENTRIES;
use crate::messages::{self, InitRequest, OptionValue, option_value};

/// An Init request. It starts a UDF for one node of one task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Init {
    /// Every call of an option in the TICKscript, in the order of the calls.
    pub options: Vec<OptionCall>,
    /// The name of the task.
    pub task_id: String,
    /// The name of the node within the task.
    pub node_id: String,
}

/// One call of an option, `.size(10)` in a TICKscript.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionCall {
    /// The name of the option.
    pub name: String,
    /// The arguments, in the order of the call.
    pub values: Vec<Value>,
}

/// One argument of an option.
///
/// `Display` writes the value as a TICKscript does:
///
/// ```
/// use udf_proto::Value;
///
/// assert_eq!(Value::from("it's").to_string(), r"'it\'s'");
/// assert_eq!(Value::from(r"\d+").to_string(), r"'\d+'");
/// assert_eq!(Value::from(r"C:\").to_string(), r"'''C:\'''");
/// assert_eq!(Value::Double(2.0).to_string(), "2.0");
/// assert_eq!(Value::Duration(90_000_000_000).to_string(), "90s");
/// assert_eq!(Value::Bool(true).to_string(), "TRUE");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// BOOL.
    Bool(bool),
    /// INT.
    Int(i64),
    /// DOUBLE.
    Double(f64),
    /// STRING.
    String(String),
    /// DURATION, in nanoseconds. May be negative.
    Duration(i64),
}

/// The type of one argument of an option.
///
/// `Display` writes its [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// BOOL: `TRUE` or `FALSE`.
    Bool,
    /// INT: a signed integer of 64 bits.
    Int,
    /// DOUBLE: a float of 64 bits.
    Double,
    /// STRING: text.
    String,
    /// DURATION: a length of time, in nanoseconds.
    Duration,
}

/// An invalid Init request. The UDF answers with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// An argument has no value, or its value does not have the declared type.
    #[error(
        "argument {argument} of option `{option}` is declared as {claimed} but contains {carried}"
    )]
    #[non_exhaustive]
    Value {
        /// The name of the option.
        option: String,
        /// The position of the argument, counted from 1.
        argument: usize,
        /// The declared type.
        claimed: String,
        /// The type of the value, or `no value`.
        carried: String,
    },
    /// The calls and their arguments exceed [`MAX_ENTRIES`].
    #[error("too many options: the task has more than {MAX_ENTRIES} calls and arguments together")]
    TooManyCalls,
}

impl Value {
    /// Returns the type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Bool(_) => ValueType::Bool,
            Value::Int(_) => ValueType::Int,
            Value::Double(_) => ValueType::Double,
            Value::String(_) => ValueType::String,
            Value::Duration(_) => ValueType::Duration,
        }
    }

    /// Returns whether TICKscript can parse the displayed value.
    ///
    /// TICKscript cannot express these values:
    ///
    /// - infinities and NaN
    /// - numbers that are displayed with an exponent, because they are very large or very small
    /// - the smallest integer: TICKscript parses a sign and a number that is too large
    /// - text that needs both kinds of quotes
    pub fn is_writable(&self) -> bool {
        match self {
            Value::Bool(_) => true,
            Value::Int(value) | Value::Duration(value) => *value != i64::MIN,
            Value::Double(value) => value.is_finite() && !self.to_string().contains('e'),
            Value::String(text) => !(text.ends_with('\\') && text.contains("'''")),
        }
    }
}

impl From<ValueType> for messages::ValueType {
    fn from(value_type: ValueType) -> Self {
        match value_type {
            ValueType::Bool => messages::ValueType::Bool,
            ValueType::Int => messages::ValueType::Int,
            ValueType::Double => messages::ValueType::Double,
            ValueType::String => messages::ValueType::String,
            ValueType::Duration => messages::ValueType::Duration,
        }
    }
}

impl From<messages::ValueType> for ValueType {
    fn from(value_type: messages::ValueType) -> Self {
        match value_type {
            messages::ValueType::Bool => ValueType::Bool,
            messages::ValueType::Int => ValueType::Int,
            messages::ValueType::Double => ValueType::Double,
            messages::ValueType::String => ValueType::String,
            messages::ValueType::Duration => ValueType::Duration,
        }
    }
}

impl ValueType {
    /// Returns the name in the protocol, for example `INT`.
    pub fn name(self) -> &'static str {
        messages::ValueType::from(self).as_str_name()
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

/// The units of TICKscript's duration literals in nanoseconds, the longest first.
const UNITS: [(&str, u64); 8] = [
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("u", 1_000),
    ("ns", 1),
];

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(true) => f.write_str("TRUE"),
            Value::Bool(false) => f.write_str("FALSE"),
            Value::Int(value) => write!(f, "{value}"),
            // Always with a decimal point: TICKscript parses `2` as an INT. Without an exponent,
            // which TICKscript does not support, unless the number would be very long.
            Value::Double(value) => match value.abs() {
                1e-20..1e20 if value.fract() != 0.0 => write!(f, "{value}"),
                1e-20..1e20 => write!(f, "{value:.1}"),
                _ => write!(f, "{value:?}"),
            },
            // A backslash stands for itself, except before a quote. Text that ends with a backslash
            // therefore needs triple quotes.
            Value::String(text) if text.ends_with('\\') && !text.contains("'''") => {
                write!(f, "'''{text}'''")
            }
            Value::String(text) => write!(f, "'{}'", text.replace('\'', r"\'")),
            Value::Duration(0) => f.write_str("0s"),
            Value::Duration(nanos) => {
                let sign = if *nanos < 0 { "-" } else { "" };
                let nanos = nanos.unsigned_abs();
                let (unit, length) =
                    UNITS.into_iter().find(|(_, length)| nanos % length == 0).unwrap_or(("ns", 1));
                write!(f, "{sign}{}{unit}", nanos / length)
            }
        }
    }
}

impl From<Value> for OptionValue {
    fn from(value: Value) -> Self {
        let r#type = messages::ValueType::from(value.value_type()).into();
        let value = match value {
            Value::Bool(value) => option_value::Value::BoolValue(value),
            Value::Int(value) => option_value::Value::IntValue(value),
            Value::Double(value) => option_value::Value::DoubleValue(value),
            Value::String(value) => option_value::Value::StringValue(value),
            Value::Duration(nanos) => option_value::Value::DurationValue(nanos),
        };
        OptionValue { r#type, value: Some(value) }
    }
}

impl From<Init> for InitRequest {
    fn from(init: Init) -> Self {
        let options = init.options.into_iter().map(|call| messages::Option {
            name: call.name,
            values: call.values.into_iter().map(OptionValue::from).collect(),
        });
        InitRequest { options: options.collect(), task_id: init.task_id, node_id: init.node_id }
    }
}

impl TryFrom<InitRequest> for Init {
    type Error = InitError;

    fn try_from(request: InitRequest) -> Result<Self, InitError> {
        let mut options = Vec::with_capacity(request.options.len());
        for messages::Option { name, values } in request.options {
            let values =
                (1..).zip(values).map(|(argument, value)| value_of(&name, argument, value));
            let values = values.collect::<Result<_, _>>()?;
            options.push(OptionCall { name, values });
        }
        Ok(Init { options, task_id: request.task_id, node_id: request.node_id })
    }
}

fn value_of(option: &str, argument: usize, value: OptionValue) -> Result<Value, InitError> {
    let carried = match value.value {
        Some(option_value::Value::BoolValue(value)) => Some(Value::Bool(value)),
        Some(option_value::Value::IntValue(value)) => Some(Value::Int(value)),
        Some(option_value::Value::DoubleValue(value)) => Some(Value::Double(value)),
        Some(option_value::Value::StringValue(value)) => Some(Value::String(value)),
        Some(option_value::Value::DurationValue(nanos)) => Some(Value::Duration(nanos)),
        None => None,
    };
    let claimed = messages::ValueType::try_from(value.r#type).map(ValueType::from);
    match carried {
        Some(carried) if claimed.ok() == Some(carried.value_type()) => Ok(carried),
        carried => Err(InitError::Value {
            option: option.to_owned(),
            argument,
            claimed: match claimed {
                Ok(known) => known.to_string(),
                Err(_) => format!("the unknown type {}", value.r#type),
            },
            carried: carried.map_or("no value".to_owned(), |value| value.value_type().to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_have_their_point_and_no_exponent() {
        let shown = |double| Value::Double(double).to_string();
        assert_eq!(shown(2.0), "2.0");
        assert_eq!(shown(-0.5), "-0.5");
        assert_eq!(shown(1e-9), "0.000000001");
        assert_eq!(shown(1e16), "10000000000000000.0");
        assert_eq!(shown(f64::MIN_POSITIVE), "2.2250738585072014e-308", "it would be very long");
    }

    #[test]
    fn what_a_tickscript_cannot_write_is_known() {
        let written = [Value::Double(-1e-9), Value::Int(-1), Value::from("'''"), Value::from("\\")];
        assert!(written.iter().all(Value::is_writable), "{written:?}");
        let others = [f64::NAN, f64::INFINITY, 1e300, 1e-300].map(Value::Double);
        let more = [Value::Int(i64::MIN), Value::Duration(i64::MIN), Value::from("'''\\")];
        for value in others.into_iter().chain(more) {
            assert!(!value.is_writable(), "{value}");
        }
    }

    #[test]
    fn durations_use_the_longest_unit_that_fits() {
        let shown = |nanos| Value::Duration(nanos).to_string();
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(10_000_000_000), "10s");
        assert_eq!(shown(-1_500_000_000), "-1500ms");
        assert_eq!(shown(14 * 86_400_000_000_000), "2w");
        assert_eq!(shown(i64::MIN), "-9223372036854775808ns");
    }

    #[test]
    fn values_survive_the_wire_and_lies_are_refused() {
        let call = OptionCall {
            name: "all".into(),
            values: vec![
                Value::Bool(false),
                Value::Int(-3),
                Value::Double(0.5),
                Value::from(""),
                Value::Duration(-7),
            ],
        };
        let init = Init { options: vec![call], task_id: "t".into(), node_id: "n".into() };
        assert_eq!(Init::try_from(InitRequest::from(init.clone())), Ok(init.clone()));

        let mut request = InitRequest::from(init);
        request.options[0].values[1].r#type = messages::ValueType::Double.into();
        let error = Init::try_from(request.clone()).expect_err("INT is no DOUBLE");
        assert_eq!(
            error.to_string(),
            "argument 2 of option `all` is declared as DOUBLE but contains INT"
        );
        request.options[0].values[1] = OptionValue { r#type: 9, value: None };
        let error = Init::try_from(request).expect_err("there is no type 9");
        assert_eq!(
            error.to_string(),
            "argument 2 of option `all` is declared as the unknown type 9 but contains no value"
        );
    }
}
