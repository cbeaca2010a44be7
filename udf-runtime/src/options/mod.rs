//! Options: from the calls of an Init to the typed fields of a UDF.

/// Takes typed options out of the calls of an Init, and collects everything that is wrong.
#[derive(Debug)]
pub struct OptionParser {}

/// What is wrong with the options of an Init.
#[derive(Debug, thiserror::Error)]
#[error("not yet")]
pub struct Refusal {}

/// Makes a UDF of the options of an Init.
pub(crate) fn parse<T: crate::Udf>(init: udf_proto::Init) -> Result<T, Refusal> {
    let _ = init;
    Err(Refusal {})
}
