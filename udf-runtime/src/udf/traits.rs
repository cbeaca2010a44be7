//! The traits of a UDF. An author writes a struct with `#[udf]`, and implements one of these traits,
//! [`ConcurrentUdf`](super::concurrent::ConcurrentUdf) or
//! [`WholeBatchUdf`](super::whole_batch::WholeBatchUdf).

use std::borrow::BorrowMut;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::point::FieldError;
use udf_proto::{BeginBatch, EndBatch, Point, PointBuf};
use udf_text::describe::OptionHelp;

use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::emitter::Emitter;
use crate::agent::error::Result;
use crate::agent::own_metrics::Metric;
use crate::udf::batch_view::BatchView;
use crate::udf::lent::LentUdf;
use crate::udf::missing::{Missing, OnMissing};
use crate::udf::options::data::OptionData;
use crate::udf::options::docs;
use crate::udf::options::known;
use crate::udf::options::parser::OptionParser;
use crate::udf::shared::resources::SharedType;
use crate::udf::state::{StateReader, StateWriter};
use crate::udf::task::Task;

/// Describes a struct with `#[udf]`. Do not implement this by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a UDF",
    label = "not a UDF",
    note = "write `#[udf(wants = stream, provides = stream)]` on the struct, each `stream` or `batch`; \
            if Cargo.toml renames the runtime, add `crate = ::new_name`"
)]
pub trait Udf: Sized {
    /// The name of the UDF, in snake case.
    const NAME: &'static str;
    /// The struct's doc comment, unchanged.
    const DOCS: &'static str = "";
    /// The version of the struct's package, if cargo builds it.
    const VERSION: Option<&'static str> = None;
    /// The source of the interval of ticks, for messages.
    #[doc(hidden)]
    const TICK_SOURCE: &'static str = "`tick`";
    /// What happens to a point that lacks a field.
    const ON_MISSING: OnMissing = OnMissing::Skip;
    /// The counters and gauges that the metrics of the process include.
    const METRICS: &'static [&'static dyn Metric] = &[];
    /// The types of the `#[shared]` fields.
    #[doc(hidden)]
    const SHARED: &'static [SharedType] = &[];
    /// The edge that the UDF reads from. It decides which trait the UDF implements: [`StreamUdf`];
    /// or [`BatchUdf`] or [`WholeBatchUdf`](crate::WholeBatchUdf).
    type Wants: Edge + Reads<Self>;
    /// The edge that the UDF writes to.
    type Provides: Edge;
    /// The type of a point in the methods of the UDF.
    type Input<'p>: FromPoint<'p>;

    /// Returns the help of the UDF: one line for each paragraph of the doc comment.
    fn help() -> String {
        docs::help(Self::DOCS)
    }
    /// The description of the options, in the order of their fields. Reading it runs no code of the
    /// author.
    #[doc(hidden)]
    const OPTIONS: &'static [OptionData] = &[];
    /// Returns the options, in the order of their fields.
    fn options() -> Vec<OptionHelp> {
        known::describe(Self::OPTIONS)
    }
    /// Creates the UDF from the values of its options, which are valid. Returns `None` if nothing has
    /// supplied a `#[shared]` field.
    fn from_options(options: &mut OptionParser) -> Option<Self>;
    /// Returns the interval of [`Tick::tick`]. `None` for no ticks. It is read once, after `init`.
    fn tick_every(&self) -> Option<Duration> {
        None
    }
    /// Calls [`Tick::tick`], if the UDF implements it.
    ///
    /// # Errors
    /// Returns the error of the UDF.
    #[doc(hidden)]
    fn on_tick(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }
    /// Writes the state.
    ///
    /// # Errors
    /// Returns an error if a value cannot be serialized.
    fn save(&self, state: &mut StateWriter) -> Result<()> {
        let _ = state;
        Ok(())
    }
    /// Reads the state. An error leaves `self` unchanged.
    ///
    /// # Errors
    /// Returns an error if a value cannot be deserialized.
    fn load(&mut self, state: &mut StateReader<'_>) -> Result<()> {
        let _ = state;
        Ok(())
    }
}

/// The type of a point in the methods of a UDF: the point itself, or a struct with its fields.
///
/// See [`typed`](crate::typed) for structs with `#[derive(FromPoint)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a point",
    label = "cannot be read from a point",
    note = "write `#[derive(FromPoint)]` on the struct, and `point = {Self}` in `#[udf(...)]`"
)]
pub trait FromPoint<'p>: Sized {
    /// Reads the required members from the point.
    ///
    /// # Errors
    /// Returns an error if a field or tag is missing, or has another type.
    fn from_point(point: Point<'p>) -> Result<Self, FieldError>;
}

