//! Names, suggestions and durations.

pub(crate) mod case;
pub(crate) mod duration;
pub(crate) mod suggest;
pub(crate) mod tickscript;
