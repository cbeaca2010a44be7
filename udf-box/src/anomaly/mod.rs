//! Scores of unusual values.

mod zscore;

pub use zscore::Zscore;
