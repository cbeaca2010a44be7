//! The two ends of a connection that a thread of this process holds as the UDF.
//!
//! No thread stands between the UDF and the session: the UDF takes the requests that wait for it,
//! and handles its own output on the side of the session.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use super::reader::Fed;
use super::shared::Shared;
use crate::error::Error;
use crate::spawn::{OnDrop, spawn};

/// Starts the UDF of this process with its ends. Must not wait for the UDF.
pub(crate) type StartUdf = Box<dyn FnOnce(UdfInput, UdfOutput) -> io::Result<()> + Send>;

/// What the UDF reads: the requests of the session. Its end is the end of the input.
///
/// After its drop, a message that the session has to send is an error of the connection.
pub struct UdfInput {
    shared: Arc<Shared>,
    /// The frames that were taken, and how many bytes of them were read.
    taken: Vec<u8>,
    read: usize,
    ended: bool,
}

impl UdfInput {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        UdfInput { shared: Arc::clone(shared), taken: Vec::new(), read: 0, ended: false }
    }
}

impl Read for UdfInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.taken.len() && !self.ended {
            self.read = 0;
            self.ended = !self.shared.outbox.take(&mut self.taken);
        }
        let read = (&self.taken[self.read..]).read(buffer)?;
        self.read += read;
        Ok(read)
    }
}

impl Drop for UdfInput {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let ended = OnDrop(Some(move || shared.writing_ended(false)));
        if self.ended {
            return;
        }
        let shared = Arc::clone(&self.shared);
        // If the thread cannot be created, the end of the output ends the connection.
        let _ = spawn("udf-write", move || {
            if shared.outbox.take(&mut Vec::new()) {
                shared.writing_failed(ErrorKind::BrokenPipe.into());
            }
            drop(ended);
        });
    }
}

impl fmt::Debug for UdfInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdfInput").finish_non_exhaustive()
    }
}

/// What the UDF writes: its responses. Its drop is their end.
///
/// A write handles the messages that it completes, and returns when the owner of the session has
/// taken the data of them. After the end of the connection, it fails with
/// [`BrokenPipe`](ErrorKind::BrokenPipe).
pub struct UdfOutput {
    shared: Arc<Shared>,
    /// Until the end of the connection.
    fed: Option<Fed>,
    ends: Sender<End>,
}

/// How the output of a UDF ends.
pub(super) enum End {
    /// It ends behind what was fed, or with its error.
    Fed(Box<Fed>),
    Panicked,
    Cut,
}

impl UdfOutput {
    pub(super) fn new(shared: &Arc<Shared>, ends: Sender<End>) -> Self {
        UdfOutput { shared: Arc::clone(shared), fed: Some(Fed::new(shared)), ends }
    }

    /// Returns a handle that ends the connection while this is in use.
    pub fn cutter(&self) -> Cutter {
        Cutter(self.ends.clone())
    }

    fn end(&mut self) {
        if let Some(fed) = self.fed.take() {
            // Nobody receives it after a cut.
            let _ = self.ends.send(End::Fed(Box::new(fed)));
        }
    }
}

impl Write for UdfOutput {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.shared.state().is_aborted() {
            self.end();
        }
        let fed = self.fed.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        // A panic is one of the owner's code, not of the UDF.
        match catch_unwind(AssertUnwindSafe(|| fed.feed(buffer))) {
            Ok(true) => {}
            // The bytes were handled. Only the next write fails.
            Ok(false) => self.end(),
            Err(_) => {
                self.fed = None;
                let _ = self.ends.send(End::Panicked);
            }
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for UdfOutput {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for UdfOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdfOutput").finish_non_exhaustive()
    }
}

/// Ends the connection of a [`UdfOutput`].
#[derive(Debug)]
pub struct Cutter(pub(super) Sender<End>);

impl Cutter {
    /// Ends the input and the output of the UDF, as if it had closed both. A write that waits for
    /// the owner of the session is left behind.
    pub fn cut(&self) {
        // Nobody receives it behind the end.
        let _ = self.0.send(End::Cut);
    }
}

/// Waits for the end of the output, and ends the reading.
///
/// The reason for an early end is the result of the UDF, so its thread cannot wait for it.
pub(super) fn end_reading(shared: &Arc<Shared>, ends: &Receiver<End>) {
    match ends.recv() {
        Ok(End::Fed(fed)) => fed.end(),
        Ok(End::Panicked) => drop(shared.abort(Error::Panicked("reads from the UDF"))),
        Ok(End::Cut) | Err(_) => drop(shared.abort(shared.explain(Error::ClosedEarly))),
    }
}
