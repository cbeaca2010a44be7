//! UDFs that get each batch in one call.

use udf_proto::{BeginBatch, EndBatch, Point};

use crate::agent::emitter::Emitter;
use crate::agent::error::Result;
use crate::udf::batch_view::BatchView;
use crate::udf::task::Task;
use crate::udf::traits::{BatchUdf, Udf};

/// Handles whole batches: begin, points and end in one call.
///
/// The kit gathers the points of a batch until its end, so a batch must fit into memory. To handle
/// points as they arrive, implement [`BatchUdf`] instead.
///
/// ```
/// use udf_runtime::{Batch, BatchView, Emitter, Result, WholeBatchUdf, udf};
///
/// /// Points above the mean of their batch.
/// #[udf(wants = batch, provides = batch)]
/// struct Above {}
///
/// impl WholeBatchUdf for Above {
///     fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
///         let points = batch.read(|point| Ok((point, point.number("usage")?)))?;
///         let sum: f64 = points.iter().map(|(_, usage)| usage).sum();
///         let mut above = out.begin(batch.begin());
///         for (point, usage) in &points {
///             if usage * points.len() as f64 > sum {
///                 above.pass(point);
///             }
///         }
///         Ok(above.end(batch.tmax())?)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle whole batches",
    label = "`impl WholeBatchUdf for {Self}` is missing"
)]
pub trait WholeBatchUdf: Udf + PlainPoints {
    /// Checks the options together, before any data. An error refuses the Init.
    ///
    /// # Errors
    /// Return an error for invalid options. The user of the task sees its text.
    fn init(&mut self, task: &Task<Self::Provides>) -> Result<()> {
        let _ = task;
        Ok(())
    }

    /// Called after the state was restored from a snapshot: see
    /// [`StreamUdf::restored`](crate::StreamUdf::restored).
    ///
    /// # Errors
    /// An error refuses the snapshot.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Handles a batch when it has ended. A batch that does not end is dropped.
    ///
    /// # Errors
    /// An error stops the task, except for a missing field: by default, the batch is skipped with
    /// a warning. [`BatchView::read`] skips only the point; see [`OnMissing`](crate::OnMissing).
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

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
}

/// A UDF without `point = ...`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`point = ...` sets the type of single points, but `{Self}` handles whole batches",
    label = "`point = ...` is one argument too many in `#[udf(...)]`",
    note = "remove it, and write `batch.read(Name::from_point)?` for typed points"
)]
pub trait PlainPoints {}

#[diagnostic::do_not_recommend]
impl<T: for<'p> Udf<Input<'p> = Point<'p>>> PlainPoints for T {}

/// Lets a UDF choose by the trait that it implements.
#[diagnostic::do_not_recommend]
impl<T: WholeBatchUdf> BatchUdf for T {
    const WHOLE: bool = true;

    fn init(&mut self, task: &Task<Self::Provides>) -> Result<()> {
        WholeBatchUdf::init(self, task)
    }

    fn restored(&mut self) -> Result<()> {
        WholeBatchUdf::restored(self)
    }

    // The handler gathers the batch, and calls none of these three.

    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Self::Provides>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, _: &Self::Input<'_>, _: &mut Emitter<Self::Provides>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Self::Provides>) -> Result<()> {
        Ok(())
    }

    fn __whole(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Self::Provides>) -> Result<()> {
        WholeBatchUdf::batch(self, batch, out)
    }

    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        WholeBatchUdf::finish(self, out)
    }

    fn stop(&mut self) {
        WholeBatchUdf::stop(self);
    }
}
