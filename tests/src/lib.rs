//! Shared helpers of the tests.

pub mod batch;
pub mod cases;
pub mod ends;
pub mod metrics;
pub mod process;
pub mod program;

use udf_proto::{Init, OptionCall, Value};
use udf_runtime::Udf;
use udf_runtime::options::{self, Refusal};

/// Returns an Init with these calls.
pub fn init(calls: &[(&str, &[Value])]) -> Init {
    let options = calls
        .iter()
        .map(|(name, values)| OptionCall { name: (*name).to_owned(), values: values.to_vec() });
    Init { options: options.collect(), task_id: "task".into(), node_id: "udf2".into() }
}

/// Creates the UDF from these calls.
///
/// # Errors
/// If the UDF refuses the calls.
pub fn parse<T: Udf>(calls: &[(&str, &[Value])]) -> Result<T, Refusal> {
    options::parse(init(calls)).map(|accepted| accepted.udf)
}

/// Returns the text of the refusal of these calls, as Kapacitor shows it.
///
/// # Panics
/// If the UDF accepts the calls.
pub fn refusal<T: Udf>(calls: &[(&str, &[Value])]) -> String {
    match options::parse::<T>(init(calls)) {
        Ok(_) => panic!("{calls:?} was accepted"),
        Err(refusal) => format!("failed to initialize processes {refusal}"),
    }
}

/// Defines a UDF with one option, its only field.
#[macro_export]
macro_rules! udf_of {
    ($name:ident { $($fields:tt)* }) => {
        #[udf_runtime::udf(wants = stream, provides = stream)]
        #[allow(dead_code)]
        struct $name { $($fields)* }

        $crate::handles_nothing!($name);
    };
}

/// Implements a stream handler that drops all points.
#[macro_export]
macro_rules! handles_nothing {
    ($name:ident) => {
        impl udf_runtime::StreamUdf for $name {
            fn point(
                &mut self,
                _: &udf_runtime::Point<'_>,
                _: &mut udf_runtime::Emitter<udf_runtime::Stream>,
            ) -> udf_runtime::Result<()> {
                Ok(())
            }
        }
    };
}

// Compiles the code of the documents. The package of the runtime cannot do so, because it contains
// no files from outside its folder.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/authoring.md")]
struct Authoring;

#[cfg(doctest)]
#[doc = include_str!("../../docs/from-go-or-python.md")]
struct FromGoOrPython;

#[cfg(doctest)]
#[doc = include_str!("../../docs/telegraf.md")]
struct Telegraf;
