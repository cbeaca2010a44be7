//! Fuzz targets: what reads bytes from outside, fed with bytes that nobody should send.
//!
//! A [`Target`] is a function over bytes that panics when a promise is broken. It returns what it has
//! seen of the code under it, so that inputs which show something new are kept and changed further: that
//! takes the place of coverage, which needs a nightly toolchain. Runs are made by [`run`], on the stable
//! toolchain and with nothing installed:
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
