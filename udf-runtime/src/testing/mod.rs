//! Tests a UDF with `cargo test`, without processes and without Kapacitor.
//!
//! The test plays the part of Kapacitor. It starts the UDF with its options, feeds points to it,
//! and checks the output. Everything passes through the real agent and the real protocol; only the
//! transport is in memory.
//!
//! ```
//! use std::process::ExitCode;
//! use udf_runtime::state::Groups;
//! use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, testing, udf};
//!
//! /// Sums up a field, for each group.
//! #[udf(wants = stream, provides = stream)]
//! struct Total {
//!     /// Field to sum up.
//!     #[option]
//!     field: String,
//!     #[state]
//!     totals: Groups<f64>,
//! }
//!
//! impl StreamUdf for Total {
//!     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
//!         let total = self.totals.of(point);
//!         *total += point.number(&self.field)?;
//!         Ok(out.edit(point).only_field("total", *total).send()?)
//!     }
//! }
//!
//! // #[test]
//! fn sums_up_each_host_on_its_own() {
//!     let mut task = testing::udf::<Total>().option("field=bytes").group_by("host").start();
//!     task.feed(
//!         "net,host=a bytes=1 10
//!          net,host=b bytes=5 10
//!          net,host=a bytes=2 20",
//!     );
//!     task.emits(
//!         "net,host=a total=1 10
//!          net,host=b total=5 10
//!          net,host=a total=3 20",
//!     );
//!     // Kapacitor is restarted.
//!     task.restart();
//!     task.feed("net,host=a bytes=4 30");
//!     task.emits("net,host=a total=7 30");
//!     task.end();
//! }
//!
//! // #[test]
//! fn needs_a_field() {
//!     let refusal = testing::udf::<Total>().refusal();
//!     assert_eq!(refusal, "UDF total: `.field` is missing; write `.field('text')`");
//! }
//! # sums_up_each_host_on_its_own();
//! # needs_a_field();
//! ```
//!
//! | to | write |
//! | --- | --- |
//! | start a UDF, or a [`Handler`](crate::Handler) | [`udf`], [`handler`], then [`Setup::start`] |
//! | check defaults, examples and ranges of its options | [`check`] |
//! | check that invalid options are refused | [`Setup::refusal`] |
//! | feed points or batches | [`feed`](TestTask::feed), [`feed_point`](TestTask::feed_point), [`feed_batch`](TestTask::feed_batch) |
//! | build a point that line protocol cannot express | [`point()`] |
//! | check the output | [`emits`](TestTask::emits), [`emits_in_any_order`](TestTask::emits_in_any_order), [`emits_nothing`](TestTask::emits_nothing) |
//! | accept floats that are not exact | [`Setup::tolerance`] |
//! | take the output | [`output`](TestTask::output), [`lines`](TestTask::lines) |
//! | tick | [`tick`](TestTask::tick), [`tick_every`](TestTask::tick_every) |
//! | wait for threads | [`emits_within`](TestTask::emits_within), [`next_within`](TestTask::next_within) |
//! | check that the UDF fails | [`failure`](TestTask::failure) |
//! | restart Kapacitor | [`restart`](TestTask::restart), [`restart_with`](TestTask::restart_with), or [`snapshot`](TestTask::snapshot) and [`restore`](TestTask::restore) |
//! | end the input | [`end`](TestTask::end) |
//!
//! If an expectation is not met, the test panics at the line of the call, with a message about the
//! expectation. No call blocks forever: see [`Setup::timeout`]. If a UDF fails and the test does
//! not call [`failure`](TestTask::failure), the test fails, at the latest when the task is dropped.

mod driver;
mod expect;
mod expected;
mod lines;
mod output;
mod setup;
mod task;

pub use output::Emitted;
pub use setup::{Setup, handler, udf};
pub use task::TestTask;
pub use udf_proto::point::PointEdit;
pub use udf_text::batch::WholeBatch;

use crate::udf::traits::Udf;
use output::Built;
use udf_proto::PointBuf;

/// Checks the options of a UDF: the limits of each option allow at least one value, and the UDF
/// accepts every default, every example, and every sample that `info` shows.
///
/// Call this in a test: rustc cannot detect these errors in computed values. With such an error, a
/// UDF may refuse every task.
///
/// The UDF is created and dropped. Its `init` is not called, because `init` may need files or
/// servers; to check `init`, [start](Setup::start) a task.
///
/// ```
/// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, testing, udf};
///
/// /// Passes points on.
/// #[udf(wants = stream, provides = stream)]
/// struct Passing {
///     #[option(default = f64::MAX.sqrt(), range = 0.0..)]
///     limit: f64,
/// }
///
/// impl StreamUdf for Passing {
///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
///         Ok(out.pass(point)?)
///     }
/// }
///
/// // #[test]
/// fn the_options_are_right() {
///     testing::check::<Passing>();
/// }
/// # the_options_are_right();
/// ```
///
/// # Panics
/// Panics if an option is invalid, and lists all problems.
#[track_caller]
pub fn check<T: Udf>() {
    let faults = crate::udf::options::faults::faults::<T>();
    assert!(
        faults.is_empty(),
        "the options of the UDF {} are wrong: {}",
        T::NAME,
        faults.join("; ")
    );
}

/// Builds a point of the measurement `name`, as a UDF does.
///
/// The point belongs to the database `telegraf` and its retention policy `autogen`, as do points
/// that are fed as text.
///
/// ```
/// use udf_runtime::testing;
///
/// let point = testing::point("cpu", |point| {
///     point.tag("host", "a").field("usage", f64::NAN).field("cores", 8).time(10)
/// });
/// assert_eq!(point.as_point().tag("host"), Some("a"));
/// ```
pub fn point(
    name: &str,
    fill: impl for<'s> FnOnce(PointEdit<'s, 'static, Built>) -> PointEdit<'s, 'static, Built>,
) -> PointBuf {
    let mut built = Built::default();
    let point = PointEdit::build(&mut built, name).database("telegraf").retention_policy("autogen");
    match fill(point).send() {
        Ok(()) => built.into_point(),
        Err(never) => match never {},
    }
}