impl<'p> FromPoint<'p> for Point<'p> {
    #[inline]
    fn from_point(point: Point<'p>) -> Result<Self, FieldError> {
        Ok(point)
    }
}

impl<'p> FromPoint<'p> for PointBuf {
    fn from_point(point: Point<'p>) -> Result<Self, FieldError> {
        Ok(point.to_buf())
    }
}

/// Does work at intervals of wall-clock time, with or without data.
///
/// This trait requires `tick = "10s"` or `tick = field` in `#[udf(...)]`, and vice versa: neither
/// compiles without the other. The field has the type `Duration`, or `Option<Duration>` with `None`
/// for no ticks. It is an option, or `init` sets it.
///
/// In a test, the UDF ticks at `task.tick()` only. In a replay, ticks follow the times of the
/// points.
///
/// ```
/// use std::time::Duration;
/// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Tick, udf};
///
/// /// Counts points.
/// #[udf(wants = stream, provides = stream, tick = every)]
/// struct Count {
///     /// Time between two counts.
///     #[option(default = "10s")]
///     every: Duration,
///     points: i64,
/// }
///
/// impl StreamUdf for Count {
///     fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
///         self.points += 1;
///         Ok(())
///     }
/// }
///
/// impl Tick for Count {
///     fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
///         Ok(out.build("count").field("points", self.points).send()?)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has `tick = ...`, but does not implement `Tick`",
    label = "`impl Tick for {Self}` is missing",
    note = "add `impl Tick for {Self}`, or remove `tick` here"
)]
pub trait Tick: Udf + Ticks {
    /// Called every [`Udf::tick_every`] of wall-clock time, between two points.
    ///
    /// # Errors
    /// An error stops the task.
    fn tick(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()>;
}

/// A UDF with `tick`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` implements `Tick`, but has no interval",
    label = "`tick = ...` is missing in `#[udf(...)]`",
    note = "write `#[udf(tick = \"10s\", ...)]` on the struct, or remove `impl Tick`"
)]
pub trait Ticks {}

/// Handles the points of a stream.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has `wants = stream`, but does not implement `StreamUdf`",
    label = "`impl StreamUdf for {Self}` is missing",
    note = "a UDF with `wants = batch` must implement `WholeBatchUdf` or `BatchUdf`"
)]
pub trait StreamUdf: Udf {
    /// Checks the options together, before any data. An error refuses the Init.
    ///
    /// # Errors
    /// Return an error for invalid options. The user of the task sees its text.
    fn init(&mut self, task: &Task<Self::Provides>) -> Result<()> {
        let _ = task;
        Ok(())
    }

    /// Called after the state was restored from a snapshot, and before any point. Use it to fit the
    /// state to the options: they can differ from those of the task that took the snapshot.
    ///
    /// State that is useless with other options needs no code here: write
    /// [`#[state(made_with(a, b))]`](macro@crate::udf). Such state has begun anew when this method is
    /// called.
    ///
    /// # Errors
    /// An error refuses the snapshot. The state then gets back its values from before the restore.
    /// Other fields keep the changes that this method has made.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Handles one point.
    ///
    /// # Errors
    /// An error stops the task, except for a missing field; see [`OnMissing`].
    fn point(&mut self, point: &Self::Input<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// Called when the input has ended and everything in it was handled: the last chance to emit.
    ///
    /// # Errors
    /// An error is sent to Kapacitor, which is about to end the task anyway.
    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Called once when the connection is closed.
    fn stop(&mut self) {}

    /// Whether the UDF is a [`ConcurrentUdf`](crate::ConcurrentUdf).
    #[doc(hidden)]
    const CONCURRENT: bool = false;
    /// Returns the number of workers of a [`ConcurrentUdf`](crate::ConcurrentUdf).
    #[doc(hidden)]
    fn __workers(&self) -> usize {
        0
    }
    /// Lets workers use a [`ConcurrentUdf`](crate::ConcurrentUdf).
    #[doc(hidden)]
    fn __share(self, _: Arc<Missing>) -> Option<Box<dyn LentUdf<Self>>> {
        None
    }
}

/// Handles the points of batches as they arrive. [`WholeBatchUdf`](crate::WholeBatchUdf) handles a
/// batch in one call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has `wants = batch`, but does not implement `WholeBatchUdf` or `BatchUdf`",
    label = "`impl WholeBatchUdf for {Self}` or `impl BatchUdf for {Self}` is missing",
    note = "`WholeBatchUdf` gets each batch in one call, and `BatchUdf` gets the points as they arrive",
    note = "a UDF with `wants = stream` must implement `StreamUdf`"
)]
pub trait BatchUdf: Udf {
    /// Checks the options together, before any data. An error refuses the Init.
    ///
    /// # Errors
    /// Return an error for invalid options. The user of the task sees its text.
    fn init(&mut self, task: &Task<Self::Provides>) -> Result<()> {
        let _ = task;
        Ok(())
    }

