//! What errors and names are made of.

pub(crate) mod case;
pub(crate) mod duration;
pub(crate) mod suggest;
pub(crate) mod tickscript;
