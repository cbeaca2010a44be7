//! Aggregates of windows of time, and of the latest points.

mod correlate;
mod distinct;
mod histogram;
mod quantiles;
mod topk;

pub use correlate::Correlate;
pub use distinct::Distinct;
pub use histogram::Histogram;
pub use quantiles::Quantiles;
pub use topk::Topk;
