//! Frequencies.

mod spectrum;

pub use spectrum::Spectrum;
