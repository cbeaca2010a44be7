//! Smoothing and forecasts.

mod ewma;
mod forecast;
mod holt_winters;

pub use ewma::Ewma;
pub use forecast::Forecast;
pub use holt_winters::HoltWinters;
