//! The handler of a struct with `#[udf]`. It creates the UDF at Init, and saves and restores its
//! state.

use std::borrow::{Borrow, BorrowMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::{BeginBatch, EndBatch, Init, OptionCall, Point, Value, ValueType};

use crate::agent::crew::Crew;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::{Error, Result};
use crate::agent::handler::{Handler, Verdict};
use crate::agent::talk::MIN_TICK;
use crate::udf::batch_view::Gathered;
use crate::udf::lent::LentUdf;
use crate::udf::missing::{Missing, OnMissing};
use crate::udf::options::{OptionData, OptionParser, init};
use crate::udf::restore::{self, UnfitSnapshot};
use crate::udf::shared::Shared;
use crate::udf::shared::resources::{Resources, SharedType};
use crate::udf::state::StateWriter;
use crate::udf::task::Task;
use crate::udf::traits::{FromPoint, Reads, Udf};

/// Handles the requests of one connection with a `T`, which is created at Init.
#[must_use = "a handler does nothing before an agent or a server calls it"]
pub struct UdfHandler<T: Udf> {
    /// None before Init, and while workers use it.
    udf: Option<Held<T>>,
    /// The UDF while its workers use it.
    lent: Option<Box<dyn LentUdf<T>>>,
    common: Common,
}

/// The part of a handler that does not depend on the type of the UDF.
struct Common {
    /// Set in Init if the UDF has workers or threads.
    crew: Option<Arc<Crew>>,
    missing: Arc<Missing>,
    /// Unused if the UDF gets points as they arrive.
    gathered: Gathered,
    unfit: UnfitSnapshot,
    resources: Resources,
}

impl Common {
    fn new(on_missing: OnMissing) -> Self {
        Common {
            crew: None,
            missing: Arc::new(Missing::new(on_missing)),
            gathered: Gathered::default(),
            unfit: UnfitSnapshot::default(),
            resources: Resources::default(),
        }
    }

    /// Opens the shared things, and checks the options of an Init.
    fn options(
        &mut self,
        options: &'static [OptionData],
        calls: Vec<OptionCall>,
        shared: &[SharedType],
    ) -> Result<OptionParser> {
        self.resources.open(shared)?;
        Ok(OptionParser::new(options, calls, &self.resources))
    }

    fn crew(&self) -> Option<Arc<Crew>> {
        self.crew.clone().filter(|crew| crew.is_used())
    }
}

type Held<T> = <<T as Udf>::Wants as Reads<T>>::Held;

impl<T: Udf> UdfHandler<T> {
    /// Creates the handler of a new connection.
    pub fn new() -> Self {
        UdfHandler { udf: None, lent: None, common: Common::new(T::ON_MISSING) }
    }

    /// Sets what happens to snapshots that do not fit. Defaults to [`UnfitSnapshot::Refuse`].
    pub fn unfit_snapshots(mut self, unfit: UnfitSnapshot) -> Self {
        self.common.unfit = unfit;
        self
    }

    /// Supplies the thing for `#[shared]` fields of this type. Without `udf_runtime::main`, nothing
    /// opens it: make it once, and give an `Arc` of it to the handler of each connection.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use udf_runtime::shared::Shared;
    /// # use udf_runtime::{Server, ServeError, Udf, UdfHandler};
    /// # fn serve<T: Udf + 'static, Hosts: Shared>(hosts: Hosts) -> Result<(), Box<dyn std::error::Error>> {
    /// let hosts = Arc::new(hosts);
    /// let handler = move || UdfHandler::<T>::new().shared(Arc::clone(&hosts));
    /// Server::bind("/run/udfs/known.sock", handler)?.serve()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared<S: Shared>(mut self, thing: Arc<S>) -> Self {
        self.common.resources.supply(thing);
        self
    }

    /// Sets the things for `#[shared]` fields, which are opened when a task needs them.
    #[cfg(feature = "main")]
    pub(crate) fn resources(mut self, resources: Resources) -> Self {
        self.common.resources = resources;
        self
    }

    fn started(&mut self) -> Result<&mut T> {
        if T::Wants::CONCURRENT {
            self.regain();
        }
        self.udf.as_mut().map(Held::<T>::borrow_mut).ok_or_else(not_started)
    }

    /// Handles the gathered batch.
    fn whole_batch(&mut self, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        let Some(udf) = &mut self.udf else { return self.started().map(drop) };
        let batch = self.common.gathered.view(end, &self.common.missing);
        let handled = T::Wants::batch(udf.borrow_mut(), &batch, out);
        let dropped = if handled.is_ok() { batch.left_out() } else { batch.len() as u64 };
        self.common.gathered.clear();
        if let Err(error) = handled {
            self.common.missing.forgive("a batch", error)?;
        }
        out.output.count_dropped(dropped);
        Ok(())
    }
}

/// The part of a UDF whose points are handled by workers.
impl<T: Udf> UdfHandler<T> {
    /// Hands a copy of the point to a worker.
    fn hand_over(&mut self, point: &Point<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        // Answers to earlier requests go first.
        out.output.flush()?;
        if let Some(udf) = self.udf.take() {
            self.lent = T::Wants::share(udf, Arc::clone(&self.common.missing));
        }
        let (Some(lent), Some(crew)) = (&self.lent, &self.common.crew) else {
            return self.started().map(drop);
        };
        Ok(crew.submit(point.kept_size(), || lent.job(point, crew))?)
    }

