//! Scores of unusual values, and changes.

mod cusum;
mod mad;
mod seasonal;
mod zscore;

pub use cusum::Cusum;
pub use mad::Mad;
pub use seasonal::Seasonal;
pub use zscore::Zscore;
