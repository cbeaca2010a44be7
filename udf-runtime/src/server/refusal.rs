//! Refuses connections, and sends each peer the reason.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use udf_proto::messages::{ErrorResponse, response::Message};
use udf_proto::response;

use crate::agent::error::{MAX_TEXT, cut};
use crate::agent::linger::LINGER;
use crate::agent::metrics::{Metrics, REASONS, Refused};
use crate::agent::rate_limit::RateLimit;

/// The maximum number of refused connections that are kept open until the peer has read the reason.
const MOST: usize = 4096;

/// The minimum number of the same.
const LEAST: usize = 4;

/// The descriptors besides those of connections and of refused connections: the reserve, 64
/// scrapers, the socket, the log, and some of the UDF.
const OTHERS: usize = 192;

/// The interval at which refused connections are checked. A check reads from each connection.
const LOOK: Duration = Duration::from_millis(50);

/// The maximum number of bytes that a check reads from one connection.
const READ: usize = 16 << 10;

/// Refuses connections with bounded resources.
///
/// If we closed a refused connection at once, the peer's write could fail before the peer has read
/// the reason. The connection therefore stays open until the peer closes it, or for a few seconds.
/// This needs no thread, because there may be none. The oldest connection is closed when there are
/// too many, or when another connection needs its descriptor.
#[derive(Debug)]
pub(super) struct Refusals {
    metrics: Metrics,
    /// One rate limit per reason: a frequent reason must not hide another.
    logs: [RateLimit; REASONS.len()],
    /// The refused connections, the oldest first.
    open: VecDeque<Open>,
    most: usize,
    look: Instant,
}

/// A refused connection that is still open.
#[derive(Debug)]
struct Open {
    stream: UnixStream,
    why: Refused,
    until: Instant,
}

/// Sends the reason to the peer and shuts down the writing side. Never blocks.
pub(super) fn tell(mut stream: &UnixStream, reason: &str) {
    let error = cut(reason.to_owned(), MAX_TEXT);
    let mut frame = Vec::new();
    response::append(Message::Error(ErrorResponse { error }), &mut frame);
    // A new connection has room for one frame. If it does not, the peer sees the end without a
    // reason.
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(&frame);
    let _ = stream.shutdown(Shutdown::Write);
}

impl Refusals {
    /// Counts refusals in `metrics`. Refused connections use the descriptors that `connections`
    /// open connections leave.
    pub(super) fn new(metrics: Metrics, connections: usize) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let most = descriptors.saturating_sub(connections).saturating_sub(OTHERS);
        let most = most.clamp(LEAST, MOST);
        let (logs, open) = (Default::default(), VecDeque::new());
        Refusals { metrics, logs, open, most, look: Instant::now() }
    }

    /// Sends `reason` to the peer without blocking, and counts the refusal.
    pub(super) fn refuse(&mut self, stream: UnixStream, why: Refused, reason: &str) {
        self.metrics.refused(why);
        tell(&stream, &format!("the UDF refused the connection: {reason}"));
        if self.open.is_empty() {
            self.look = Instant::now() + LOOK;
        }
        if self.open.len() >= self.most {
            self.open.pop_front();
        }
        self.open.push_back(Open { stream, why, until: Instant::now() + LINGER });
        // Log last, because the log may panic.
        if let Some(held_back) = self.logs[why as usize].pass() {
            tracing::error!("refused a connection: {reason}{held_back}");
        }
    }

    /// Returns the time until the next [check](Self::look_after) of open refused connections.
    pub(super) fn until_look(&self) -> Option<Duration> {
        let left = self.look.saturating_duration_since(Instant::now());
        (!self.open.is_empty()).then_some(left)
    }

    /// Discards the input of refused connections, and closes those that are done. Does nothing
    /// before the interval has passed.
    pub(super) fn look_after(&mut self) {
        let now = Instant::now();
        if now >= self.look {
            self.look = now + LOOK;
            let mut input = [0; READ];
            self.open.retain(|open| open.until > now && !open.is_done(&mut input));
        }
    }

    /// Closes the oldest connection that was refused for another reason than missing descriptors,
    /// so that another connection can use its descriptor. Returns whether there was one.
    pub(super) fn close_unrelated(&mut self) -> bool {
        let unrelated = |open: &Open| open.why != Refused::Descriptors;
        let place = self.open.iter().position(unrelated);
        place.and_then(|place| self.open.remove(place)).is_some()
    }

    /// Closes the oldest connection. Returns whether there was one.
    pub(super) fn close_oldest(&mut self) -> bool {
        self.open.pop_front().is_some()
    }

    /// Logs the numbers of suppressed messages. Call this when no other message follows.
    pub(super) fn end(&mut self) {
        for (why, name) in REASONS {
            let held_back = self.logs[why as usize].rest();
            if held_back > 0 {
                tracing::error!(
                    "refused {held_back} more connections since the last warning, reason: {name}"
                );
            }
        }
    }
}

impl Open {
    /// Returns whether the peer has closed the connection. Discards its input.
    fn is_done(&self, input: &mut [u8]) -> bool {
        match (&self.stream).read(input) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Debug};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Collects the texts of events.
    #[derive(Clone, Default)]
    struct Texts(Arc<Mutex<Vec<String>>>);

    impl Visit for Texts {
        fn record_debug(&mut self, _: &Field, text: &dyn Debug) {
            self.0.lock().unwrap().push(fmt::format(format_args!("{text:?}")));
        }
    }

    impl Subscriber for Texts {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn each_reason_is_logged_and_at_the_end_all_that_were_held_back() {
        let texts = Texts::default();
        // With a single subscriber, the place of an event that another thread reaches first, without
        // a subscriber, stays disabled.
        let _second = tracing::Dispatch::new(texts.clone());
        tracing::subscriber::with_default(texts.clone(), || {
            let mut refusals = Refusals::new(Metrics::new(), 0);
            for why in [Refused::Limit, Refused::Limit, Refused::Limit, Refused::User] {
                let (ours, _) = UnixStream::pair().unwrap();
                refusals.refuse(ours, why, "so");
            }
            refusals.end();
            refusals.end();
        });
        let texts = texts.0.lock().unwrap();
        assert_eq!(
            texts[..],
            [
                "refused a connection: so",
                "refused a connection: so",
                "refused 2 more connections since the last warning, reason: limit"
            ]
        );
    }

    #[test]
    fn the_oldest_makes_way() {
        let mut refusals = Refusals::new(Metrics::new(), 0);
        refusals.most = 2;
        let mut theirs = Vec::new();
        for why in [Refused::Descriptors, Refused::Limit, Refused::Descriptors] {
            let (ours, other) = UnixStream::pair().unwrap();
            refusals.refuse(ours, why, "so");
            theirs.push(other);
        }
        let is_open = |theirs: &[UnixStream]| {
            theirs.iter().map(|mut stream| stream.write(&[0]).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(is_open(&theirs), [false, true, true]);
        assert!(refusals.close_unrelated());
        assert_eq!(is_open(&theirs), [false, false, true]);
        assert!(!refusals.close_unrelated() && refusals.close_oldest());
        assert!(!refusals.close_oldest() && refusals.until_look().is_none());
        // The peer gets the reason all the same.
        assert!(
            theirs.iter().all(|mut stream| stream.read(&mut [0; 64]).is_ok_and(|read| read > 0))
        );
    }
}
