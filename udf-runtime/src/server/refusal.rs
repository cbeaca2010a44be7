//! Connections that are not served, and are told why.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use udf_proto::messages::{ErrorResponse, response::Message};
use udf_proto::response;

use crate::error_text::{MAX_TEXT, cut};
use crate::linger::LINGER;
use crate::metrics::{Metrics, Refused};
use crate::rate_limit::RateLimit;

/// How many refused connections are kept open at once, until they have read the reason.
const MOST: usize = 64;

/// How long a refused connection may keep a descriptor that is needed for the next.
const LINGER_WITHOUT_DESCRIPTORS: Duration = Duration::from_secs(1);

/// Refuses connections, with a bounded effort for each.
///
/// If a refused connection were closed at once, the other side might fail to write, and never read the
/// reason. So it is kept open until the other side closes it, or for a few seconds. That takes no thread:
/// there may be none.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    metrics: Metrics,
    log: RateLimit,
    open: VecDeque<Open>,
}

/// A connection that is refused and still open.
#[derive(Debug)]
struct Open {
    stream: UnixStream,
    until: Instant,
}

/// Tells the other side of a connection why it ends, and ends the writing side, without waiting for it.
pub(super) fn tell(mut stream: &UnixStream, reason: &str) {
    let error = cut(reason.to_owned(), MAX_TEXT);
    let mut frame = Vec::new();
    response::append(Message::Error(ErrorResponse { error }), &mut frame);
    // A new connection has room for a frame; if not, closing it says enough.
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(&frame);
    let _ = stream.shutdown(Shutdown::Write);
}

impl Refusals {
    /// Counts refusals in `metrics`.
    pub(super) fn new(metrics: Metrics) -> Self {
        Refusals { metrics, ..Refusals::default() }
    }

    /// Reports `reason` to the other side, without waiting for it here, and counts the refusal.
    pub(super) fn refuse(&mut self, stream: UnixStream, why: Refused, reason: &str) {
        self.metrics.refused(why);
        if let Some(held_back) = self.log.pass() {
            tracing::error!("refused a connection: {reason}{held_back}");
        }
        tell(&stream, &format!("the UDF refused the connection: {reason}"));
        if self.open.len() < MOST {
            let linger = match why {
                Refused::Descriptors => LINGER_WITHOUT_DESCRIPTORS,
                _ => LINGER,
            };
            self.open.push_back(Open { stream, until: Instant::now() + linger });
        }
    }

    /// Returns the refused connections that are still open. When one of them can be read, it is time to
    /// [look after](Self::look_after) them.
    pub(super) fn open(&self) -> impl Iterator<Item = &UnixStream> {
        self.open.iter().map(|open| &open.stream)
    }

    /// Returns how long it is until one of them has been open for long enough.
    pub(super) fn left(&self) -> Option<Duration> {
        let until = self.open.iter().map(|open| open.until).min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Drops what the refused connections have sent, and closes those that are done.
    pub(super) fn look_after(&mut self) {
        let now = Instant::now();
        self.open.retain(|open| open.until > now && !open.is_done());
    }
}

impl Open {
    /// Returns whether the other side has closed it. What it has sent is dropped.
    fn is_done(&self) -> bool {
        match (&self.stream).read(&mut [0; 4096]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}
