//! What the tests share.

pub mod program;

use udf_proto::{Init, OptionCall, Value};
use udf_runtime::Udf;
use udf_runtime::options::{self, Refusal};

/// The calls of an Init.
pub fn init(calls: &[(&str, &[Value])]) -> Init {
    let options = calls
        .iter()
        .map(|(name, values)| OptionCall { name: (*name).to_owned(), values: values.to_vec() });
    Init { options: options.collect(), task_id: "task".into(), node_id: "udf2".into() }
}

/// The UDF that these calls make.
///
/// # Errors
/// The refusal.
pub fn parse<T: Udf>(calls: &[(&str, &[Value])]) -> Result<T, Refusal> {
    options::parse(init(calls)).map(|accepted| accepted.udf)
}

/// The text of the refusal of these calls, as it stands behind Kapacitor's own words.
///
/// # Panics
/// When they are accepted.
pub fn refusal<T: Udf>(calls: &[(&str, &[Value])]) -> String {
    match options::parse::<T>(init(calls)) {
        Ok(_) => panic!("{calls:?} was accepted"),
        Err(refusal) => format!("failed to initialize processes {refusal}"),
    }
}
