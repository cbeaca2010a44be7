//! Aggregates of windows of time.

mod quantiles;

pub use quantiles::Quantiles;
