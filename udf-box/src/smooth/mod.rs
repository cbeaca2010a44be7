//! Smoothing and forecasts.

mod ewma;

pub use ewma::Ewma;
