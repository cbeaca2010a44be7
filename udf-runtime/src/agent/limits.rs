//! The limits of agents and servers.

use std::time::Duration;

use udf_proto::frame;

use crate::agent::link::OnUnfit;

/// The limits of a server.
///
/// ```
/// use udf_runtime::Limits;
///
/// let limits = Limits::default().connections(100).busy(None);
/// assert_eq!(limits.connections, 100);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Limits {
    /// The maximum length of a frame in bytes. Longer frames are refused. Defaults to 64 MiB.
    pub frame: usize,
    /// The maximum length of a frame in bytes before Init is accepted. Longer frames are refused.
    /// Defaults to 1 MiB.
    pub init_frame: usize,
    /// The time limit for Init on a connection of a [`Server`](crate::Server). `None` is no limit.
    /// The limit includes the time that the peer takes to read responses. It excludes the longest
    /// call of the handler, for example a slow `info`. Defaults to 10 seconds.
    pub init: Option<Duration>,
    /// The time limit for the arrival of a large request on a connection of a
    /// [`Server`](crate::Server). `None` is no limit. A request is large if it exceeds the
    /// connection's own buffer: 16 KiB before Init, and 256 KiB after it. The limit includes the
    /// wait for room. Defaults to 1 minute.
    pub request: Option<Duration>,
    /// The maximum number of bytes that the unhandled large requests of all connections may hold
    /// beyond the connections' own buffers. A request that needs more waits for room for as long as
    /// [`request`](Self::request) allows, and is then refused. Without that limit, it is refused at
    /// once. Read-ahead uses at most half of this memory. If [`frame`](Self::frame) is larger,
    /// `frame` applies instead. Defaults to 128 MiB.
    pub buffer: usize,
    /// The maximum duration of a call for which the agent sends keepalives. `None` is no limit.
    /// Defaults to 5 minutes.
    pub busy: Option<Duration>,
    /// The time that unread output may block after Kapacitor has closed the input. Then the
    /// connection is closed, and that output is lost. A program that Kapacitor has spawned exits,
    /// because Kapacitor waits for its exit. `None` is no limit. Defaults to 3 seconds.
    pub hangup: Option<Duration>,
    /// The grace period of open connections after a stop. Defaults to 10 seconds.
    pub shutdown: Duration,
    /// The maximum number of open connections. Defaults to 4096.
    pub connections: usize,
    /// Sets what happens to points that Kapacitor cannot store. Defaults to [`OnUnfit::Drop`].
    pub unfit_points: OnUnfit,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            frame: frame::DEFAULT_LIMIT,
            init_frame: 1 << 20,
            init: Some(Duration::from_secs(10)),
            request: Some(Duration::from_secs(60)),
            buffer: 128 << 20,
            busy: Some(Duration::from_secs(300)),
            hangup: Some(Duration::from_secs(3)),
            shutdown: Duration::from_secs(10),
            connections: 4096,
            unfit_points: OnUnfit::Drop,
        }
    }
}

impl Limits {
    /// Sets [`frame`](Limits#structfield.frame).
    pub fn frame(mut self, frame: usize) -> Self {
        self.frame = frame;
        self
    }

    /// Sets [`init_frame`](Limits#structfield.init_frame).
    pub fn init_frame(mut self, init_frame: usize) -> Self {
        self.init_frame = init_frame;
        self
    }

    /// Sets [`init`](Limits#structfield.init).
    pub fn init(mut self, init: impl Into<Option<Duration>>) -> Self {
        self.init = init.into();
        self
    }

    /// Sets [`request`](Limits#structfield.request).
    pub fn request(mut self, request: impl Into<Option<Duration>>) -> Self {
        self.request = request.into();
        self
    }

    /// Sets [`buffer`](Limits#structfield.buffer).
    pub fn buffer(mut self, buffer: usize) -> Self {
        self.buffer = buffer;
        self
    }

    /// Sets [`busy`](Limits#structfield.busy).
    pub fn busy(mut self, busy: impl Into<Option<Duration>>) -> Self {
        self.busy = busy.into();
        self
    }

    /// Sets [`hangup`](Limits#structfield.hangup).
    pub fn hangup(mut self, hangup: impl Into<Option<Duration>>) -> Self {
        self.hangup = hangup.into();
        self
    }

    /// Sets [`shutdown`](Limits#structfield.shutdown).
    pub fn shutdown(mut self, shutdown: Duration) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets [`connections`](Limits#structfield.connections).
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`unfit_points`](Limits#structfield.unfit_points).
    pub fn unfit_points(mut self, unfit_points: OnUnfit) -> Self {
        self.unfit_points = unfit_points;
        self
    }
}
