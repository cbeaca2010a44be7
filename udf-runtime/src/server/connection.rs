//! The open connections of a server, each on a thread of its own.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use udf_proto::messages::{ErrorResponse, response::Message};
use udf_proto::response;

use super::{Accepter, Limits, ServeError};
use crate::linger::linger;
use crate::link::lock;
use crate::stop::Stopped;
use crate::sync::{Condvar, Mutex, thread};
use crate::{Agent, Handler, Metrics};

/// How long connections have to end after they were cut.
const CUT: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    limits: Limits,
    metrics: Metrics,
    open: Mutex<Open>,
    changed: Condvar,
    /// Whether the inputs are ended by us.
    stopping: AtomicBool,
}

#[derive(Default)]
struct Open {
    /// How many were accepted; also the number of the last one.
    accepted: u64,
    streams: HashMap<u64, Arc<UnixStream>>,
}

impl Connections {
    pub(super) fn new(limits: Limits, metrics: Metrics) -> Self {
        Connections {
            limits,
            metrics,
            open: Mutex::default(),
            changed: Condvar::new(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Serves one more connection, unless there are too many.
    pub(super) fn open(self: &Arc<Self>, stream: UnixStream, accepter: &mut impl Accepter) {
        if let Err(error) = stream.set_nonblocking(false) {
            tracing::error!("a connection was dropped: {error}");
            return;
        }
        let stream = Arc::new(stream);
        let number = {
            let mut open = lock(&self.open);
            if open.streams.len() >= self.limits.connections {
                drop(open);
                refuse(&stream, self.limits.connections);
                return;
            }
            open.accepted += 1;
            let number = open.accepted;
            open.streams.insert(number, Arc::clone(&stream));
            number
        };
        let closing = Closing { connections: Arc::clone(self), number };
        let (handler, limits) = (accepter.accept(), self.limits.clone());
        let (metrics, connections) = (self.metrics.clone(), Arc::clone(self));
        let thread = thread::Builder::new().name(format!("connection-{number}")).spawn(move || {
            let span = tracing::info_span!(
                "connection",
                number,
                task = tracing::field::Empty,
                node = tracing::field::Empty
            );
            let reader = Input { stream: Arc::clone(&stream), connections };
            span.in_scope(|| serve(&stream, reader, handler, &limits, &metrics));
            // At the end of all: whoever waits for it finds nothing left behind.
            drop(stream);
            drop(closing);
        });
        if let Err(error) = thread {
            // The stream and its place went with the closure.
            tracing::error!("a connection was dropped, since no thread could be started: {error}");
        }
    }

    /// Lets the open connections finish what they have received, and waits for them.
    pub(super) fn finish(&self) -> Result<(), ServeError> {
        self.stopping.store(true, Ordering::Relaxed);
        for stream in lock(&self.open).streams.values() {
            // It fails when the other side has gone already.
            let _ = stream.shutdown(Shutdown::Read);
        }
        let farewell = self.limits.farewell;
        let unfinished = self.wait(farewell);
        if unfinished == 0 {
            return Ok(());
        }
        for stream in lock(&self.open).streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.wait(CUT);
        Err(ServeError::Unfinished { connections: unfinished, farewell })
    }

    /// Waits until none is open, but not for longer than `limit`; returns how many are.
    fn wait(&self, limit: Duration) -> usize {
        let open = lock(&self.open);
        let waited = self.changed.wait_timeout_while(open, limit, |open| !open.streams.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.streams.len()
    }
}

/// Takes a connection off the list when it ends, however it does.
struct Closing {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Closing {
    fn drop(&mut self) {
        lock(&self.connections.open).streams.remove(&self.number);
        self.connections.changed.notify_all();
    }
}

fn serve(
    stream: &Arc<UnixStream>,
    reader: Input,
    handler: impl Handler,
    limits: &Limits,
    metrics: &Metrics,
) {
    let agent = Agent::new(reader, WritingEnd(Arc::clone(stream)), handler)
        .with_frame_limit(limits.frame)
        .with_unfit_points(limits.unfit_points)
        .with_liveness(SocketEnd(Arc::clone(stream)), limits.busy);
    let link = agent.link();
    let _counted = metrics.open(Arc::clone(&link));
    let result = agent.run();
    let totals = link.counters.totals();
    match result {
        Ok(()) => tracing::info!("the connection has ended: {totals}"),
        Err(error) => {
            tracing::error!("the connection has failed: {}: {totals}", error.told(&link));
            linger(&**stream);
        }
    }
}

/// Tells a connection over the limit that it is, as far as that can be done without waiting.
fn refuse(stream: &UnixStream, limit: usize) {
    tracing::error!("refused a connection: the limit of {limit} open connections is reached");
    let error = format!("the UDF has reached its limit of {limit} open connections");
    let mut frame = Vec::new();
    response::append(Message::Error(ErrorResponse { error }), &mut frame);
    // A new connection has room for a frame; if not, closing it says enough.
    let _ = stream.set_nonblocking(true);
    let _ = (&mut &*stream).write_all(&frame);
}

/// The reading side of a socket, which we end when the server stops.
struct Input {
    stream: Arc<UnixStream>,
    connections: Arc<Connections>,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&mut &*self.stream).read(buffer) {
            Ok(0) if self.connections.stopping.load(Ordering::Relaxed) => Err(Stopped::error()),
            read => read,
        }
    }
}

/// One of several owners of a socket; one descriptor serves them all.
struct SocketEnd(Arc<UnixStream>);

impl AsFd for SocketEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The writing side of a socket, which is closed when this is dropped.
struct WritingEnd(Arc<UnixStream>);

impl Write for WritingEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WritingEnd {
    fn drop(&mut self) {
        // It fails when the other side has gone already.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
