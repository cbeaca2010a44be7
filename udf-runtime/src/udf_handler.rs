//! The handler of a struct with `#[udf]`: it starts with Init, and has its state saved and restored.

use std::borrow::{Borrow, BorrowMut};
use std::collections::BTreeMap;
use std::time::Duration;

use udf_proto::point::FieldError;
use udf_proto::{BeginBatch, EndBatch, Init, Point, ValueType};

use crate::error_text::{self, MAX_TEXT};
use crate::rate_limit::RateLimit;
use crate::state::{StateReader, StateWriter};
use crate::{
    Batch, BatchUdf, Edge, Emitter, FromPoint, Handler, OnMissing, Remote, Result, Stream,
    StreamUdf, Task, Udf, Verdict, options,
};

/// Handles the requests of one connection with a `T`, which is made when Init comes.
#[must_use = "a handler does nothing before an agent or a server calls it"]
pub struct UdfHandler<T: Udf> {
    /// None before Init.
    udf: Option<Held<T>>,
    skipped: RateLimit,
    unfit: UnfitSnapshot,
}

/// What becomes of a snapshot that does not fit the UDF: damaged, of another UDF, or of another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnfitSnapshot {
    /// It is refused, which stops the task: somebody has to decide.
    #[default]
    Refuse,
    /// The UDF starts without state, and a warning says so.
    StartFresh,
}

type Held<T> = <<T as Udf>::Wants as Reads<T>>::Held;

impl<T: Udf> UdfHandler<T> {
    /// For a connection on which nothing has come yet.
    pub fn new() -> Self {
        UdfHandler { udf: None, skipped: RateLimit::default(), unfit: UnfitSnapshot::default() }
    }

    /// Does this with snapshots that do not fit.
    pub fn with_unfit_snapshots(mut self, unfit: UnfitSnapshot) -> Self {
        self.unfit = unfit;
        self
    }

    fn started(&mut self) -> Result<&mut T> {
        // The agent lets nothing through before Init; whoever calls a handler by hand is told.
        let udf = self.udf.as_mut().map(Held::<T>::borrow_mut);
        udf.ok_or_else(|| "the UDF has not been started by an Init".into())
    }
}

impl<T: Udf> Default for UdfHandler<T> {
    fn default() -> Self {
        UdfHandler::new()
    }
}

impl<T: Udf> std::fmt::Debug for UdfHandler<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UdfHandler").field("started", &self.udf.is_some()).finish_non_exhaustive()
    }
}

/// Calls the methods of the trait that goes with an edge: `StreamUdf` for a stream, `BatchUdf` for batches.
#[doc(hidden)]
pub trait Reads<T: Udf>: Edge {
    /// The UDF itself, which is known to be `Send` by this name: `#[udf]` asks for it, so that whatever is made
    /// of a [`Udf`] need not ask again, and one that cannot move to its thread is told once.
    type Held: From<T> + BorrowMut<T> + Send + 'static;

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()>;
    fn begin(udf: &mut T, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn point(udf: &mut T, point: &T::Input<'_>, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn end(udf: &mut T, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()>;
    fn stop(udf: &mut T);
}

impl<T: StreamUdf + Send + 'static> Reads<T> for Stream {
    type Held = T;

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()> {
        udf.init(task)
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

    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.finish(out)
    }

    fn stop(udf: &mut T) {
        udf.stop();
    }
}

impl<T: BatchUdf + Send + 'static> Reads<T> for Batch {
    type Held = T;

