//! The handler of a struct with `#[udf]`. It creates the UDF at Init, and saves and restores its
//! state.

use std::borrow::{Borrow, BorrowMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::{BeginBatch, EndBatch, Init, Point, Value, ValueType};

use crate::agent::crew::Crew;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::{self, MAX_TEXT, Result};
use crate::agent::handler::{Handler, Verdict};
use crate::agent::talk::MIN_TICK;
use crate::udf::batch_view::Gathered;
use crate::udf::lent::LentUdf;
use crate::udf::missing::Missing;
use crate::udf::options::init::{self, Accepted};
use crate::udf::shared::Shared;
use crate::udf::shared::resources::Resources;
use crate::udf::state::{StateReader, StateWriter};
use crate::udf::task::Task;
use crate::udf::traits::{FromPoint, Reads, Udf};

/// Handles the requests of one connection with a `T`, which is created at Init.
#[must_use = "a handler does nothing before an agent or a server calls it"]
pub struct UdfHandler<T: Udf> {
    /// None before Init, and while workers use it.
    udf: Option<Held<T>>,
    /// The UDF while its workers use it.
    lent: Option<Box<dyn LentUdf<T>>>,
    /// Set in Init if the UDF has workers or threads.
    crew: Option<Arc<Crew>>,
    missing: Arc<Missing>,
    /// Unused if the UDF gets points as they arrive.
    gathered: Gathered,
    unfit: UnfitSnapshot,
    resources: Resources,
}

/// Sets what happens to a snapshot that does not fit the UDF: it is damaged, or from another UDF,
/// or has another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnfitSnapshot {
    /// Refuses the snapshot, which stops the task until an operator decides.
    #[default]
    Refuse,
    /// Starts the UDF without state, and logs a warning.
    StartFresh,
}

type Held<T> = <<T as Udf>::Wants as Reads<T>>::Held;

impl<T: Udf> UdfHandler<T> {
    /// Creates the handler of a new connection.
    pub fn new() -> Self {
        UdfHandler {
            udf: None,
            lent: None,
            crew: None,
            missing: Arc::new(Missing::new(T::ON_MISSING)),
            gathered: Gathered::default(),
            unfit: UnfitSnapshot::default(),
            resources: Resources::default(),
        }
    }

    /// Sets what happens to snapshots that do not fit. Defaults to [`UnfitSnapshot::Refuse`].
    pub fn unfit_snapshots(mut self, unfit: UnfitSnapshot) -> Self {
        self.unfit = unfit;
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
        self.resources.supply(thing);
        self
    }

    /// Sets the things for `#[shared]` fields, which are opened when a task needs them.
    #[cfg(feature = "main")]
    pub(crate) fn resources(self, resources: Resources) -> Self {
        UdfHandler { resources, ..self }
    }

    fn started(&mut self) -> Result<&mut T> {
        if T::Wants::CONCURRENT {
            self.regain();
        }
        // The agent checks the order of requests, but other callers of a handler may not.
        let udf = self.udf.as_mut().map(Held::<T>::borrow_mut);
        udf.ok_or_else(|| "the UDF has not been started by an Init".into())
    }

    /// Handles the gathered batch.
    fn whole_batch(&mut self, end: &EndBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        let Some(udf) = &mut self.udf else { return self.started().map(drop) };
        let batch = self.gathered.view(end, &self.missing);
        let handled = T::Wants::batch(udf.borrow_mut(), &batch, out);
        let dropped = if handled.is_ok() { batch.left_out() } else { batch.len() as u64 };
        self.gathered.clear();
        if let Err(error) = handled {
            self.missing.forgive("a batch", error)?;
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
            self.lent = T::Wants::share(udf, Arc::clone(&self.missing));
        }
        let (Some(lent), Some(crew)) = (&self.lent, &self.crew) else {
            return self.started().map(drop);
        };
        Ok(crew.submit(point.kept_size(), || lent.job(point, crew))?)
    }

