//! Fuzz targets: every parser of outside input, fed with valid and damaged bytes.
//!
//! A [`Target`] is a function over bytes that panics when a promise is broken. It reports what it
//! has observed. Inputs with new observations are kept and changed further. The observations
//! replace coverage, which needs a nightly toolchain. [`run`] needs only the stable toolchain:
//!
//! ```sh
//! cargo run --profile fuzz -p udf-fuzz -- all --seconds 600
//! ```

mod mutate;
mod run;
mod target;
pub mod targets;

pub use run::{Finding, Settings, Summary, replay, run};
pub use target::{Shape, Target, Trace};
