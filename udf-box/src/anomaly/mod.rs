//! Scores of unusual values, and changes.

mod changepoint;
mod cusum;
mod mad;
mod mstl;
mod seasonal;
mod zscore;

pub use changepoint::Changepoint;
pub use cusum::Cusum;
pub use mad::Mad;
pub use mstl::Mstl;
pub use seasonal::Seasonal;
pub use zscore::Zscore;
