//! UDFs that handle several points at the same time.

use std::sync::Arc;

use udf_proto::Point;

use crate::agent::crew::{Crew, Done, Job};
use crate::agent::emitter::Emitter;
use crate::agent::error::Result;
use crate::udf::lent::LentUdf;
use crate::udf::missing::Missing;
use crate::udf::task::Task;
use crate::udf::traits::{FromPoint, StreamUdf, Udf};

/// Handles several points of a stream at the same time, for work that waits: a look-up over the
/// network or on a disk, for example.
///
/// The kit calls [`point`](Self::point) from up to [`workers`](Self::workers) threads. All other
/// behavior is that of a [`StreamUdf`]:
///
/// - Output is sent in the order of the input, also if a later point is done first.
/// - Input is held back while the workers have 16 points each, or 1 MiB in total.
/// - All other methods run alone. Before such a call, and before a snapshot or a restore, the
///   workers finish all earlier points.
/// - An error or a panic of `point` fails the task. Output of earlier points is sent before the
///   error, and no output of later points.
///
/// A thread starts only when all workers are busy.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, testing, udf};
///
/// /// Adds the name of a user.
/// #[udf(wants = stream, provides = stream)]
/// struct Names {
///     /// Number of look-ups at the same time.
///     #[option(default = 16, range = 1..=64)]
///     lookups: usize,
///     known: Mutex<HashMap<String, String>>,
/// }
///
/// impl ConcurrentUdf for Names {
///     fn workers(&self) -> usize {
///         self.lookups
///     }
///
///     fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
///         let user = point.string("user")?;
///         let known = self.known.lock().expect("nobody panics with it").get(user).cloned();
///         let name = match known {
///             Some(name) => name,
///             // This waits, and the lock is free meanwhile.
///             None => look_up(user)?,
///         };
///         self.known.lock().expect("nobody panics with it").insert(user.to_owned(), name.clone());
///         Ok(out.edit(point).field("name", name.as_str()).send()?)
///     }
/// }
/// # fn look_up(user: &str) -> Result<String> { Ok(user.to_uppercase()) }
///
/// let mut task = testing::udf::<Names>().start();
/// task.feed("login user=\"ann\" 1\nlogin user=\"bob\" 2");
/// task.emits("login user=\"ann\",name=\"ANN\" 1\nlogin user=\"bob\",name=\"BOB\" 2");
/// ```
///
/// `#[udf]` needs no argument for this trait: write `wants = stream`, and implement `ConcurrentUdf`
/// in place of `StreamUdf`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `ConcurrentUdf`",
    label = "`impl ConcurrentUdf for {Self}` is missing"
)]
pub trait ConcurrentUdf: Udf + Send + Sync + 'static {
    /// Returns the maximum number of points that are handled at the same time, from 1 to 1024.
    /// Called once, after [`init`](Self::init).
    fn workers(&self) -> usize;

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

    /// Handles one point. May be called from several threads at the same time.
    ///
    /// # Errors
    /// An error stops the task, except for a missing field; see [`OnMissing`](crate::OnMissing).
    fn point(&self, point: &Self::Input<'_>, out: &mut Emitter<Self::Provides>) -> Result<()>;

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

#[diagnostic::do_not_recommend]
impl<T: ConcurrentUdf> StreamUdf for T {
    const CONCURRENT: bool = true;

    fn init(&mut self, task: &Task<Self::Provides>) -> Result<()> {
        ConcurrentUdf::init(self, task)
    }

    fn restored(&mut self) -> Result<()> {
        ConcurrentUdf::restored(self)
    }

    fn point(&mut self, point: &Self::Input<'_>, out: &mut Emitter<Self::Provides>) -> Result<()> {
        ConcurrentUdf::point(self, point, out)
    }

    fn finish(&mut self, out: &mut Emitter<Self::Provides>) -> Result<()> {
        ConcurrentUdf::finish(self, out)
    }

    fn stop(&mut self) {
        ConcurrentUdf::stop(self);
    }

    fn __workers(&self) -> usize {
        self.workers()
    }

    fn __share(self, missing: Arc<Missing>) -> Option<Box<dyn LentUdf<Self>>> {
        Some(Box::new(Shared { udf: Arc::new(self), missing }))
    }
}

struct Shared<T> {
    udf: Arc<T>,
    missing: Arc<Missing>,
}

impl<T: ConcurrentUdf> LentUdf<T> for Shared<T> {
    fn job(&self, point: &Point<'_>, crew: &Crew) -> Job {
        let (udf, missing) = (Arc::clone(&self.udf), Arc::clone(&self.missing));
        let (point, link) = (point.to_buf(), Arc::clone(crew.link()));
        Box::new(move || {
            let point = point.as_point();
            Done::by::<T::Provides>(&link, point.time(), |out| {
                let done = match T::Input::from_point(point) {
                    Ok(input) => ConcurrentUdf::point(&*udf, &input, out),
                    Err(error) => Err(error.into()),
                };
                done.or_else(|error| missing.forgive_point(&point, error, &mut out.output))
            })
        })
    }

    fn regain(self: Box<Self>) -> Result<T, Box<dyn LentUdf<T>>> {
        let Shared { udf, missing } = *self;
        Arc::try_unwrap(udf).map_err(|udf| Box::new(Shared { udf, missing }) as _)
    }
}