    /// Called after the state was restored from a snapshot: see [`StreamUdf::restored`].
    ///
    /// # Errors
    /// An error refuses the snapshot.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Handles the begin of a batch.
    ///
    /// # Errors
    /// An error stops the task.
    fn begin(&mut self, begin: &BeginBatch, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// Handles one point of the batch.
    ///
    /// # Errors
    /// An error stops the task, except for a missing field; see [`OnMissing`].
    fn point(&mut self, point: &Self::Input<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// Handles the end of a batch.
    ///
    /// # Errors
    /// An error stops the task.
    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Self::Provides>) -> Result<()>;

    /// Called when the input has ended and everything in it was handled: the last chance to emit.
    ///
    /// # Errors
    /// An error is sent to Kapacitor, which is about to end the task anyway.
    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Whether the UDF is a [`WholeBatchUdf`](crate::WholeBatchUdf).
    #[doc(hidden)]
    const WHOLE: bool = false;
    /// Calls [`WholeBatchUdf::batch`](crate::WholeBatchUdf::batch).
    #[doc(hidden)]
    fn __whole(&mut self, _: &BatchView<'_>, _: &mut Emitter<Self::Provides>) -> Result<()> {
        Ok(())
    }

    /// Called once when the connection is closed.
    fn stop(&mut self) {}
}

/// Calls the methods of the trait for an edge: `StreamUdf` for a stream, `BatchUdf` for batches.
#[doc(hidden)]
pub trait Reads<T: Udf>: Edge {
    /// The UDF as a type that is known to be `Send`. `#[udf]` requires `Send`, so code that is
    /// generic over [`Udf`] need not require it again, and the compiler reports a UDF that is not
    /// `Send` only once.
    type Held: From<T> + BorrowMut<T> + Send + 'static;
    /// Whether the UDF gets each batch in one call.
    const WHOLE: bool;
    /// Whether workers handle the points.
    const CONCURRENT: bool = false;

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()>;
    fn restored(udf: &mut T) -> Result<()>;
    fn begin(udf: &mut T, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn point(udf: &mut T, point: &T::Input<'_>, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn end(udf: &mut T, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn batch(udf: &mut T, batch: &BatchView<'_>, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn stop(udf: &mut T);

    /// Returns the number of workers.
    fn workers(_: &T) -> usize {
        0
    }
    /// Lets workers use the UDF.
    fn share(_: Self::Held, _: Arc<Missing>) -> Option<Box<dyn LentUdf<T>>> {
        None
    }
}

impl<T: StreamUdf + Send + 'static> Reads<T> for Stream {
    type Held = T;
    const WHOLE: bool = false;
    const CONCURRENT: bool = T::CONCURRENT;

    fn workers(udf: &T) -> usize {
        udf.__workers()
    }

    fn share(udf: T, missing: Arc<Missing>) -> Option<Box<dyn LentUdf<T>>> {
        udf.__share(missing)
    }

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()> {
        udf.init(task)
    }

    fn restored(udf: &mut T) -> Result<()> {
        udf.restored()
    }

    fn begin(_: &mut T, _: &BeginBatch, _: &mut Emitter<T::Provides>) -> Result<()> {
        Err("this UDF reads a stream, not batches".into())
    }

    fn point(udf: &mut T, point: &T::Input<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.point(point, out)
    }

    fn end(_: &mut T, _: &EndBatch, _: &mut Emitter<T::Provides>) -> Result<()> {
        Err("this UDF reads a stream, not batches".into())
    }

    fn batch(_: &mut T, _: &BatchView<'_>, _: &mut Emitter<T::Provides>) -> Result<()> {
        Err("this UDF reads a stream, not batches".into())
    }

    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.finish(out)
    }

    fn stop(udf: &mut T) {
        udf.stop();
    }
}

impl<T: BatchUdf + Send + 'static> Reads<T> for Batch {
    type Held = T;
    const WHOLE: bool = T::WHOLE;

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()> {
        udf.init(task)
    }

    fn restored(udf: &mut T) -> Result<()> {
        udf.restored()
    }

    fn begin(udf: &mut T, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.begin(begin, out)
    }

    fn point(udf: &mut T, point: &T::Input<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.point(point, out)
    }

    fn end(udf: &mut T, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.end(end, out)
    }

    fn batch(udf: &mut T, batch: &BatchView<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.__whole(batch, out)
    }

    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.finish(out)
    }

    fn stop(udf: &mut T) {
        udf.stop();
    }
}
