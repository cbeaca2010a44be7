//! States for alerts.

mod hysteresis;

pub use hysteresis::Hysteresis;