    /// Takes the UDF back from its workers, as soon as they have handled all points.
    fn regain(&mut self) {
        if let (Some(lent), Some(crew)) = (self.lent.take(), &self.common.crew) {
            crew.settle();
            match lent.regain() {
                Ok(udf) => self.udf = Some(udf.into()),
                Err(lent) => self.lent = Some(lent),
            }
        }
    }
}

impl<T: Udf> Default for UdfHandler<T> {
    fn default() -> Self {
        UdfHandler::new()
    }
}

impl<T: Udf> std::fmt::Debug for UdfHandler<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let started = self.udf.is_some() || self.lent.is_some();
        f.debug_struct("UdfHandler").field("started", &started).finish_non_exhaustive()
    }
}

impl<T: Udf + 'static> Handler for UdfHandler<T> {
    type Wants = T::Wants;
    type Provides = T::Provides;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        init::types(T::OPTIONS)
    }

    fn init(&mut self, init: Init, remote: &Remote<T::Provides>) -> Result<Verdict> {
        let crew = Crew::new(remote.link());
        self.common.crew = Some(Arc::clone(&crew));
        let Init { task_id, node_id, options } = init;
        let task = Task::new(task_id, node_id, remote.clone(), Arc::clone(&crew));
        let mut parser = self.common.options(T::OPTIONS, options, T::SHARED)?;
        let Some(mut udf) = init::make::<T>(&mut parser) else {
            return Err(refused(parser, T::NAME));
        };
        log_warnings(parser, task.task_id(), task.node_id());
        T::Wants::init(&mut udf, &task)?;
        check_ticks(udf.tick_every(), T::NAME, T::TICK_SOURCE)?;
        if T::Wants::CONCURRENT {
            crew.hire(T::Wants::workers(&udf))?;
        }
        self.udf = Some(udf.into());
        Ok(Verdict::Accepted)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        let mut state = StateWriter::new(T::NAME);
        if T::Wants::CONCURRENT {
            self.regain();
        }
        if let Some(udf) = &self.udf {
            udf.borrow().save(&mut state)?;
        }
        Ok(state.finish())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        let unfit = self.common.unfit;
        let udf = self.started()?;
        Ok(restore::restore(udf, T::NAME, snapshot, unfit))
    }

    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        let udf = self.started()?;
        if T::Wants::WHOLE {
            self.common.gathered.begin(begin);
            return Ok(());
        }
        T::Wants::begin(udf, begin, out)
    }

    #[inline]
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<T::Provides>) -> Result<()> {
        if T::Wants::CONCURRENT {
            return self.hand_over(point, out);
        }
        let udf = self.started()?;
        if T::Wants::WHOLE {
            self.common.gathered.push(point);
            return Ok(());
        }
        let done = match T::Input::from_point(*point) {
            Ok(input) => T::Wants::point(udf, &input, out),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => self.common.missing.forgive_point(point, error, &mut out.output),
        }
    }

    fn end_batch(&mut self, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        if T::Wants::WHOLE {
            return self.whole_batch(end, out);
        }
        T::Wants::end(self.started()?, end, out)
    }

    fn tick_every(&self) -> Option<Duration> {
        self.udf.as_ref().and_then(|udf| udf.borrow().tick_every())
    }

    fn tick(&mut self, out: &mut Emitter<T::Provides>) -> Result<()> {
        self.started()?.on_tick(out)
    }

    fn finish(&mut self, out: &mut Emitter<T::Provides>) -> Result<()> {
        T::Wants::finish(self.started()?, out)
    }

    fn crew(&self) -> Option<Arc<Crew>> {
        self.common.crew()
    }

    fn stop(&mut self) {
        self.common.missing.log_rest();
        if T::Wants::CONCURRENT {
            self.regain();
        }
        if let Some(udf) = &mut self.udf {
            T::Wants::stop(udf.borrow_mut());
        }
    }
}

/// Returns the error that refuses an Init.
fn refused(mut parser: OptionParser, name: &'static str) -> Error {
    parser.refusal(name).into()
}

fn log_warnings(parser: OptionParser, task: &str, node: &str) {
    for warning in parser.into_warnings() {
        tracing::warn!(task, node, "{warning}");
    }
}

/// Checks the interval of ticks of the UDF `name`.
///
/// # Errors
/// Returns an error if the interval is too short.
fn check_ticks(every: Option<Duration>, name: &str, source: &str) -> Result<()> {
    let Some(every) = every.filter(|every| *every < MIN_TICK) else { return Ok(()) };
    let every = Value::Duration(every.as_nanos() as i64);
    Err(format!(
        "UDF {name}: {source} sets the interval of ticks to {every}, but it must be at least {MIN_TICK:?}"
    )
    .into())
}

/// The error of a request before Init. The agent checks the order of requests, but other callers of
/// a handler may not.
#[cold]
fn not_started() -> Error {
    "the UDF has not been started by an Init".into()
}
