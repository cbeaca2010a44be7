//! Connections that are not served, and are told why.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use udf_proto::messages::{ErrorResponse, response::Message};
use udf_proto::response;

use crate::error_text::{MAX_TEXT, cut};
use crate::linger::{LINGER, linger};
use crate::metrics::{Metrics, Refused};
use crate::rate_limit::RateLimit;

/// How many refused connections are waited for at once, until they have read the reason.
const MOST: usize = 64;

/// Refuses connections, with a bounded effort for each.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    metrics: Metrics,
    log: RateLimit,
    /// Each thread that waits for a refused connection holds one more reference.
    waiting: Arc<()>,
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
        if Arc::strong_count(&self.waiting) > MOST {
            return;
        }
        let waiting = Arc::clone(&self.waiting);
        // Without a thread, the other side may find the connection closed before it has read the reason.
        let _ = thread::Builder::new().name("refusal".to_owned()).spawn(move || {
            linger(&stream, LINGER);
            drop(waiting);
        });
    }
}
