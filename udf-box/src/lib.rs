//! Ready UDFs for Kapacitor. The program `udfs` runs them.
//!
//! | module | UDFs |
//! | --- | --- |
//! | [`smooth`] | smoothing and forecasts |
//! | [`anomaly`] | scores of unusual values |
//! | [`aggregate`] | aggregates of windows |
//! | [`clean`] | cleaning of series |
//! | [`alert`] | states for alerts |
//! | [`enrich`] | fields and tags from elsewhere |
//! | [`signal`] | frequencies |

pub mod aggregate;
pub mod alert;
pub mod anomaly;
pub mod clean;
mod common;
pub mod enrich;
pub mod signal;
pub mod smooth;
