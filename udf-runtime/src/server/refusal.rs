//! Connections that are not served, and are told why.

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

/// The most refused connections that are kept open at once, until they have read the reason.
const MOST: usize = 4096;

/// The part of the descriptors of the process that they may take: the UDF needs the others.
const PART: u64 = 4;

/// How often the refused connections are looked at: a look reads from each of them.
const LOOK: Duration = Duration::from_millis(50);

/// The most that is read of one in a look.
const READ: usize = 16 << 10;

/// Refuses connections, with a bounded effort for each.
///
/// If a refused connection were closed at once, the other side might fail to write, and never read the reason. So it
/// is kept open until the other side closes it, or for a few seconds. That takes no thread: there may be none. The
/// oldest is closed when there are too many, or when another connection needs its descriptor.
#[derive(Debug)]
pub(super) struct Refusals {
    metrics: Metrics,
    /// By reason: one that repeats does not hide another.
    logs: [RateLimit; REASONS.len()],
    /// The oldest is the first.
    open: VecDeque<Open>,
    most: usize,
    look: Instant,
}

/// A connection that is refused and still open.
#[derive(Debug)]
struct Open {
    stream: UnixStream,
    why: Refused,
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
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = usize::try_from(descriptors / PART).unwrap_or(MOST).min(MOST);
        let (logs, open) = (Default::default(), VecDeque::new());
        Refusals { metrics, logs, open, most, look: Instant::now() }
    }

    /// Reports `reason` to the other side, without waiting for it here, and counts the refusal.
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
        // Last: it may be the log that panics.
        if let Some(held_back) = self.logs[why as usize].pass() {
            tracing::error!("refused a connection: {reason}{held_back}");
        }
    }

    /// Returns how long it is until it is time to [look after](Self::look_after) those that are open.
    pub(super) fn until_look(&self) -> Option<Duration> {
        let left = self.look.saturating_duration_since(Instant::now());
        (!self.open.is_empty()).then_some(left)
    }

    /// When it is time, drops what the refused connections have sent, and closes those that are done.
    pub(super) fn look_after(&mut self) {
        let now = Instant::now();
        if now >= self.look {
            self.look = now + LOOK;
            self.open.retain(|open| open.until > now && !open.is_done());
        }
    }

    /// Closes the oldest for which there had been a descriptor, so that another connection has it; returns whether
    /// there was one.
    pub(super) fn close_unrelated(&mut self) -> bool {
        let unrelated = |open: &Open| open.why != Refused::Descriptors;
        let place = self.open.iter().position(unrelated);
        place.and_then(|place| self.open.remove(place)).is_some()
    }

    /// Closes the oldest; returns whether there was one.
    pub(super) fn close_oldest(&mut self) -> bool {
        self.open.pop_front().is_some()
    }

    /// Logs how many refusals were not logged, once there will be no other.
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
    /// Returns whether the other side has closed it. Bytes that it has sent are dropped.
    fn is_done(&self) -> bool {
        match (&self.stream).read(&mut [0; READ]) {
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

    /// Keeps the texts of events.
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
        tracing::subscriber::with_default(texts.clone(), || {
            let mut refusals = Refusals::new(Metrics::new());
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
        let mut refusals = Refusals::new(Metrics::new());
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
        // The reason is there all the same.
        assert!(
            theirs.iter().all(|mut stream| stream.read(&mut [0; 64]).is_ok_and(|read| read > 0))
        );
    }
}