    fn init(udf: &mut T, task: &Task<T::Provides>) -> Result<()> {
        udf.init(task)
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

    fn finish(udf: &mut T, out: &mut Emitter<T::Provides>) -> Result<()> {
        udf.finish(out)
    }

    fn stop(udf: &mut T) {
        udf.stop();
    }
}

impl<T: Udf + 'static> Handler for UdfHandler<T> {
    type Wants = T::Wants;
    type Provides = T::Provides;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        options::types::<T>().map(|(name, types)| (name.to_owned(), types)).collect()
    }

    fn init(&mut self, init: Init, remote: &Remote<T::Provides>) -> Result<Verdict> {
        let task = Task::new(init.task_id.clone(), init.node_id.clone(), remote.clone());
        let options::Accepted { mut udf, warnings } = options::parse::<T>(init)?;
        for warning in warnings {
            tracing::warn!(task = task.task_id(), node = task.node_id(), "{warning}");
        }
        T::Wants::init(&mut udf, &task)?;
        self.udf = Some(udf.into());
        Ok(Verdict::Accepted)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        let mut state = StateWriter::new(T::NAME);
        if let Some(udf) = &self.udf {
            udf.borrow().save(&mut state)?;
        }
        Ok(state.finish())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        let udf = self.started()?;
        if snapshot.is_empty() {
            // What a UDF without state hands out, also one that was not written with this kit.
            tracing::info!("the snapshot is empty: there is nothing to restore");
            return Ok(Verdict::Accepted);
        }
        let restored = StateReader::open(T::NAME, snapshot).map_err(crate::Error::from);
        let restored = restored.and_then(|mut state| {
            udf.load(&mut state)?;
            if let Some(fields) = few(state.left()) {
                tracing::warn!("the snapshot has {fields}, which this UDF does not keep any more");
            }
            Ok(())
        });
        Ok(match restored {
            Ok(()) => Verdict::Accepted,
            Err(error) if self.unfit == UnfitSnapshot::StartFresh => {
                let error = error_text::line(error.as_ref(), MAX_TEXT);
                tracing::warn!("starting without state: {error}");
                Verdict::Accepted
            }
            Err(error) => {
                let error = error_text::line(error.as_ref(), MAX_TEXT / 2);
                Verdict::Refused(format!("{error}; {START_FRESH}"))
            }
        })
    }

    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        T::Wants::begin(self.started()?, begin, out)
    }

    #[inline]
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        let udf = self.started()?;
        let done = match T::Input::from_point(*point) {
            Ok(input) => T::Wants::point(udf, &input, out),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => self.missing(point, error, out),
        }
    }

    fn end_batch(&mut self, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        T::Wants::end(self.started()?, end, out)
    }

    fn tick_every(&self) -> Option<Duration> {
        T::TICK
    }

    fn tick(&mut self, out: &mut Emitter<T::Provides>) -> Result<()> {
        self.started()?.on_tick(out)
    }

    fn finish(&mut self, out: &mut Emitter<T::Provides>) -> Result<()> {
        T::Wants::finish(self.started()?, out)
    }

    fn stop(&mut self) {
        let (what, more) = (on_missing::<T>(), self.skipped.rest());
        if more > 0 {
            tracing::warn!(
                "points that lack a field were {what}: {more} more since the last warning"
            );
        }
        if let Some(udf) = &mut self.udf {
            T::Wants::stop(udf.borrow_mut());
        }
    }
}

/// What to do when a snapshot is refused.
const START_FRESH: &str = "to start without state, add --bad-snapshot fresh to the arguments of the daemon, \
                           or to `args` in kapacitor.conf";

/// What became of points that lack a field.
fn on_missing<T: Udf>() -> &'static str {
    match T::ON_MISSING {
        OnMissing::Pass => "passed on",
        OnMissing::Skip | OnMissing::Fail => "skipped",
    }
}

/// Names some of these, and counts the others: a peer decides how many there are, and how long.
fn few<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    const FEW: usize = 10;
    let shown = names.by_ref().take(FEW);
    let shown = shown.map(|name| format!("`{}`", error_text::cut(name.to_owned(), 64)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match (shown.is_empty(), names.count()) {
        (true, _) => None,
        (false, 0) => Some(shown),
        (false, more) => Some(format!("{shown} and {more} more fields")),
    }
}

impl<T: Udf> UdfHandler<T> {
    /// What becomes of a point whose handling has failed: for a missing field that is the UDF's choice.
    #[cold]
    fn missing(
        &mut self,
        point: &Point<'_>,
        error: crate::Error,
        out: &mut Emitter<T::Provides>,
    ) -> Result<()> {
        if T::ON_MISSING == OnMissing::Fail || !error.is::<FieldError>() {
            return Err(error);
        }
        if let Some(held_back) = self.skipped.pass() {
            let what = on_missing::<T>();
            tracing::warn!("a point was {what}: {error}{held_back}");
        }
        if T::ON_MISSING == OnMissing::Pass {
            out.pass_on(point)?;
        } else {
            out.count_dropped();
        }
        Ok(())
    }
}