    /// Takes the UDF back from its workers, as soon as they have handled all points.
    fn regain(&mut self) {
        if let (Some(lent), Some(crew)) = (self.lent.take(), &self.crew) {
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
        self.crew = Some(Arc::clone(&crew));
        let (task, node) = (init.task_id.clone(), init.node_id.clone());
        let task = Task::new(task, node, remote.clone(), Arc::clone(&crew));
        self.resources.open(T::SHARED)?;
        let Accepted { mut udf, warnings } = init::parse_with::<T>(init, &self.resources)?;
        for warning in warnings {
            tracing::warn!(task = task.task_id(), node = task.node_id(), "{warning}");
        }
        T::Wants::init(&mut udf, &task)?;
        if let Some(every) = udf.tick_every().filter(|every| *every < MIN_TICK) {
            let every = Value::Duration(every.as_nanos() as i64);
            return Ok(Verdict::Refused(format!(
                "UDF {}: {} sets the interval of ticks to {every}, but it must be at least {MIN_TICK:?}",
                T::NAME,
                T::TICK_SOURCE
            )));
        }
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
        let udf = self.started()?;
        if snapshot.is_empty() {
            // A UDF without state sends an empty snapshot, even if it was not written with this
            // kit.
            tracing::info!("the snapshot is empty: there is nothing to restore");
            return Ok(Verdict::Accepted);
        }
        let restored =
            StateReader::open(T::NAME, snapshot).map_err(crate::agent::error::Error::from);
        let restored = restored.and_then(|mut state| {
            replace_state(udf, &mut state)?;
            if let Some(fields) = few(&mut state.left()) {
                tracing::warn!("the snapshot has {fields}, which this UDF no longer has");
            }
            Ok(())
        });
        Ok(match restored {
            Ok(()) => Verdict::Accepted,
            Err(error) if self.unfit == UnfitSnapshot::StartFresh => {
                let error = error::line(error.as_ref(), MAX_TEXT);
                tracing::warn!("starting without state: {error}");
                Verdict::Accepted
            }
            Err(error) => {
                let error = error::line(error.as_ref(), MAX_TEXT / 2);
                Verdict::Refused(format!("{error}; {START_FRESH}"))
            }
        })
    }

    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<T::Provides>) -> Result<()> {
        let udf = self.started()?;
        if T::Wants::WHOLE {
            self.gathered.begin(begin);
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
            self.gathered.push(point);
            return Ok(());
        }
        let done = match T::Input::from_point(*point) {
            Ok(input) => T::Wants::point(udf, &input, out),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => self.missing.forgive_point(point, error, &mut out.output),
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
        self.crew.clone().filter(|crew| crew.is_used())
    }

    fn stop(&mut self) {
        self.missing.log_rest();
        if T::Wants::CONCURRENT {
            self.regain();
        }
        if let Some(udf) = &mut self.udf {
            T::Wants::stop(udf.borrow_mut());
        }
    }
}

/// The remedy for a refused snapshot.
const START_FRESH: &str = "to start without state, add --bad-snapshot fresh to the arguments of the daemon, \
                           or to `args` in kapacitor.conf";

/// Loads the state, and calls the UDF's `restored`. An error leaves the state unchanged.
fn replace_state<T: Udf>(udf: &mut T, state: &mut StateReader<'_>) -> Result<()> {
    let mut before = StateWriter::new(T::NAME);
    udf.save(&mut before)?;
    udf.load(state)?;
    T::Wants::restored(udf).or_else(|error| {
        udf.load(&mut StateReader::open(T::NAME, &before.finish())?)?;
        Err(error)
    })
}

/// Lists the first names and counts the others. A peer controls their number and their length.
fn few(names: &mut dyn Iterator<Item = &str>) -> Option<String> {
    const FEW: usize = 10;
    let shown = (&mut *names).take(FEW);
    let shown = shown.map(|name| format!("`{}`", error::cut(name.to_owned(), 64)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match (shown.is_empty(), names.count()) {
        (true, _) => None,
        (false, 0) => Some(shown),
        (false, more) => Some(format!("{shown} and {more} more fields")),
    }
}
