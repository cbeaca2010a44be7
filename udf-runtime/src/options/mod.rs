//! Options: from the calls of an Init to the typed fields of a UDF.

/// Takes typed options out of the calls of an Init, and collects everything that is wrong.
#[derive(Debug)]
pub struct OptionParser {}
