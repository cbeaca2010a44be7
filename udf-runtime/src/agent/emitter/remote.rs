//! Sends from other threads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Emitter;
use crate::agent::edge::Edge;
use crate::agent::link::{EmitError, Link};

/// Sends from any thread and at any time, as long as the connection is open.
///
/// ```
/// use udf_runtime::{Remote, Result, Stream};
///
/// fn beat(remote: &Remote<Stream>, time: i64) -> Result<()> {
///     Ok(remote.emit(|out| out.build("heartbeat").time(time).field("alive", true).send())?)
/// }
/// ```
pub struct Remote<E: Edge> {
    link: Arc<Link>,
    edge: PhantomData<fn(E)>,
}

impl<E: Edge> Remote<E> {
    pub(super) fn new(link: &Arc<Link>) -> Self {
        Remote { link: Arc::clone(link), edge: PhantomData }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Sends everything that `fill` emits, and blocks until it is written.
    ///
    /// The output of one call is contiguous up to 256 KiB, and a batch is always contiguous.
    ///
    /// # Errors
    /// Returns an error if the connection has ended, if the host
    /// [refuses](EmitError::Remote) output of other threads, or if `fill` returns an error. Output that
    /// `fill` emitted before its error is still sent.
    pub fn emit(
        &self,
        fill: impl FnOnce(&mut Emitter<E>) -> Result<(), EmitError>,
    ) -> Result<(), EmitError> {
        let _entered = self.link.span.enter();
        self.link.check_remote()?;
        let mut emitter = Emitter::new(Arc::clone(&self.link));
        let filled = fill(&mut emitter);
        emitter.output.flush().and(filled)
    }

    /// Returns whether the connection has ended, so that nothing can be sent any more. Never
    /// blocks.
    pub fn is_closed(&self) -> bool {
        self.link.is_closed()
    }
}

impl<E: Edge> Clone for Remote<E> {
    fn clone(&self) -> Self {
        Remote::new(&self.link)
    }
}

impl<E: Edge> fmt::Debug for Remote<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("edge", &E::TYPE).finish_non_exhaustive()
    }
}
