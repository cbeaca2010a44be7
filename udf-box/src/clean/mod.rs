//! Cleaning of series.

mod deadband;
mod dedupe;
mod rate;
mod reorder;
mod sample;

pub use deadband::Deadband;
pub use dedupe::Dedupe;
pub use rate::Rate;
pub use reorder::Reorder;
pub use sample::Sample;
