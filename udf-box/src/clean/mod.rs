//! Cleaning of series.

mod rate;

pub use rate::Rate;
