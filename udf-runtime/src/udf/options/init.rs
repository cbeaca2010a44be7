//! Makes a UDF of the options of an Init.

use std::collections::BTreeMap;

use udf_proto::{Init, ValueType};

use crate::udf::options::data::OptionData;
use crate::udf::options::parser::OptionParser;
use crate::udf::options::refusal::Refusal;
use crate::udf::shared::resources::Resources;
use crate::udf::traits::Udf;

/// A UDF made of the options of an Init.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted<T> {
    /// The UDF, with its options set.
    pub udf: T,
    /// Warnings for the author of the task, a line each: deprecated options that are called.
    pub warnings: Vec<String>,
}

/// Makes a UDF of the options that an Init calls.
///
/// This is for a UDF without `#[shared]` fields: only [`UdfHandler`](crate::UdfHandler) can supply
/// them.
///
/// # Errors
/// One refusal that lists all invalid options.
pub fn parse<T: Udf>(init: Init) -> Result<Accepted<T>, Refusal> {
    let mut parser = OptionParser::new(T::OPTIONS, init.options, &Resources::default());
    match make(&mut parser) {
        Some(udf) => Ok(Accepted { udf, warnings: parser.into_warnings() }),
        None => Err(parser.refusal(T::NAME)),
    }
}

/// Makes the UDF, if all of its values are valid.
pub(crate) fn make<T: Udf>(parser: &mut OptionParser) -> Option<T> {
    if parser.make_values() { T::from_options(parser) } else { None }
}

/// Returns the names of the options, and the types of their arguments.
pub(crate) fn types(options: &[OptionData]) -> BTreeMap<String, Vec<ValueType>> {
    let names = |data: &OptionData| data.names().map(str::to_owned);
    options.iter().flat_map(|data| names(data).map(|name| (name, data.types()))).collect()
}
