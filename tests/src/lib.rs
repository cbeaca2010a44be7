//! What the tests share.

pub mod batch;
pub mod ends;
pub mod process;
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

/// A UDF with one option, which is all of its fields.
#[macro_export]
macro_rules! udf_of {
    ($name:ident { $($fields:tt)* }) => {
        #[udf_runtime::udf(wants = stream, provides = stream)]
        #[allow(dead_code)]
        struct $name { $($fields)* }

        $crate::handles_nothing!($name);
    };
}

/// Handles the points of a stream by dropping them.
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

// The code of the documents compiles. It is tested here, since the package of the runtime has no
// files from outside of its folder.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/authoring.md")]
struct Authoring;
