//! States for alerts.

mod hysteresis;
mod missing;

pub use hysteresis::Hysteresis;
pub use missing::Missing;
