//! Limits the rate of log lines of one kind, so that a peer cannot fill a disk.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

/// The crates whose lines are limited. Lines of authors are not limited.
const OURS: [&str; 2] = ["udf_runtime", "udf_host"];

/// The maximum number of lines of one kind in a [`WINDOW`]. A line longer than [`LENGTH`] counts as
/// several.
pub(super) const MOST: u64 = 100;

pub(super) const WINDOW: Duration = Duration::from_secs(10);

const LENGTH: usize = 1 << 10;

/// The length of the example in the report of suppressed lines.
const SHOWN: usize = 100;

/// Returns whether lines of this kind are limited: lines of the kit that are logged by default.
pub(super) fn is_limited(metadata: &Metadata<'_>) -> bool {
    let krate = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO && OURS.contains(&krate)
}

/// The kinds of lines that were logged. Each place in the code is one kind.
#[derive(Default)]
pub(super) struct Kinds(HashMap<Identifier, Kind>);

struct Kind {
    level: Level,
    /// The begin of the present window.
    begun: Instant,
    /// The number of lines logged in this window. A long line counts as several.
    logged: u64,
    held_back: u64,
    /// The time at which the number of suppressed lines is reported.
    due: Instant,
    /// The begin of the last logged line.
    like: String,
}

/// A report of suppressed lines.
pub(super) struct HeldBack {
    kind: Identifier,
    pub(super) level: Level,
    pub(super) count: u64,
    pub(super) like: String,
}

impl Kinds {
    /// Admits a line of this kind, or counts it as suppressed. Returns the number of suppressed
    /// lines.
    pub(super) fn admit(&mut self, metadata: &Metadata<'_>, now: Instant) -> u64 {
        let kind = self.0.entry(metadata.callsite()).or_insert_with(|| Kind {
            level: *metadata.level(),
            begun: now,
            logged: 0,
            held_back: 0,
            due: now,
            like: String::new(),
        });
        if now.duration_since(kind.begun) >= WINDOW {
            (kind.begun, kind.logged) = (now, 0);
        }
        if kind.logged < MOST {
            kind.logged += 1;
            return 0;
        }
        if kind.held_back == 0 {
            kind.due = kind.begun + WINDOW;
        }
        kind.held_back += 1;
        kind.held_back
    }

    /// Counts an admitted line, and keeps it as the example.
    pub(super) fn note(&mut self, metadata: &Metadata<'_>, line: &str) {
        if let Some(kind) = self.0.get_mut(&metadata.callsite()) {
            kind.logged += (line.len() / LENGTH) as u64;
            line[..line.floor_char_boundary(SHOWN)].clone_into(&mut kind.like);
        }
    }

    /// Returns a kind with suppressed lines if its report is due, or if this is the end.
    pub(super) fn take_due(&mut self, now: Instant, is_end: bool) -> Option<HeldBack> {
        let mut kinds = self.0.iter_mut().filter(|(_, kind)| kind.held_back > 0);
        let (id, kind) = kinds.find(|(_, kind)| is_end || kind.due <= now)?;
        let count = std::mem::take(&mut kind.held_back);
        Some(HeldBack { kind: id.clone(), level: kind.level, count, like: kind.like.clone() })
    }

    /// Puts back lines whose report failed. They are added to the next report of their kind, and
    /// not retried at once, because the cause may persist.
    pub(super) fn put_back(&mut self, held: HeldBack, now: Instant) {
        if let Some(kind) = self.0.get_mut(&held.kind) {
            kind.held_back += held.count;
            kind.due = now + WINDOW;
        }
    }

    /// Returns the time of the next report.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter(|kind| kind.held_back > 0).map(|kind| kind.due).min()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Subscriber};

    use super::*;

    /// Keeps the metadata of an event.
    #[derive(Clone, Default)]
    struct Catch(Arc<OnceLock<&'static Metadata<'static>>>);

    impl Subscriber for Catch {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn event(&self, event: &Event<'_>) {
            let _ = self.0.set(event.metadata());
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    fn kind() -> &'static Metadata<'static> {
        let catch = Catch::default();
        tracing::subscriber::with_default(catch.clone(), || tracing::warn!("peer"));
        catch.0.get().copied().unwrap()
    }

    #[test]
    fn each_window_has_its_lines_and_says_later_how_many_it_held_back() {
        let (mut kinds, kind, begun) = (Kinds::default(), kind(), Instant::now());
        let log = |kinds: &mut Kinds, seconds| {
            let is_logged = kinds.admit(kind, begun + Duration::from_secs(seconds)) == 0;
            if is_logged {
                kinds.note(kind, &format!("line of {seconds}"));
            }
            is_logged
        };
        assert_eq!((0..150).filter(|_| log(&mut kinds, 1)).count(), 100);
        assert_eq!((0..10).filter(|_| log(&mut kinds, 10)).count(), 0);
        let end = begun + Duration::from_secs(11);
        assert_eq!(kinds.next_due(), Some(end));
        assert!(kinds.take_due(end - Duration::from_millis(1), false).is_none());
        // The next window may have begun before the report.
        assert_eq!((0..150).filter(|_| log(&mut kinds, 12)).count(), 100);
        assert_eq!(kinds.next_due(), Some(end));
        let held = kinds.take_due(end, false).unwrap();
        assert_eq!((held.level, held.count, &*held.like), (Level::WARN, 110, "line of 12"));
        assert!(kinds.take_due(end + WINDOW, false).is_none() && kinds.next_due().is_none());
        assert!(!log(&mut kinds, 13));
        // A line that cannot be written leaves its count to the next one.
        kinds.put_back(held, end);
        assert_eq!(kinds.next_due(), Some(end + WINDOW));
        assert_eq!(kinds.take_due(begun, true).map(|held| held.count), Some(111));
        assert!(log(&mut kinds, 30));
    }
}
